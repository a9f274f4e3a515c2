"""The compute of this machine: a job is a process group, with a shim that records its end.

It decides nothing about jobs: which runs where, how often and in which environment
is the engine's.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from lazulite.compute.capacity import find_capacity
from lazulite.compute.record import (
    Header,
    Record,
    boot_token,
    open_record,
    open_to_append,
    read_record,
    record_path,
    try_lock,
    write_header,
)
from lazulite.compute.usage import measure
from lazulite.compute.watch import Watcher
from lazulite.domain.errors import InvalidInput, LazuliteError, TooLarge, Unavailable
from lazulite.ports.compute import Alive, Capacity, Ended, Launch, Load, Lost, Sight, Unclaimed

SHIM = str(Path(__file__).with_name("shim.sh"))
STARTING = 1.0  # seconds that a locked record may stay unclaimed: the shim needs about one ms
BEGUN = 0.05  # seconds after its launch by which an attempt has begun its command
RETRY = 0.001  # seconds between two looks at such a record

# Means the same to every shell, and to none: `python train.py --data=/a/b --epochs 3`.
_PLAIN_COMMAND = re.compile(r"\s*(?:[\w./-]*/)?python[\d.]*(?:[ \t]+[\w./:,@%+=-]+)*\s*")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_MENDS = {
    errno.EACCES: "check its owner and mode",
    errno.EPERM: "check its owner and mode",
    errno.EROFS: "LAZULITE_HOME must be writable",
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space in your quota",
    errno.EAGAIN: "wait until other processes end, or raise the limit of processes (ulimit -u)",
    errno.ENOMEM: "wait until other processes end, or lower the slots",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "wait until other processes end",
}
_LIMITS = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)  # of no file


class LocalCompute:
    """Runs jobs as processes of this machine; see the port for what each method promises."""

    def __init__(self) -> None:
        """Run nothing yet; no thread is started before the first job."""
        self._watcher = Watcher()

    def launch(self, launch: Launch) -> Sight:
        """Start the process, unless this attempt was started before.

        Raises:
            InvalidInput: the working directory does not exist, or the command cannot be passed on.
            TooLarge: the command with its environment is longer than the system allows.
            Unavailable: no process can be started now, or a file cannot be written.
        """
        give_up = time.monotonic() + STARTING
        try:
            while time.monotonic() < give_up:
                sight = self._try_launch(launch)
                if sight:
                    return sight
                time.sleep(RETRY)  # another holds the lock: it is launching, or only looking
        except OSError as error:
            raise _explain(launch, error) from error
        return self.look(launch)

    def look(self, launch: Launch) -> Sight:
        """See how the attempt is. Kills what a killed shim left behind."""
        give_up = time.monotonic() + STARTING
        while True:
            try:
                fd = os.open(record_path(launch), os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return Unclaimed()
            try:
                record = read_record(fd, launch)
                if record.exit_code is None and try_lock(fd, launch, shared=True):
                    # it may have ended between the two; the lock keeps the record as it is now
                    return _at_rest(launch, read_record(fd, launch))
            finally:
                os.close(fd)
            if record.exit_code is not None:
                return _at_rest(launch, record)
            if record.pid is not None or time.monotonic() > give_up:
                return Alive(pid=record.pid or 0, started=_started(record))
            time.sleep(RETRY)

    def watch(self, launch: Launch, on_exit: Callable[[], None]) -> None:
        """Call `on_exit` from a thread of ours when the attempt is not alive (any more)."""
        self._watcher.attend(launch, on_exit=on_exit)

    def stop(self, launch: Launch, *, grace: float) -> None:
        """End the process group: TERM now, KILL after `grace` seconds.

        Raises:
            Unavailable: the process has been starting for a second and is not known yet.
        """
        sight = self.look(launch)
        if not isinstance(sight, Alive):
            return
        if not sight.pid:
            raise Unavailable(f"job {launch.key}: it is still starting; stop it again in a moment")
        # a TERM that comes just when the shim forks would not reach the command
        time.sleep(max(0.0, min(BEGUN, sight.started + BEGUN - time.time())))
        self._watcher.stop(launch, sight.pid, grace=grace)

    def measure(self, launches: Sequence[Launch]) -> list[Load | None]:
        """See what attempts use, all in one pass."""
        return measure(launches)

    def capacity(self) -> Capacity:
        """What this machine has."""
        return find_capacity()

    def close(self) -> None:
        """Call back no more; the jobs run on."""
        self._watcher.close()

    def _try_launch(self, launch: Launch) -> Sight | None:
        """Launch under the record's lock; None while another holds it and has not claimed."""
        fd = open_record(launch)
        try:
            is_ours = try_lock(fd, launch, shared=False)
            record = read_record(fd, launch)
            if record.pid is None and not is_ours:
                return None
            if record.pid is None:
                return self._start(launch, fd)
        finally:
            os.close(fd)
        return self.look(launch)

    def _start(self, launch: Launch, record: int) -> Alive:
        now = time.time()
        header = Header(
            key=launch.key,
            attempt=launch.attempt,
            fence=launch.fence,
            boot=boot_token(),
            launched=now,
        )
        log = open_to_append(launch.log, os.O_WRONLY)
        try:
            write_header(record, header)
            self._watcher.attend(launch)  # first: what cannot be watched must not run
            pid = _spawn(launch, record, log)
            self._watcher.attend(launch, child=pid)
        finally:
            os.close(log)
        return Alive(pid=pid, started=now)


def _spawn(launch: Launch, record: int, log: int) -> int:
    """Start the shim in a session of its own; `record` becomes its standard input."""
    shell = _bash() or "/bin/sh"
    # dash drops variables such as `a.b`; bash, called sh, is the same shim and keeps them
    is_plain = all(map(_IDENTIFIER.fullmatch, launch.env))
    if is_plain and _PLAIN_COMMAND.fullmatch(launch.command) and "BASH_ENV" not in launch.env:
        words = launch.command.split()  # needs no bash, which saves a millisecond
    else:
        words = [shell, "-c", launch.command]
    try:
        child = subprocess.Popen(  # noqa: S603 - running what the user wrote is its purpose
            ["/bin/sh", SHIM, *words],
            executable="/bin/sh" if is_plain else shell,
            stdin=record,
            stdout=log,
            stderr=log,
            cwd=launch.cwd,
            env=launch.env,
            start_new_session=True,
        )
    except ValueError as error:  # a NUL, or `=` in a name
        raise InvalidInput(
            f"job {launch.key}: its command or environment cannot be given to a process: {error}",
            path="command",
        ) from error
    child.returncode = 0  # the watcher reaps it: Popen must neither wait for it nor warn
    return child.pid


@cache
def _bash() -> str | None:
    return "/bin/bash" if Path("/bin/bash").exists() else shutil.which("bash")


def _at_rest(launch: Launch, record: Record) -> Sight:
    """Say what a record means that no process holds."""
    started = _started(record)
    if record.exit_code is not None:
        # the file system's clock is some ms behind
        return Ended(
            exit_code=record.exit_code,
            started=started,
            ended=max(started, record.modified),
            usage=record.usage,
        )
    if record.pid is None or record.header is None:
        return Unclaimed()
    if record.header.boot != boot_token():
        reason = "the machine, or the container it ran in, was restarted"
        return Lost(reason=reason, started=started, usage=record.usage)
    from lazulite.compute.session import kill_orphans

    reason = "it was killed (kill -9, or the system ran out of memory) before it recorded its end"
    done = kill_orphans(record.pid, launch)
    reason = f"{reason}; {done}" if done else reason
    return Lost(reason=reason, started=started, usage=record.usage)


def _started(record: Record) -> float:
    return record.header.launched if record.header else record.modified


def _explain(launch: Launch, error: OSError) -> LazuliteError:
    if error.errno == errno.E2BIG:
        return TooLarge(
            f"job {launch.key}: its command ({len(launch.command)} characters) and environment are "
            "longer than the system allows; put the command into a script of its code",
            path="command",
        )
    if not launch.cwd.is_dir():
        return InvalidInput(
            f"job {launch.key}: its working directory {launch.cwd} does not exist", path="cwd"
        )
    mend = _MENDS.get(error.errno or 0, "mend that and submit it again")
    where = "" if error.errno in _LIMITS else f" ({error.filename or launch.records})"
    return Unavailable(f"job {launch.key}: it cannot be started: {error.strerror}{where}; {mend}")
