"""The engine as the server sees it: start, wake, why, stop. And what it does first: adoption."""

from __future__ import annotations

import secrets
import threading
from datetime import UTC, datetime, timedelta
from functools import partial

from lazulite.domain.job import Job
from lazulite.engine.adoption import Adoption
from lazulite.engine.commands import Commands
from lazulite.engine.core import BEAT, LEASE, Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.live import LiveCommand, LiveJob
from lazulite.engine.pipelines import Pipelines
from lazulite.engine.slots import Slots
from lazulite.engine.usage import Sampling
from lazulite.ports.compute import ComputeBackend
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.jobs import Work

Loaded = tuple[Job, Work]


class Engine:
    """Drives every job of one home. `wake` and `why` may be called from any thread."""

    def __init__(
        self,
        services: Services,
        launcher: Launcher,
        backend: ComputeBackend,
        *,
        host: str,
        slots: int,
        grace: float,
    ) -> None:
        """Make an engine that does nothing yet.

        Args:
            services: the ports.
            launcher: makes processes' folders, inputs and variables.
            backend: runs processes.
            host: machine and home, the same after a restart.
            slots: jobs at once on this machine, at least 1.
            grace: seconds between TERM and KILL.
        """
        self._core = Core(services, secrets.token_hex(16), host)
        self._backend = backend
        self._slots = Slots(slots)
        self._commands = Commands(self._core, launcher, backend, self._slots, grace=grace)
        self._pipelines = Pipelines(self._core, self._commands, launcher)
        self._core.on_crash = self._pipelines.crash
        self._core.on_drop = self._commands.drop
        self._adoption = Adoption(self._core, self._commands, self._pipelines)
        self._woken: list[int] = []
        self._thread = threading.Thread(target=self._core.run, name="lazulite-engine", daemon=True)

    def sample(self, every: float) -> None:
        """Sample what running jobs use, every so many seconds; say so before the start."""
        self._core.on_process = Sampling(self._core, self._backend, every).wake

    def start(self) -> None:
        """Take over what an earlier engine of this home left, then run."""
        self._beat()
        long_ago = datetime(1970, 1, 1, tzinfo=UTC)
        first = partial(self._take_over, long_ago, self._core.host)
        self._core.post(lambda: self._core.persist(first))
        self._thread.start()

    def wake(self, job: int) -> None:
        """Look at a job that a client submitted or wants canceled."""
        self._core.post(lambda: self._note(job))

    def why(self, job: int) -> str | None:
        """Say why a job waits; None when it does not, or is not this engine's."""
        live = self._core.live.get(job)
        if not isinstance(live, LiveCommand):
            return None
        return self._slots.why(live) or self._commands.builds.why(live)

    def close(self) -> None:
        """Stop driving; processes go on and the next engine adopts them."""
        self._commands.builds.close()
        self._core.close()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._backend.close()  # the leases stay: the next engine of this home takes them over

    # --- the lease ----------------------------------------------------------------------------

    def _beat(self) -> None:
        core, until = self._core, self._core.now() + LEASE
        core.services.store.submit(lambda tx: tx.executions.beat(core.token, core.host, until))
        core.at(BEAT, self._beat_and_look)

    def _beat_and_look(self) -> None:
        self._beat()
        self._take_over(self._core.now() - timedelta(seconds=BEAT), "")

    # --- jobs of others -----------------------------------------------------------------------

    def _note(self, job: int) -> None:
        """Gather what is woken in one turn, so that it is claimed by one statement."""
        if not self._woken:
            self._core.post(self._look)
        self._woken.append(job)

    def _look(self) -> None:
        woken, self._woken = self._woken, []
        fresh = [job for job in woken if job not in self._core.live]
        for job in set(woken) - set(fresh):
            look = partial(self._cancel_if_asked, self._core.live[job])
            self._core.guard(partial(self._core.persist, look))
        if fresh:
            self._core.persist(partial(self._claim, fresh))

    def _claim(self, fresh: list[int]) -> None:
        token, write = self._core.token, self._core.services.store.write
        self._adoption.adopt(write(lambda tx: tx.executions.claim(token, fresh)))

    def _cancel_if_asked(self, live: LiveJob) -> None:
        asked = self._core.services.store.read(
            lambda tx: tx.jobs.by_id(live.job.id).cancel_requested
        )
        if asked:
            self._pipelines.cancel(live)

    def _take_over(self, now: datetime, host: str) -> None:
        def work(tx: Tx) -> tuple[list[int], list[int]]:
            token = self._core.token
            return tx.executions.takeover(token, now, host), tx.executions.claim(token)

        taken, free = self._core.services.store.write(work)
        if not host:
            self._core.foreign.update(taken)
        self._adoption.adopt([job for job in taken + free if job not in self._core.live])
