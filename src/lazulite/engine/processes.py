"""The processes of command jobs: launched, watched, stopped, looked at when they end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from weakref import ref

from lazulite.domain.errors import LazuliteError, Unavailable
from lazulite.domain.job import JobError, JobStatus
from lazulite.domain.usage import Host
from lazulite.engine.core import Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.live import LiveCommand
from lazulite.engine.outcome import Outcome, collect
from lazulite.engine.usage import Hosts
from lazulite.ports.compute import ComputeBackend, Launch, Sight

STOP_AGAIN = 1.0  # seconds until a process that could not be stopped is stopped again


class Processes:
    """Runs in the engine's thread; what blocks goes to workers."""

    def __init__(
        self,
        core: Core,
        launcher: Launcher,
        backend: ComputeBackend,
        *,
        grace: float,
        ended: Callable[[LiveCommand, Outcome], None],
        never: Callable[[LiveCommand], None],
    ) -> None:
        """Drive no process yet.

        Args:
            core: the engine's inbox and turns.
            launcher: makes what a process needs.
            backend: runs processes.
            grace: seconds between TERM and KILL.
            ended: gets what a process left.
            never: gets a job that was canceled before it had a process.
        """
        self._core = core
        self._launcher = launcher
        self._backend = backend
        self._grace = grace
        self._ended = ended
        self._never = never
        self._hosts = Hosts(core)

    def start(self, live: LiveCommand) -> None:
        """Launch the attempt that is recorded. Launching twice runs once."""
        if live.canceled:  # since it was recorded; it has no process
            self._never(live)
            return
        core, backend, fence = self._core, self._backend, self.fence(live)

        def blocking() -> tuple[Launch, Host | None]:
            prefix = self._launcher.environments.ready(live.work.environment_key)
            if prefix is None:
                raise LazuliteError("its environment was removed while it was starting")
            launch = self._launcher.prepare(live, prefix, fence)
            backend.launch(launch)
            return launch, self._hosts.of(prefix.python)

        core.work(live, blocking, lambda made: self._running(live, *made))

    def fence(self, live: LiveCommand) -> str:
        """Return the fencing token of a job's attempt."""
        return f"{self._core.token[:16]}-{live.job.attempt}"

    def _running(self, live: LiveCommand, launch: Launch, host: Host | None) -> None:
        live.launch = launch
        if live.job.is_final or live.canceled:
            self.stop(live)
        else:
            now = self._core.now()
            self._core.write_soon(live, status=JobStatus.RUNNING, running=now, host=host)
        self.watch(live, launch)

    def watch(self, live: LiveCommand, launch: Launch) -> None:
        """Hear of the end of a process, and of its time limit."""
        core = self._core
        if live.work.timeout:
            started = live.job.timeline.running or core.now()
            left = live.work.timeout - (core.now() - started).total_seconds()
            core.at(max(0.0, left), partial(self._time_out, ref(live), launch))

        def on_exit() -> None:
            core.post(lambda: self.exited(live, launch), live)

        core.after(partial(self._backend.watch, launch, on_exit), live)
        core.on_process(live)

    def exited(self, live: LiveCommand, launch: Launch, seen: Sight | None = None) -> None:
        """Look at what a process left, once it is not alive."""
        if live.launch is not launch:
            return
        live.launch = None
        if live.job.is_final:
            return
        if live.job.outputs and not live.canceled:
            now = self._core.now()
            self._core.write_soon(live, status=JobStatus.FINALIZING, finalizing=now)
        job, work = live.job, live.work

        def blocking() -> Outcome:
            sight = seen or self._backend.look(launch)
            outcome = collect(self._launcher, job, work, launch, sight)
            return self._checked(live, outcome)

        self._core.work(live, blocking, lambda outcome: self._ended(live, outcome))

    def _checked(self, live: LiveCommand, outcome: Outcome) -> Outcome:
        """Fail a success whose outputs name a data asset that is something else."""
        if outcome.error is not None:
            return outcome
        try:
            problem = self._core.clash(live, outcome.outputs)
        except Unavailable:
            return outcome  # the write, which waits for the database, decides
        error = JobError(code="UserError", message=problem) if problem else None
        return replace(outcome, error=error)

    def stop(self, live: LiveCommand) -> None:
        """End the process of a job, if it has one."""
        launch = live.launch
        if launch is None:
            return  # it is being launched: `_running` stops it; or it has ended

        def blocking() -> bool:
            try:
                self._backend.stop(launch, grace=self._grace)
            except Unavailable:
                return False
            return True

        def again(done: bool) -> None:  # noqa: FBT001 - a result, not a switch
            if not done and live.launch is launch:
                self._core.at(STOP_AGAIN, partial(self.stop, live), live)

        self._core.work(live, blocking, again)

    def _time_out(self, which: ref[LiveCommand], launch: Launch) -> None:
        live = which()
        if live is not None and live.launch is launch and not live.canceled:
            live.timed_out = True
            self.stop(live)
