"""What this machine can hold: cores, memory and GPUs, within the limits of its container."""

from __future__ import annotations

import os
import re
from pathlib import Path

from lazulite.ports.compute import Capacity

CGROUPS = Path("/sys/fs/cgroup")
DEVICES = Path("/dev")


def find_capacity(cgroups: Path = CGROUPS, devices: Path = DEVICES) -> Capacity:
    """Read what the machine has; a few small files, no process is started."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for group in _own_groups(cgroups):
        cores = min(cores, _quota(group) or cores)
        memory = min(memory, _memory(group) or memory)
    return Capacity(cores=cores, memory=memory, gpus=_gpus(devices), slots=cores)


def _own_groups(cgroups: Path) -> list[Path]:
    """List our cgroup and those above it: each may set a limit."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    group = cgroups / own.lstrip("/")
    return [group, *(up for up in group.parents if up.is_relative_to(cgroups))]


def _quota(group: Path) -> int | None:
    """Whole cores of the CPU quota, at least one; None = no quota."""
    quota, _, period = _text(group / "cpu.max").partition(" ")  # "max 100000" or "150000 100000"
    if not (quota.isdigit() and period.isdigit()):
        quota = _text(group / "cpu/cpu.cfs_quota_us")  # cgroup v1
        period = _text(group / "cpu/cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return max(1, int(quota) // int(period))


def _memory(group: Path) -> int | None:
    """Bytes; None = no limit."""
    text = _text(group / "memory.max") or _text(group / "memory/memory.limit_in_bytes")
    return int(text) if text.isdigit() else None


def _gpus(devices: Path) -> int:
    return sum(1 for device in devices.glob("nvidia*") if re.fullmatch(r"nvidia\d+", device.name))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
