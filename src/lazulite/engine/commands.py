"""Command jobs, from ready to final: environment, slot, process, outcome, cancel."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any
from weakref import ref

from lazulite.domain.errors import LazuliteError, NotFound, Unavailable
from lazulite.domain.job import CommandDef, Job, JobError, JobStatus
from lazulite.engine.builds import Builds
from lazulite.engine.core import Core
from lazulite.engine.launcher import BUILD_LOG, Launcher
from lazulite.engine.live import LiveCommand, LiveJob
from lazulite.engine.outcome import Outcome, collect, failure_of
from lazulite.engine.slots import Slots, Target
from lazulite.ports.compute import Alive, ComputeBackend, Launch, Lost, Sight, Unclaimed

LIMIT_AGE = 2.0  # seconds that a compute's slot limit is remembered
STOP_AGAIN = 1.0  # seconds until a process that could not be stopped is stopped again
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
        live.change({"waits_for": None})
        now, want = self._core.now(), live.work.resources.instance_count
        target = self._target(live)
        if self._slots.take(live, target, want):
            return {"queued": now, **self._attempt(live)}
        self._slots.wait(live, target, want)
        return {"status": JobStatus.QUEUED, "queued": now}

    def _attempt(self, live: LiveCommand) -> dict[str, Any]:
        """Return the fields that record the next attempt; what the last one left is taken back."""
        again = {"running": None, "finalizing": None} if live.job.attempt else {}
        attempt = live.job.attempt + 1
        now = self._core.now()
        return {"status": JobStatus.STARTING, "starting": now, "attempt": attempt, **again}

    def act(self, live: LiveCommand) -> None:
        """Do what the status that `admit` chose asks for, once it is written."""
        if live.job.status in (JobStatus.STARTING, JobStatus.CANCEL_REQUESTED):
            self.start(live)
        elif live.job.status is JobStatus.PREPARING:
            self.builds.join(live)

    def enter(self, live: LiveCommand) -> None:
        """Admit a job that is stored already."""
        self._core.write(live, **self.admit(live))
        self._core.after(partial(self.act, live), live)

    def _target(self, live: LiveCommand) -> Target:
        return self._target_of(live.job)

    def _target_of(self, job: Job) -> Target:
        workspace, name = job.workspace, job.compute or DEFAULT_COMPUTE
        known = self._limits.get((workspace, name))
        if known is None or known[0] < time.monotonic():
            try:
                found = self._core.services.store.read(lambda tx: tx.computes.get(workspace, name))
                limit = found.slots
            except NotFound:
                limit = None  # it was deleted since; the job runs on the machine's slots
            except Unavailable:
                limit = known[1] if known else None
            known = (time.monotonic() + LIMIT_AGE, limit)
            self._limits[workspace, name] = known
        return self._slots.target(workspace, name, known[1])

    def _built(self, waiting: list[LiveCommand]) -> None:
        for live in waiting:
            self._core.guard(partial(self._go_on, live), live)

    def _go_on(self, live: LiveCommand) -> None:
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
            self._core.guard(partial(self.finish, live, JobStatus.FAILED, error=failed), live)

    # --- the process --------------------------------------------------------------------------

    def start(self, live: LiveCommand) -> None:
        """Launch the attempt that is recorded. Launching twice runs once."""
        if live.canceled:  # since it was recorded; it has no process
            self.finish(live, JobStatus.CANCELED)
            return
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
        if live.job.is_final or live.canceled:
            self._stop(live)
        else:
            self._core.write_soon(live, status=JobStatus.RUNNING, running=self._core.now())
        self._watch(live, launch)

    def _watch(self, live: LiveCommand, launch: Launch) -> None:
        core = self._core
        if live.work.timeout:
            started = live.job.timeline.running or core.now()
            left = live.work.timeout - (core.now() - started).total_seconds()
            core.at(max(0.0, left), partial(self._time_out, ref(live), launch))

        def on_exit() -> None:
            core.post(lambda: self._exited(live, launch), live)

        core.after(partial(self._backend.watch, launch, on_exit), live)

    def _exited(self, live: LiveCommand, launch: Launch, seen: Sight | None = None) -> None:
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

        self._core.work(live, blocking, lambda outcome: self._collected(live, outcome))

    def _collected(self, live: LiveCommand, outcome: Outcome) -> None:
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
            self._core.after(partial(self._tidy, live), live)
        elif live.job.attempt <= live.work.retries:
            self._slots.release(live)
            self.enter(live)
            self._admit_waiting()
        else:
            self.finish(live, JobStatus.FAILED, exit_code=outcome.exit_code, error=error)

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

    def _tidy(self, live: LiveCommand) -> None:
        folder = self._launcher.folder(live.job)
        self._core.work(live, lambda: shutil.rmtree(folder, ignore_errors=True), lambda _none: None)

    def finish(self, live: LiveCommand, status: JobStatus, **fields: Any) -> None:
        """End a job: give its slot to the next, tell its pipeline. Harmless when it has ended."""
        if live.job.is_final:
            return
        self._slots.release(live)
        live.change({"waits_for": None})
        self._core.write(live, status=status, ended=self._core.now(), **fields)
        if status is JobStatus.COMPLETED:
            self._core.register(live)
        self._core.live.pop(live.job.id, None)
        self.on_end(live)
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        for live in self._slots.admit():
            assert isinstance(live, LiveCommand)  # noqa: S101 - only commands hold slots
            self._core.write(live, **self._attempt(live))
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
                self._core.at(STOP_AGAIN, partial(self._stop, live), live)

        self._core.work(live, blocking, again)

    def _time_out(self, which: ref[LiveCommand], launch: Launch) -> None:
        live = which()
        if live is not None and live.launch is launch and not live.canceled:
            live.timed_out = True
            self._stop(live)

    def crash(self, live: LiveCommand, error: BaseException) -> None:
        """Fail a job whose handling raised."""
        if live.job.is_final:
            return
        self.builds.leave(live)
        self._stop(live)
        status = JobStatus.CANCELED if live.canceled else JobStatus.FAILED
        self.finish(live, status, error=failure_of(error))

    def drop(self, live: LiveJob) -> None:
        """Forget a job that another engine drives now, or that cannot be stored."""
        if isinstance(live, LiveCommand):
            self.builds.leave(live)
            self._slots.release(live)
            self._core.post(self._admit_waiting)

    # --- after a restart ----------------------------------------------------------------------

    def reserve(self, job: Job, work: CommandDef) -> None:
        """Count a job that may have a process, before any other is admitted."""
        if job.attempt and job.status not in (JobStatus.PREPARING, JobStatus.QUEUED):
            target = self._target_of(job)
            self._slots.adopt(job.id, target, work.resources.instance_count)

    def forget(self, job: int) -> None:
        """Take back what `reserve` kept for a job that cannot be adopted."""
        self._slots.release(job)

    def adopt(self, live: LiveCommand) -> None:
        """Take over a job that an engine before this one was driving."""
        self._slots.release(live.job.id)  # what `reserve` kept
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
