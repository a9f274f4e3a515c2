"""The engine as the server sees it: start, wake, why, stop. And what it does first: adoption."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec

from lazulite.domain.errors import LazuliteError, Unavailable
from lazulite.domain.job import CommandDef, Job, JobStatus
from lazulite.domain.workspace import Workspace
from lazulite.engine.bindings import output_specs, place
from lazulite.engine.commands import Commands
from lazulite.engine.core import BEAT, LEASE, Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.live import LiveCommand, LiveJob, LivePipeline
from lazulite.engine.pipelines import Pipelines
from lazulite.engine.slots import Slots
from lazulite.ports.compute import ComputeBackend
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.jobs import Work, decode_work

Loaded = tuple[Job, Work]
log = logging.getLogger("lazulite.engine")


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
        self._woken: list[int] = []
        self._thread = threading.Thread(target=self._core.run, name="lazulite-engine", daemon=True)

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
        try:
            self._core.services.store.write(lambda tx: tx.executions.release(self._core.token))
        except Unavailable as error:  # the next engine of this home takes them all the same
            log.warning("leases were not given back: %s", error)
        finally:
            self._backend.close()

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
        self._adopt(write(lambda tx: tx.executions.claim(token, fresh)))

    def _cancel_if_asked(self, live: LiveJob) -> None:
        asked = self._core.services.store.read(
            lambda tx: tx.jobs.by_id(live.job.id).cancel_requested
        )
        if asked:
            self._pipelines.cancel(live)

    def _take_over(self, now: datetime, host: str) -> None:
        def work(tx: Tx) -> list[int]:
            token = self._core.token
            return [*tx.executions.takeover(token, now, host), *tx.executions.claim(token)]

        self._adopt([j for j in self._core.services.store.write(work) if j not in self._core.live])

    def _adopt(self, jobs: Sequence[int]) -> None:
        if jobs:
            self._core.persist(partial(self._load, jobs))

    def _load(self, jobs: Sequence[int]) -> None:
        def work(tx: Tx) -> tuple[list[tuple[Job, bytes | None]], dict[int, Workspace]]:
            rows = tx.executions.load(jobs)
            spaces = {job.workspace for job, _ in rows}
            return rows, {space: tx.workspaces.by_id(space) for space in spaces}

        rows, spaces = self._core.services.store.read(work)
        broken: dict[int, LazuliteError] = {}  # root -> why its tree cannot be driven
        loaded: list[Loaded] = []
        for job, raw in sorted(rows, key=lambda one: one[0].id):
            try:
                loaded.append((job, _decode(job, raw)))
            except LazuliteError as error:
                broken[job.root or job.id] = error
        for job, _ in rows:
            why = broken.get(job.root or job.id)
            if why is not None:
                self._pipelines.crash(LiveJob(job=job, workspace=spaces[job.workspace]), why)
        self._adopt_all([one for one in loaded if (one[0].root or one[0].id) not in broken], spaces)

    def _adopt_all(self, loaded: list[Loaded], spaces: dict[int, Workspace]) -> None:
        below: dict[int | None, list[Loaded]] = {}
        for job, work in loaded:
            below.setdefault(job.parent, []).append((job, work))
            if isinstance(work, CommandDef):
                self._commands.reserve(job, work)
        for job, work in below.get(None, []):
            space = spaces[job.workspace]
            self._core.guard(
                partial(self._adopt_one, job, work, space, None, below),
                LiveJob(job=job, workspace=space),
            )

    def _adopt_one(
        self,
        job: Job,
        work: Work,
        workspace: Workspace,
        parent: LivePipeline | None,
        below: dict[int | None, list[Loaded]],
    ) -> None:
        live: LiveJob
        if isinstance(work, CommandDef):
            live = self._make_command(job, work, workspace, parent)
            self._core.live[job.id] = live
            if parent is not None:
                parent.children[str(job.node)] = live
            self._commands.adopt(live)
            return
        live = self._pipelines.make(job, work, workspace, parent)
        self._core.live[job.id] = live
        if parent is not None:
            parent.children[str(job.node)] = live
        if parent is not None:
            self._resume(live, below)
        elif job.status is JobStatus.NOT_STARTED:
            self._begin(live)
        else:
            live.adopting = True
            self._pipelines.identify(
                live,
                partial(self._resume, live, below),
                lambda error: self._resume(live, below, error),
            )

    def _make_command(
        self, job: Job, work: CommandDef, workspace: Workspace, parent: LivePipeline | None
    ) -> LiveCommand:
        node = parent.work.nodes[str(job.node)] if parent else None
        outputs = output_specs(node, parent.outputs) if parent and node else dict(work.outputs)
        live = LiveCommand(
            job=job,
            work=work,
            workspace=workspace,
            parent=parent,
            outputs=outputs,
            canceled=job.cancel_requested or job.status is JobStatus.CANCEL_REQUESTED,
        )
        if job.outputs.keys() != outputs.keys():
            store = workspace.default_datastore
            places = {n: place(spec, job.name, n, store) for n, spec in outputs.items()}
            self._core.write(live, outputs=places)
        return live

    def _begin(self, live: LivePipeline) -> None:
        if live.canceled:
            live.canceled = False  # `cancel` sets it, and writes
            self._pipelines.cancel(live)
        else:
            self._pipelines.begin(live)

    def _resume(
        self,
        live: LivePipeline,
        below: dict[int | None, list[Loaded]],
        error: Exception | None = None,
    ) -> None:
        """Replay what a pipeline's nodes did, adopt those that are active, start the rest.

        Args:
            live: the pipeline.
            below: what was loaded, by parent.
            error: why it cannot go on; then what is active below it is stopped.
        """

        def read() -> None:
            children = self._core.services.store.read(lambda tx: tx.jobs.children(live.job.id))
            self._core.guard(partial(self._go_on, live, children, below, error), live)

        live.adopting = True
        self._core.persist(read)

    def _go_on(
        self,
        live: LivePipeline,
        children: list[Job],
        below: dict[int | None, list[Loaded]],
        error: Exception | None,
    ) -> None:
        ready = live.progress.start()
        for child in children:
            if child.is_final:
                ready += self._replay(live, child)
        for child in children:
            if not child.is_final:
                live.progress.adopt(str(child.node))
        known = {child.node for child in children}
        missing = [name for name in ready if name not in known]
        for job, work in below.get(live.job.id, []):
            self._core.guard(
                partial(self._adopt_one, job, work, live.workspace, live, below),
                LiveJob(job=job, workspace=live.workspace, parent=live),
            )
        live.adopting = False
        if error is not None:
            self._pipelines.crash(live, error)
        else:
            self._pipelines.resume(live, missing)

    def _replay(self, live: LivePipeline, child: Job) -> list[str]:
        node = str(child.node)
        if child.status is JobStatus.COMPLETED:
            live.produced[node] = child.outputs
        elif child.status is JobStatus.FAILED and live.failed is None:
            live.failed = LiveJob(job=child, workspace=live.workspace, parent=live)
        return live.progress.finish(node, child.status)


def _decode(job: Job, raw: bytes | None) -> Work:
    if raw is None:
        raise LazuliteError(f"job {job.name}: what it runs was not stored")
    try:
        return decode_work(raw)
    except msgspec.MsgspecError as error:
        raise LazuliteError(
            f"job {job.name}: what it runs was stored by another version of Lazulite and cannot be "
            f"read ({error}); submit it again"
        ) from error
