"""Where jobs run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lazulite.domain.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A process to run. Same `key` and `attempt` = same process: launched twice, run once."""

    key: str  # one job; also the name of its run folder's record
    attempt: int  # 1, 2, ...
    fence: str  # fencing token, written into the records
    command: str  # the user's shell text, run by bash -c (sh where there is no bash)
    cwd: Path
    env: dict[str, str]  # the whole environment of the process
    log: Path  # stdout and stderr are appended here
    records: Path  # folder for the shim's claim and result files


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclaimed:
    """No process ever took this attempt: it may be launched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """The process runs."""

    pid: int
    started: float  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The process ended and left its record."""

    exit_code: int  # 0..255; 128+n = signal n
    started: float
    ended: float  # seconds since the epoch
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """The attempt was claimed, but its process is gone and left no result."""

    reason: str
    started: float | None = None
    usage: Usage | None = None


Sight = Unclaimed | Alive | Ended | Lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a compute can hold."""

    cores: int
    memory: int  # bytes
    gpus: int = 0
    slots: int = field(default=1)  # jobs at once unless the compute target says otherwise


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuLoad:
    """What a job uses of one GPU."""

    index: int
    busy: float  # percent, of all that run on it
    memory: int  # bytes, of the job alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the processes of an attempt use."""

    cpu: float  # seconds since it began
    memory: int  # bytes, now
    processes: int  # now
    read: int | None = None  # bytes from disks since it began; None = not known
    written: int | None = None
    gpus: tuple[GpuLoad, ...] = ()


class ComputeBackend(Protocol):
    """Runs processes that outlive the server.

    `launch` is idempotent per (key, attempt), across restarts of the server. `watch` calls back
    once, from any thread, when the process is no longer alive (at once if it is not now). `stop`
    sends TERM to the whole group, KILL after `grace` seconds, and returns at once. None of them
    waits for the process. `measure` sees what attempts use, all in one pass; None for one that is
    not alive. `launch`, `look`, `stop`, `measure` may block for milliseconds: call in a thread.
    """

    def launch(self, launch: Launch) -> Sight: ...

    def look(self, launch: Launch) -> Sight: ...

    def watch(self, launch: Launch, on_exit: Callable[[], None]) -> None: ...

    def stop(self, launch: Launch, *, grace: float) -> None: ...

    def measure(self, launches: Sequence[Launch]) -> list[Load | None]: ...

    def capacity(self) -> Capacity: ...

    def close(self) -> None: ...
