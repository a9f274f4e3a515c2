"""Command jobs, from ready to final: environment, slot, process, outcome, cancel."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lazulite.domain.errors import LazuliteError, NotFound
from lazulite.domain.job import JobError, JobStatus
from lazulite.engine.builds import Builds
from lazulite.engine.core import Core
from lazulite.engine.launcher import BUILD_LOG, Launcher
from lazulite.engine.live import LiveCommand, LiveJob
from lazulite.engine.outcome import Outcome, collect
from lazulite.engine.slots import Slots, Target
from lazulite.ports.compute import Alive, ComputeBackend, Launch, Lost, Sight, Unclaimed

LIMIT_AGE = 2.0  # seconds that a compute's slot limit is remembered
DEFAULT_COMPUTE = "local"


class Commands:
    """Drives command jobs. Runs in the engine's thread; what blocks goes to workers."""

    def __init__(
        self,
        core: Core,
        launcher: Launcher,
        backend: ComputeBackend,
        slots: Slots,
        *,
        grace: float,
    ) -> None:
        """`grace`: seconds between TERM and KILL."""
        self._core = core
        self._launcher = launcher
        self._backend = backend
        self._slots = slots
        self._grace = grace
        self._limits: dict[tuple[int, str], tuple[float, int | None]] = {}
        self.builds = Builds(core, launcher, self._built, self._build_failed)
        self.on_end: Callable[[LiveJob], None] = lambda _live: None

    # --- entering -----------------------------------------------------------------------------

    def admit(self, live: LiveCommand) -> dict[str, Any]:
        """Return the fields of a job that is ready: it starts, waits for a slot, or for a build."""
        now = self._core.now()
        if self._launcher.environments.ready(live.work.environment_key) is None:
            return {"status": JobStatus.PREPARING, "preparing": live.job.timeline.preparing or now}
        return self._place(live)

    def _place(self, live: LiveCommand) -> dict[str, Any]:
        now, want = self._core.now(), live.work.resources.instance_count
        target = self._target(live)
        if self._slots.take(live, target, want):
            attempt = live.job.attempt + 1
            return {
                "status": JobStatus.STARTING,
                "queued": now,
                "starting": now,
                "attempt": attempt,
            }
        self._slots.wait(live, target, want)
        return {"status": JobStatus.QUEUED, "queued": now}

    def act(self, live: LiveCommand) -> None:
        """Do what the status that `admit` chose asks for, once it is written."""
        if live.job.status is JobStatus.STARTING:
            self.start(live)
        elif live.job.status is JobStatus.PREPARING:
            self.builds.join(live)

    def enter(self, live: LiveCommand) -> None:
        """Admit a job that is stored already."""
        self._core.write(live, **self.admit(live))
        self._core.after(partial(self.act, live), live)

    def _target(self, live: LiveCommand) -> Target:
        workspace, name = live.job.workspace, live.job.compute or DEFAULT_COMPUTE
        known = self._limits.get((workspace, name))
        if known is None or known[0] < time.monotonic():
            try:
                found = self._core.services.store.read(lambda tx: tx.computes.get(workspace, name))
                limit = found.slots
            except NotFound:
                limit = None  # it was deleted since; the job runs on the machine's slots
            known = (time.monotonic() + LIMIT_AGE, limit)
            self._limits[workspace, name] = known
        return self._slots.target(workspace, name, known[1])

    def _built(self, waiting: list[LiveCommand]) -> None:
        for live in waiting:
            self._core.write(live, **self._place(live))
            self._core.after(partial(self.act, live), live)

    def _build_failed(self, waiting: list[LiveCommand], error: LazuliteError) -> None:
        for live in waiting:
            tail = error.facts.get("log_tail")
            failed = JobError(
                code="EnvironmentError",
                message=f"{error.message} (log: {BUILD_LOG})",
                log_tail=str(tail) if tail else None,
            )
            self.finish(live, JobStatus.FAILED, error=failed)

    # --- the process --------------------------------------------------------------------------

    def start(self, live: LiveCommand) -> None:
        """Launch the attempt that is recorded. Launching twice runs once."""
        core, backend, fence = self._core, self._backend, self._fence(live)

        def blocking() -> Launch:
            prefix = self._launcher.environments.ready(live.work.environment_key)
            if prefix is None:
                raise LazuliteError("its environment was removed while it was starting")
            launch = self._launcher.prepare(live, prefix, fence)
            backend.launch(launch)
            return launch

        core.work(live, blocking, lambda launch: self._running(live, launch))

    def _fence(self, live: LiveCommand) -> str:
        return f"{self._core.token[:16]}-{live.job.attempt}"

    def _running(self, live: LiveCommand, launch: Launch) -> None:
        live.launch = launch
        if live.canceled:
            self._stop(live)
        else:
            self._core.write(live, status=JobStatus.RUNNING, running=self._core.now())
        self._watch(live, launch)

    def _watch(self, live: LiveCommand, launch: Launch) -> None:
        core = self._core
        if live.work.timeout:
            started = live.job.timeline.running or core.now()
            left = live.work.timeout - (core.now() - started).total_seconds()
            core.at(max(0.0, left), lambda: self._time_out(live, launch), live)

        def on_exit() -> None:
            core.post(lambda: self._exited(live, launch), live)

        core.after(partial(self._backend.watch, launch, on_exit), live)

    def _exited(self, live: LiveCommand, launch: Launch, seen: Sight | None = None) -> None:
        if live.launch is not launch:
            return
        if live.job.outputs and not live.canceled:
            now = self._core.now()
            self._core.write(live, status=JobStatus.FINALIZING, finalizing=now)
        job, work = live.job, live.work

        def blocking() -> Outcome:
            sight = seen or self._backend.look(launch)
            return collect(self._launcher, job, work, launch, sight)

        self._core.work(live, blocking, lambda outcome: self._collected(live, outcome))

    def _collected(self, live: LiveCommand, outcome: Outcome) -> None:
        live.launch = None
        error = outcome.error
        if live.canceled:
            self.finish(live, JobStatus.CANCELED, exit_code=outcome.exit_code)
        elif live.timed_out:
            late = JobError(
                code="JobTimedOut",
                message=f"it ran longer than its limit of {live.work.timeout:g} seconds",
                log_tail=error.log_tail if error else None,
            )
            self.finish(live, JobStatus.FAILED, exit_code=outcome.exit_code, error=late)
        elif error is None:
            outputs = outcome.outputs
            self.finish(live, JobStatus.COMPLETED, exit_code=outcome.exit_code, outputs=outputs)
            self._tidy(live)
        elif live.job.attempt <= live.work.retries:
            self._slots.release(live)
            self.enter(live)
            self._admit_waiting()
        else:
            self.finish(live, JobStatus.FAILED, exit_code=outcome.exit_code, error=error)

    def _tidy(self, live: LiveCommand) -> None:
        folder = self._launcher.folder(live.job)
        self._core.work(live, lambda: shutil.rmtree(folder, ignore_errors=True), lambda _none: None)

    def finish(self, live: LiveCommand, status: JobStatus, **fields: Any) -> None:
        """End a job: give its slot to the next, tell its pipeline."""
        self._slots.release(live)
        self._core.write(live, status=status, ended=self._core.now(), **fields)
        if status is JobStatus.COMPLETED:
            self._core.register(live)
        self._core.live.pop(live.job.id, None)
        self.on_end(live)
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        for live in self._slots.admit():
            assert isinstance(live, LiveCommand)  # noqa: S101 - only commands hold slots
            attempt = live.job.attempt + 1
            now = self._core.now()
            self._core.write(live, status=JobStatus.STARTING, starting=now, attempt=attempt)
            self._core.after(partial(self.start, live), live)

    # --- stopping -----------------------------------------------------------------------------

    def cancel(self, live: LiveCommand) -> None:
        """Stop a job in whatever state it is; repeatable."""
        if live.canceled or live.job.is_final:
            return
        live.canceled = True
        if live.job.status in (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.FINALIZING):
            self._core.write(live, status=JobStatus.CANCEL_REQUESTED)
            self._stop(live)
            return
        self.builds.leave(live)
        self.finish(live, JobStatus.CANCELED)

    def _stop(self, live: LiveCommand) -> None:
        launch = live.launch
        if launch is not None:  # else it is being launched: `_running` stops it
            self._core.work(
                live,
                lambda: self._backend.stop(launch, grace=self._grace),
                lambda _none: None,
            )

    def _time_out(self, live: LiveCommand, launch: Launch) -> None:
        if live.launch is launch and not live.canceled:
            live.timed_out = True
            self._stop(live)

    def crash(self, live: LiveCommand, error: BaseException) -> None:
        """Fail a job whose handling raised."""
        if not live.job.is_final:
            code = "UserError" if isinstance(error, LazuliteError) else "SystemError"
            failed = JobError(code=code, message=str(error))
            self.finish(
                live, JobStatus.CANCELED if live.canceled else JobStatus.FAILED, error=failed
            )

    # --- after a restart ----------------------------------------------------------------------

    def adopt(self, live: LiveCommand) -> None:
        """Take over a job that an engine before this one was driving."""
        if live.job.attempt == 0 or live.job.status in (JobStatus.PREPARING, JobStatus.QUEUED):
            if live.canceled or live.job.status is JobStatus.CANCEL_REQUESTED:
                self.finish(live, JobStatus.CANCELED)
            else:
                self.enter(live)
            return
        self._slots.adopt(live, self._target(live), live.work.resources.instance_count)
        launch = self._launcher.outline(live.job, self._fence(live))
        look = self._backend.look
        self._core.work(live, lambda: look(launch), lambda sight: self._seen(live, launch, sight))

    def _seen(self, live: LiveCommand, launch: Launch, sight: Sight) -> None:
        if isinstance(sight, Unclaimed) and live.job.timeline.running:
            # it ran, and its record is gone (power cut): never run it twice
            sight = Lost(reason="the machine stopped before the record of its process was kept")
        if isinstance(sight, Unclaimed):
            if live.canceled:
                self.finish(live, JobStatus.CANCELED)
            elif self._launcher.environments.ready(live.work.environment_key) is None:
                self._slots.release(live)
                self.enter(live)
            else:
                self.start(live)
            return
        live.launch = launch
        if not isinstance(sight, Alive):
            self._exited(live, launch, sight)
            return
        if live.canceled:
            self._stop(live)
        elif live.job.status is not JobStatus.RUNNING:
            self._core.write(live, status=JobStatus.RUNNING, running=self._core.now())
        self._watch(live, launch)
