"""Taking jobs over, new ones and those of an engine before this one, in whatever state they are."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from lazulite.domain.errors import LazuliteError
from lazulite.domain.job import CommandDef, Job, JobStatus
from lazulite.domain.workspace import Workspace
from lazulite.engine.bindings import output_specs, place
from lazulite.engine.commands import Commands
from lazulite.engine.core import Core
from lazulite.engine.live import LiveCommand, LiveJob, LivePipeline
from lazulite.engine.pipelines import Pipelines
from lazulite.ports.store import Tx
from lazulite.services.jobs import Work, decode_work

Loaded = tuple[Job, Work]


class Adoption:
    """Makes rows whose lease the engine holds live. Runs in the engine's thread."""

    def __init__(self, core: Core, commands: Commands, pipelines: Pipelines) -> None:
        self._core = core
        self._commands = commands
        self._pipelines = pipelines

    def adopt(self, jobs: Sequence[int]) -> None:
        """Drive these rows, which the engine holds and does not drive yet."""
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
