"""Command jobs, from ready to final: environment, slot, process, outcome, cancel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lazulite.domain.errors import LazuliteError
from lazulite.domain.job import JobError, JobStatus
from lazulite.engine.admission import Admission
from lazulite.engine.builds import Builds
from lazulite.engine.core import Core
from lazulite.engine.launcher import BUILD_LOG, Launcher
from lazulite.engine.live import LiveCommand, LiveJob
from lazulite.engine.outcome import Outcome, failure_of
from lazulite.engine.processes import Processes
from lazulite.engine.slots import Slots
from lazulite.engine.tidy import Tidy
from lazulite.engine.usage import usage_of
from lazulite.ports.compute import Alive, ComputeBackend, Launch, Lost, Sight, Unclaimed


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
        self._admission = Admission(core, slots)
        self._processes = Processes(
            core,
            launcher,
            backend,
            grace=grace,
            ended=self._collected,
            never=lambda live: self.finish(live, JobStatus.CANCELED),
        )
        self.reserve, self.forget = self._admission.reserve, self._admission.forget
        self._tidy = Tidy(core, is_idle=lambda: slots.used == 0)
        self.builds = Builds(core, launcher, self._built, self._build_failed)
        self.on_end: Callable[[LiveJob], None] = lambda _live: None

    # --- entering -----------------------------------------------------------------------------

    def admit(self, live: LiveCommand) -> dict[str, Any]:
        """Return the fields of a job that is ready: it starts, waits for a slot, or for a build."""
        now = self._core.now()
        if self._launcher.environments.ready(live.work.environment_key) is None:
            return {"status": JobStatus.PREPARING, "preparing": live.job.timeline.preparing or now}
        return self._admission.place(live)

    def act(self, live: LiveCommand) -> None:
        """Do what the status that `admit` chose asks for, once it is written."""
        if live.job.status in (JobStatus.STARTING, JobStatus.CANCEL_REQUESTED):
            self._processes.start(live)
        elif live.job.status is JobStatus.PREPARING:
            self.builds.join(live)

    def enter(self, live: LiveCommand) -> None:
        """Admit a job that is stored already."""
        self._core.write(live, **self.admit(live))
        self._core.after(partial(self.act, live), live)

    def _built(self, waiting: list[LiveCommand]) -> None:
        for live in waiting:
            self._core.guard(partial(self._go_on, live), live)

    def _go_on(self, live: LiveCommand) -> None:
        self._core.write(live, **self._admission.place(live))
        self._core.after(partial(self.act, live), live)

    def _build_failed(self, waiting: list[LiveCommand], error: LazuliteError) -> None:
        for live in waiting:
            tail = error.facts.get("log_tail")
            failed = JobError(
                code="EnvironmentError",
                message=f"{error.message} (log: {BUILD_LOG})",
                log_tail=str(tail) if tail else None,
            )
            self._core.guard(partial(self.finish, live, JobStatus.FAILED, error=failed), live)

    # --- the process --------------------------------------------------------------------------

    def _collected(self, live: LiveCommand, outcome: Outcome) -> None:
        error = outcome.error
        if (usage := usage_of(live, outcome.sight)) is not None:
            self._core.write(live, usage=usage)
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
            folder = self._launcher.folder(live.job)
            self._core.after(partial(self._tidy.add, folder, live), live)
        elif live.job.attempt <= live.work.retries:
            self._admission.release(live)
            self.enter(live)
            self._admit_waiting()
        else:
            self.finish(live, JobStatus.FAILED, exit_code=outcome.exit_code, error=error)

    def finish(self, live: LiveCommand, status: JobStatus, **fields: Any) -> None:
        """End a job: give its slot to the next, tell its pipeline. Harmless when it has ended."""
        if live.job.is_final:
            return
        self._admission.release(live)
        live.change({"waits_for": None})
        self._core.write(live, status=status, ended=self._core.now(), **fields)
        if status is JobStatus.COMPLETED:
            self._core.register(live)
        self._core.live.pop(live.job.id, None)
        self.on_end(live)
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        for live in self._admission.next():
            self._core.write(live, **self._admission.attempt(live))
            self._core.after(partial(self._processes.start, live), live)

    # --- stopping -----------------------------------------------------------------------------

    def cancel(self, live: LiveCommand) -> None:
        """Stop a job in whatever state it is; repeatable."""
        if live.canceled or live.job.is_final:
            return
        live.canceled = True
        if live.job.status in (JobStatus.STARTING, JobStatus.RUNNING, JobStatus.FINALIZING):
            self._core.write(live, status=JobStatus.CANCEL_REQUESTED)
            self._processes.stop(live)
            return
        self.builds.leave(live)
        self.finish(live, JobStatus.CANCELED)

    def crash(self, live: LiveCommand, error: BaseException) -> None:
        """Fail a job whose handling raised."""
        if live.job.is_final:
            return
        self.builds.leave(live)
        self._processes.stop(live)
        status = JobStatus.CANCELED if live.canceled else JobStatus.FAILED
        self.finish(live, status, error=failure_of(error))

    def drop(self, live: LiveJob) -> None:
        """Forget a job that another engine drives now, or that cannot be stored."""
        if isinstance(live, LiveCommand):
            self.builds.leave(live)
            self._admission.release(live)
            self._core.post(self._admit_waiting)

    # --- after a restart ----------------------------------------------------------------------

    def adopt(self, live: LiveCommand) -> None:
        """Take over a job that an engine before this one was driving."""
        self._admission.forget(live.job.id)  # what `reserve` kept
        if live.job.attempt == 0 or live.job.status in (JobStatus.PREPARING, JobStatus.QUEUED):
            if live.canceled or live.job.status is JobStatus.CANCEL_REQUESTED:
                self.finish(live, JobStatus.CANCELED)
            else:
                self.enter(live)
            return
        self._admission.adopt(live)
        launch = self._launcher.outline(live.job, self._processes.fence(live))
        look = self._backend.look
        self._core.work(live, lambda: look(launch), lambda sight: self._seen(live, launch, sight))

    def _believed(self, live: LiveCommand, sight: Sight) -> Sight:
        """Return what was seen, unless nothing was seen of an attempt that may have run."""
        if not isinstance(sight, Unclaimed):
            return sight
        if live.job.id in self._core.foreign:
            return Lost(reason="the server that ran it, on another machine, fell silent")
        if live.job.timeline.running:  # its record is gone (power cut): never run it twice
            return Lost(reason="the machine stopped before the record of its process was kept")
        return sight

    def _seen(self, live: LiveCommand, launch: Launch, sight: Sight) -> None:
        sight = self._believed(live, sight)
        if isinstance(sight, Unclaimed):
            if live.canceled:
                self.finish(live, JobStatus.CANCELED)
            elif self._launcher.environments.ready(live.work.environment_key) is None:
                self._admission.release(live)
                self.enter(live)
            else:
                self._processes.start(live)
            return
        live.launch = launch
        if not isinstance(sight, Alive):
            self._processes.exited(live, launch, sight)
            return
        if live.canceled:
            self._processes.stop(live)
        elif live.job.status is not JobStatus.RUNNING:
            self._core.write(live, status=JobStatus.RUNNING, running=self._core.now())
        self._processes.watch(live, launch)
