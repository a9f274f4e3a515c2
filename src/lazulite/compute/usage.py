"""What the processes of running jobs use: one pass over the system for all of them.

A job's processes are those of the session that its shim began. On Linux two small files a process
say everything; elsewhere psutil does. What a process waited for is counted in it, so that the sums
grow while processes come and go.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from lazulite.compute.gpus import find_gpus
from lazulite.compute.record import read_record, record_path
from lazulite.domain.usage import Usage
from lazulite.ports.compute import Launch, Load

_TICKS = os.sysconf("SC_CLK_TCK")  # of CPU time, a second
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BLOCK = 512  # bytes
_NOBODY = -1  # no process has this id, and no session (0 would be those of the kernel)


def usage_of(used: resource.struct_rusage) -> Usage:
    """Return what the system says a process used that was waited for, with all it waited for."""
    is_linux = sys.platform == "linux"
    # Linux counts what a process had before it became another program: the shim was a copy of us
    inherited = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if is_linux else 0
    peak = used.ru_maxrss * (1024 if is_linux else 1)
    return Usage(
        cpu=round(used.ru_utime + used.ru_stime, 4),
        memory=peak if used.ru_maxrss > inherited else None,
        read=used.ru_inblock * _BLOCK if is_linux else None,  # elsewhere it counts operations
        written=used.ru_oublock * _BLOCK if is_linux else None,
    )


class Process(NamedTuple):
    """One process, and what it waited for."""

    cpu: float  # seconds
    memory: int  # bytes
    read: int | None = None  # bytes, from disks
    written: int | None = None


def measure(launches: Sequence[Launch]) -> list[Load | None]:
    """Measure attempts; None for one that has no process."""
    found = sessions([_leader(launch) for launch in launches])
    loads = [_sum(_look(pids)) for pids in found]
    gpus = find_gpus()
    if gpus is None:
        return loads
    used = gpus.loads(found)
    return [load and replace(load, gpus=own) for load, own in zip(loads, used, strict=True)]


def sessions(leaders: Sequence[int]) -> list[list[int]]:
    """Return the processes of each session, given by the process that began it."""
    found: dict[int, list[int]] = {leader: [] for leader in leaders}
    for pid in _pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            session = found.get(os.getsid(pid))
            if session is not None:
                session.append(pid)
    return [found[leader] for leader in leaders]


def _leader(launch: Launch) -> int:
    """Return the process that began the session of an attempt, if one did."""
    try:
        fd = os.open(record_path(launch), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return _NOBODY
    try:
        return read_record(fd, launch).pid or _NOBODY
    finally:
        os.close(fd)


def _look(pids: Iterable[int]) -> list[Process]:
    """Look at processes; those that are gone are left out."""
    return [process for pid in pids if (process := read_process(pid)) is not None]


def _sum(processes: list[Process]) -> Load | None:
    if not processes:
        return None
    return Load(
        cpu=sum(one.cpu for one in processes),
        memory=sum(one.memory for one in processes),
        processes=len(processes),
        read=_total(one.read for one in processes),
        written=_total(one.written for one in processes),
    )


def _total(parts: Iterable[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _linux_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - quicker


def _linux(pid: int) -> Process | None:
    try:
        stat = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()  # from the third on: a name may hold anything
    cpu = sum(map(int, fields[11:15])) / _TICKS  # utime, stime, cutime, cstime
    read, written = _linux_disk(pid)
    return Process(cpu, int(fields[21]) * _PAGE, read, written)


def _linux_disk(pid: int) -> tuple[int | None, int | None]:
    try:
        lines = _read(f"/proc/{pid}/io").split()  # name: value ...
    except OSError:  # a process of another user
        return None, None
    known = dict(zip(lines[::2], lines[1::2], strict=False))
    return int(known[b"read_bytes:"]), int(known[b"write_bytes:"])


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def _other_pids() -> list[int]:
    import psutil

    return psutil.pids()


def _other(pid: int) -> Process | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            times = process.cpu_times()
            cpu = times.user + times.system + times.children_user + times.children_system
            return Process(cpu, process.memory_info().rss)
    except (psutil.Error, OSError):
        return None


_pids: Callable[[], list[int]] = _linux_pids if sys.platform == "linux" else _other_pids
read_process: Callable[[int], Process | None] = _linux if sys.platform == "linux" else _other
