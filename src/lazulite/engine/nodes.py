"""From the nodes of a pipeline to jobs: what they get, where they write, what they may reuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable

import msgspec

from lazulite.domain.errors import InvalidInput, LazuliteError
from lazulite.domain.fingerprint import fingerprint, parts
from lazulite.domain.ids import MAX_JOB_NAME, StoragePath, parse_storage
from lazulite.domain.job import (
    DataInput,
    Job,
    JobError,
    JobKind,
    JobStatus,
    Timeline,
)
from lazulite.domain.pipeline import Node, PipelineDef
from lazulite.domain.workspace import Workspace
from lazulite.engine.admission import DEFAULT_COMPUTE
from lazulite.engine.bindings import output_specs, place, resolve_inputs
from lazulite.engine.core import Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.live import LiveCommand, LiveJob, LivePipeline
from lazulite.engine.progress import Progress


class Nodes:
    """Decides what a node's job is; stores nothing. Runs in the engine's thread."""

    def __init__(self, core: Core, launcher: Launcher) -> None:
        self._core = core
        self._launcher = launcher

    def make(
        self, job: Job, work: PipelineDef, workspace: Workspace, parent: LivePipeline | None
    ) -> LivePipeline:
        """Return the live form of a pipeline; a nested one inherits from its parent's settings."""
        settings = work.settings
        node = parent.work.nodes[str(job.node)] if parent else None
        return LivePipeline(
            job=job,
            work=work,
            workspace=workspace,
            parent=parent,
            outputs=output_specs(node, parent.outputs) if parent and node else dict(work.outputs),
            canceled=job.cancel_requested,
            progress=Progress(work.nodes, continue_on_failure=settings.continue_on_step_failure),
            compute=job.compute or settings.default_compute or (parent.compute if parent else None),
            datastore=settings.default_datastore
            or (parent.datastore if parent else workspace.default_datastore),
            force_rerun=settings.force_rerun or bool(parent and parent.force_rerun),
        )

    def make_node(self, live: LivePipeline, name: str) -> LiveJob:
        """Return a node that is ready as a job that is not stored; final if it cannot run."""
        node = live.work.nodes[name]
        job = self._node_job(live, name, node)
        if isinstance(node.work, PipelineDef):
            job = msgspec.structs.replace(job, status=JobStatus.RUNNING)
            return self.make(job, node.work, live.workspace, live)
        child = LiveCommand(
            job=job,
            work=node.work,
            workspace=live.workspace,
            parent=live,
            outputs=output_specs(node, live.outputs),
        )
        try:
            outputs = {
                output: place(spec, job.name, output, live.datastore)
                for output, spec in child.outputs.items()
            }
        except InvalidInput as error:
            failed = JobError(code="UserError", message=error.message)
            child.change({"status": JobStatus.FAILED, "error": failed, "ended": self._core.now()})
            return child
        found = fingerprint(parts(node.work, job.inputs, child.outputs))
        child.change({"outputs": outputs, "fingerprint": found})
        return child

    def _node_job(self, live: LivePipeline, name: str, node: Node) -> Job:
        root, now = live.root.job, self._core.now()
        title = f"{live.job.name}--{name}"  # MLflow's client refuses a dot in the id of a run
        kind = JobKind.PIPELINE if isinstance(node.work, PipelineDef) else JobKind.COMMAND
        is_pipeline = kind is JobKind.PIPELINE
        started = now if is_pipeline else None
        return Job(
            workspace=live.job.workspace,
            name=title if len(title) <= MAX_JOB_NAME else uuid.uuid4().hex,
            kind=kind,
            experiment=root.experiment,
            display_name=node.display_name or node.work.display_name or name,
            compute=node.compute or live.compute or (None if is_pipeline else DEFAULT_COMPUTE),
            parent=live.job.id,
            root=root.id,
            node=name,
            inputs=resolve_inputs(node, live.job.inputs, live.produced, live.root_identities),
            timeline=Timeline(created=now, starting=started, running=started),
            created_by=root.created_by,
            modified_at=now,
        )

    def twins(self, live: LivePipeline, made: list[LiveJob]) -> dict[LiveJob, Job]:
        """Return the earlier jobs whose outputs these may take, asked for at once."""
        wanted = {
            child: str(child.job.fingerprint)
            for child in made
            if isinstance(child, LiveCommand) and self._may_reuse(live, child)
        }
        if not wanted:
            return {}
        workspace, keys = live.job.workspace, list(set(wanted.values()))
        read = self._core.services.store.read
        found = read(lambda tx: tx.executions.twins(workspace, keys))
        there = {key: twin for key, twin in found.items() if self._is_there(twin)}
        return {child: there[key] for child, key in wanted.items() if key in there}

    def _may_reuse(self, live: LivePipeline, child: LiveCommand) -> bool:
        node = live.work.nodes[str(child.job.node)]
        if child.job.is_final or live.force_rerun or node.force_rerun:
            return False
        return child.work.deterministic and all(map(_is_identified, child.job.inputs.values()))

    def _is_there(self, twin: Job) -> bool:
        try:
            return all(
                value.digest is None or self._launcher.output_path(twin, value).exists()
                for value in twin.outputs.values()
            )
        except (LazuliteError, OSError):
            return False  # its datastore is gone, say

    def identify(
        self,
        live: LivePipeline,
        then: Callable[[], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Find the content identity of all data that the pipeline names by URI, then go on.

        Args:
            live: a root pipeline.
            then: how to go on.
            failed: gets the error if data cannot be read, instead of the pipeline failing.
        """
        uris = {v.uri for v in live.job.inputs.values() if isinstance(v, DataInput)}
        uris |= set(_named_data(live.work))
        if not uris:
            then()
            return
        workspace = live.job.workspace

        def digests() -> dict[str, str]:
            return {uri: self._digest(workspace, uri) for uri in uris}

        def known(found: dict[str, str]) -> None:
            live.identities.update(found)
            inputs = {
                name: msgspec.structs.replace(v, digest=found.get(v.uri))
                if isinstance(v, DataInput)
                else v
                for name, v in live.job.inputs.items()
            }
            live.change({"inputs": inputs})
            then()

        self._core.work(live, digests, known, failed)

    def _digest(self, workspace: int, uri: str) -> str:
        storage = parse_storage(uri)
        if not isinstance(storage, StoragePath):
            return uri  # a public address stands for its content
        files = self._launcher.files
        path = files.locate(workspace, storage.datastore, storage.path)
        if not path.exists():
            raise InvalidInput(f"nothing is at {uri}: upload the data again, or name another place")
        return files.digest(path)


def _named_data(work: PipelineDef) -> Iterable[str]:
    for node in work.nodes.values():
        for binding in node.inputs.values():
            if isinstance(binding, DataInput) and "${{" not in binding.uri:
                yield binding.uri
        if isinstance(node.work, PipelineDef):
            yield from _named_data(node.work)


def _is_identified(value: str | DataInput | None) -> bool:
    """Tell whether the content of an input is known; a public address stands for its content."""
    if not isinstance(value, DataInput) or value.digest is not None:
        return True
    return not isinstance(parse_storage(value.uri), StoragePath)
