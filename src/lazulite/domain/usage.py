"""Where a job's process ran and what it used. Records only; nothing is measured here."""

from __future__ import annotations

import msgspec

PREFIX = "system/"  # of metrics that tell of machines, not of models; MLflow's own have it too
OWN = f"{PREFIX}job/"  # of a job's own processes; what MLflow samples means the whole machine
CPU = f"{OWN}cpu_percentage"  # 100 = one core
MEMORY = f"{OWN}memory_megabytes"  # resident, of all its processes
PROCESSES = f"{OWN}processes"
READ = f"{OWN}disk_read_megabytes"  # since it began
WRITTEN = f"{OWN}disk_write_megabytes"


class Host(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A machine, as it was when a process started on it."""

    id: int = 0  # row id; 0 = not stored
    name: str = ""
    system: str = ""  # Linux 6.8.0, macOS 15.1
    machine: str = ""  # x86_64, arm64
    cpus: int = 0  # cores that jobs may use
    memory: int = 0  # bytes that jobs may use
    gpus: tuple[str, ...] = ()
    python: str = ""  # version in the job's environment
    server: str = ""  # version of Lazulite


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one attempt used from its beginning to its end; None = not known."""

    cpu: float | None = None  # seconds, of the process and all that it waited for
    wall: float | None = None  # seconds
    memory: int | None = None  # bytes: its largest process, or all of them if a sample saw more;
    # on Linux not known of a short job that took less than the server itself
    read: int | None = None  # bytes, from disks
    written: int | None = None  # bytes, to disks


def gpu_use(index: int) -> str:
    """Return the metric of how busy a GPU is that a job uses, in percent."""
    return f"{OWN}gpu_{index}_utilization_percentage"


def gpu_memory(index: int) -> str:
    """Return the metric of what a job has of a GPU's memory, in megabytes."""
    return f"{OWN}gpu_{index}_memory_megabytes"
