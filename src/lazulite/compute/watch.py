"""Waits for attempts to end: one blocked thread per running attempt. It starts no process.

The thread blocks on the lock that the shim holds (see `record`), so it needs no pid, costs nothing
while the job runs, serves adopted jobs as its own, and is the same on every system.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lazulite.compute.record import record_path, wait_for_end, write_exit, write_usage
from lazulite.compute.usage import usage_of
from lazulite.domain.errors import Unavailable
from lazulite.ports.compute import Launch

KILLED = 128 + 9

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class _Attempt:
    launch: Launch
    child: int | None  # pid to reap, when this process launched it
    calls: list[Callable[[], None]] = field(default_factory=list)
    stopping: int | None = None  # leader of the session that `stop` was asked to end
    killed: bool = False
    timer: threading.Timer | None = None


class Watcher:
    """The attempts that are waited for. All methods may be called from any thread."""

    def __init__(self) -> None:
        """Wait for nothing yet."""
        self._lock = threading.Lock()
        self._attempts: dict[Path, _Attempt] = {}
        self._work: queue.SimpleQueue[_Attempt | None] = queue.SimpleQueue()  # None = leave
        self._idle = 0  # threads that wait for work, less the work that waits for them
        self._closed = False

    def attend(
        self,
        launch: Launch,
        *,
        child: int | None = None,
        on_exit: Callable[[], None] | None = None,
    ) -> None:
        """Wait for the end of an attempt, then reap `child` and call `on_exit` once.

        Raises:
            Unavailable: no thread can be started.
        """
        path = record_path(launch)
        with self._lock:
            attempt = self._attempts.get(path)
            is_new = attempt is None
            if attempt is None:
                attempt = self._attempts[path] = _Attempt(launch=launch, child=child)
            attempt.child = attempt.child or child
            if on_exit:
                attempt.calls.append(on_exit)
            if is_new:
                self._hand_out(path, attempt)

    def stop(self, launch: Launch, leader: int, *, grace: float) -> None:
        """Send TERM to the group of `leader`; kill its session unless gone in `grace` seconds."""
        from lazulite.compute.session import signal_group

        self.attend(launch)
        with self._lock:
            attempt = self._attempts.get(record_path(launch))
            if attempt is None:
                return
            signal_group(leader, signal.SIGTERM)
            attempt.stopping = leader
            if attempt.timer is None:
                attempt.timer = threading.Timer(grace, self._kill, (attempt, leader))
                attempt.timer.daemon = True
                attempt.timer.start()

    def close(self) -> None:
        """Call back no more. The attempts run on; their threads end with them."""
        with self._lock:
            self._closed = True
            for attempt in self._attempts.values():
                if attempt.timer:
                    attempt.timer.cancel()
            for _ in range(self._idle):
                self._work.put(None)
            self._idle = 0

    def _hand_out(self, path: Path, attempt: _Attempt) -> None:
        if self._idle:
            self._idle -= 1
            self._work.put(attempt)
            return
        try:
            threading.Thread(
                target=self._serve, args=(attempt,), name="lazulite-watch", daemon=True
            ).start()
        except RuntimeError as error:
            del self._attempts[path]
            raise Unavailable(
                f"job {attempt.launch.key}: no thread can be started to watch it; "
                "raise the limit of processes (ulimit -u) or lower the slots"
            ) from error

    def _serve(self, first: _Attempt) -> None:
        """Wait for one attempt after the other."""
        attempt: _Attempt | None = first
        while attempt:
            self._wait(attempt)
            with self._lock:
                if self._closed:
                    return
                self._idle += 1
            attempt = self._work.get()

    def _wait(self, attempt: _Attempt) -> None:
        wait_for_end(attempt.launch)
        self._clean_up(attempt)
        with self._lock:
            del self._attempts[record_path(attempt.launch)]
            calls = () if self._closed else tuple(attempt.calls)
        for call in calls:
            try:
                call()
            except RuntimeError:  # the event loop that the call was for is closed
                log.warning("job %s ended, and no one listens", attempt.launch.key, exc_info=True)

    def _clean_up(self, attempt: _Attempt) -> None:
        if attempt.timer:
            attempt.timer.cancel()
        if attempt.stopping:
            from lazulite.compute.session import kill_session

            kill_session(attempt.stopping)  # before reaping: until then no one gets its pid
        if attempt.child:
            self._reap(attempt.launch, attempt.child)
        if attempt.killed:
            with contextlib.suppress(OSError):  # its folder is gone: no one will look
                write_exit(attempt.launch, KILLED)

    @staticmethod
    def _reap(launch: Launch, child: int) -> None:
        """Take a process that ended off the system's list; keep what it used."""
        try:
            _, _, used = os.wait4(child, 0)
        except ChildProcessError:
            return
        with contextlib.suppress(OSError):  # a full disk: a job does not fail for want of it
            write_usage(launch, usage_of(used))

    def _kill(self, attempt: _Attempt, leader: int) -> None:
        from lazulite.compute.session import kill_session

        with self._lock:
            if self._closed or self._attempts.get(record_path(attempt.launch)) is not attempt:
                return
            attempt.killed = True
        kill_session(leader)
