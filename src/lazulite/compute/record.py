"""The record of one attempt: who took it, whether it lives, how it ended. It starts no process.

`attempt-N.record` holds a JSON header written by the server, then `claim PID`, `exit CODE` and two
lines of CPU times written by the shim, and `usage JSON` by the server if it was there at the end. A
line without its newline was cut short and does not count. The shim holds an exclusive `flock` on
the file while it lives; docs/adr/0002 says why.
"""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec

from lazulite.domain.errors import Conflict, Unavailable
from lazulite.domain.usage import Usage
from lazulite.ports.compute import Launch

READ = 8192  # bytes; a record has a few short lines

_TIMES = re.compile(rb"\d+m[\d.]+s \d+m[\d.]+s")


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the server knew when it launched the attempt."""

    key: str
    attempt: int
    fence: str
    boot: str  # which boot and pid namespace the claimed pid belongs to
    launched: float  # seconds since the epoch


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the file says. `pid` without `exit_code` = claimed, and not known to have ended."""

    header: Header | None = None
    pid: int | None = None
    exit_code: int | None = None
    usage: Usage | None = None
    modified: float = 0.0  # seconds since the epoch; the time of the end once there is an exit code


@cache
def boot_token() -> str:
    """Name this boot and pid namespace: a pid means the same process only within one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except FileNotFoundError:  # macOS
        import psutil

        return f"{psutil.boot_time():.0f}"


def record_path(launch: Launch) -> Path:
    """Where the record of this attempt is."""
    return launch.records / f"attempt-{launch.attempt}.record"


def read_record(fd: int, launch: Launch) -> Record:
    """Read the record from an open file.

    Raises:
        Conflict: it is the record of another job.
    """
    modified = os.fstat(fd).st_mtime
    whole, newline, _ = os.pread(fd, READ, 0).rpartition(b"\n")
    if not newline:
        return Record(modified=modified)
    first, *lines = whole.split(b"\n")
    try:
        header = msgspec.json.decode(first, type=Header)
    except msgspec.DecodeError:
        return Record(modified=modified)
    if header.key != launch.key:
        raise Conflict(
            f"job {launch.key}: {record_path(launch)} is the record of job {header.key}; "
            "give each job a records folder of its own",
            path="records",
        )
    pid = exit_code = usage = None
    for line in lines:
        word, _, number = line.partition(b" ")
        if number.isdigit() and word == b"claim":
            pid = int(number)
        elif number.isdigit() and word == b"exit":
            exit_code = int(number)
        elif word == b"usage":
            usage = msgspec.json.decode(number, type=Usage)
    usage = usage or _times(lines)
    return Record(header=header, pid=pid, exit_code=exit_code, usage=usage, modified=modified)


def _times(lines: list[bytes]) -> Usage | None:
    """Read what the shell's `times` said: two lines, of itself and of what it waited for."""
    found = [part for line in lines if _TIMES.fullmatch(line) for part in line.split()]
    if not found:
        return None
    parts = (part.rstrip(b"s").partition(b"m") for part in found)
    return Usage(cpu=round(sum(int(m) * 60 + float(s) for m, _, s in parts), 3))


def open_record(launch: Launch) -> int:
    """Open the record for a launch, with its folder made if need be; the caller closes it."""
    return open_to_append(record_path(launch), os.O_RDWR)


def open_to_append(path: Path, access: int) -> int:
    """Open a file whose folder may not be there yet; made 0644, closed in what is started."""
    flags = access | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, 0o644)


def write_header(fd: int, header: Header) -> None:
    """Begin the record anew. The caller holds its lock, and no one has claimed it."""
    if os.fstat(fd).st_size:  # a launch that was cut short
        os.ftruncate(fd, 0)
    os.write(fd, msgspec.json.encode(header) + b"\n")


def write_exit(launch: Launch, exit_code: int) -> None:
    """Write the end in the place of a shim that was killed, unless it managed to itself."""
    fd = os.open(record_path(launch), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    try:
        if try_lock(fd, launch, shared=False) and read_record(fd, launch).exit_code is None:
            os.write(fd, f"\nexit {exit_code}\n".encode())  # the first \n ends a line cut short
    finally:
        os.close(fd)


def write_usage(launch: Launch, usage: Usage) -> None:
    """Keep what an attempt used, and the time of its end as it is. It ended; nobody else writes."""
    try:
        fd = os.open(record_path(launch), os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:  # its folder is gone: no one will look
        return
    try:
        at = os.fstat(fd)
        os.write(fd, b"\nusage %b\n" % msgspec.json.encode(usage))
        os.utime(fd, ns=(at.st_atime_ns, at.st_mtime_ns))
    finally:
        os.close(fd)


def wait_for_end(launch: Launch) -> None:
    """Block until no process holds the lock; at once when there is no record."""
    try:
        fd = os.open(record_path(launch), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)


def try_lock(fd: int, launch: Launch, *, shared: bool) -> bool:
    """Take the lock if no one holds it; closing `fd` lets it go.

    Raises:
        Unavailable: the file system has no locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise Unavailable(
            f"job {launch.key}: {record_path(launch)} cannot be locked ({error.strerror}); "
            "keep LAZULITE_HOME on a file system with flock"
        ) from error
    return True
