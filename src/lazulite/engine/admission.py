"""Which command jobs may start now, by the slots of their compute and of the machine."""

from __future__ import annotations

import time
from typing import Any

from lazulite.domain.errors import NotFound, Unavailable
from lazulite.domain.job import CommandDef, Job, JobStatus
from lazulite.engine.core import Core
from lazulite.engine.live import LiveCommand
from lazulite.engine.slots import Slots, Target

LIMIT_AGE = 2.0  # seconds that a compute's slot limit is remembered
DEFAULT_COMPUTE = "local"


class Admission:
    """Gives slots to jobs and takes them back. Runs in the engine's thread."""

    def __init__(self, core: Core, slots: Slots) -> None:
        self._core = core
        self._slots = slots
        self._limits: dict[tuple[int, str], tuple[float, int | None]] = {}

    def place(self, live: LiveCommand) -> dict[str, Any]:
        """Return the fields of a job whose environment is there: it starts, or it is queued."""
        live.change({"waits_for": None})
        now, want = self._core.now(), live.work.resources.instance_count
        target = self._target(live.job)
        if self._slots.take(live, target, want):
            return {"queued": now, **self.attempt(live)}
        self._slots.wait(live, target, want)
        return {"status": JobStatus.QUEUED, "queued": now}

    def attempt(self, live: LiveCommand) -> dict[str, Any]:
        """Return the fields that record the next attempt; what the last one left is taken back."""
        again = {"running": None, "finalizing": None} if live.job.attempt else {}
        attempt = live.job.attempt + 1
        now = self._core.now()
        return {"status": JobStatus.STARTING, "starting": now, "attempt": attempt, **again}

    def _target(self, job: Job) -> Target:
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

    def reserve(self, job: Job, work: CommandDef) -> None:
        """Count a job that may have a process, before any other is admitted."""
        if job.attempt and job.status not in (JobStatus.PREPARING, JobStatus.QUEUED):
            target = self._target(job)
            self._slots.adopt(job.id, target, work.resources.instance_count)

    def forget(self, job: int) -> None:
        """Take back what `reserve` kept for a job that cannot be adopted."""
        self._slots.release(job)

    def adopt(self, live: LiveCommand) -> None:
        """Count a job that has, or may have, a process."""
        target = self._target(live.job)
        self._slots.adopt(live, target, live.work.resources.instance_count)

    def release(self, live: LiveCommand) -> None:
        """Take back a job's slots, or its place in the queue; harmless if it has neither."""
        self._slots.release(live)

    def next(self) -> list[LiveCommand]:
        """Give slots to those that wait and return them."""
        return [live for live in self._slots.admit() if isinstance(live, LiveCommand)]
