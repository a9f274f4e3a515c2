"""Pipelines: which nodes start or are reused, and how the whole ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from lazulite.domain.errors import InvalidInput, LazuliteError, Unavailable
from lazulite.domain.fingerprint import fingerprint, parts
from lazulite.domain.ids import MAX_JOB_NAME, StoragePath, parse_storage
from lazulite.domain.job import (
    DataInput,
    Job,
    JobError,
    JobKind,
    JobStatus,
    OutputValue,
    Timeline,
)
from lazulite.domain.pipeline import Node, PipelineDef
from lazulite.domain.workspace import Workspace
from lazulite.engine.admission import DEFAULT_COMPUTE
from lazulite.engine.bindings import output_specs, place, resolve_inputs
from lazulite.engine.commands import Commands
from lazulite.engine.core import Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.ledger import RETRY_WRITE
from lazulite.engine.live import LiveCommand, LiveJob, LivePipeline
from lazulite.engine.outcome import failure_of
from lazulite.engine.progress import Progress
from lazulite.services.jobs import encode_work


class Pipelines:
    """Drives pipelines. Runs in the engine's thread."""

    def __init__(self, core: Core, commands: Commands, launcher: Launcher) -> None:
        self._core = core
        self._commands = commands
        self._launcher = launcher
        commands.on_end = self.child_ended

    # --- making -------------------------------------------------------------------------------

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

    def begin(self, live: LivePipeline) -> None:
        """Start a root pipeline: learn what its data is, then start its first nodes."""
        now = self._core.now()
        self._core.write(live, status=JobStatus.RUNNING, starting=now, running=now)
        self.identify(live, lambda: self.spawn(live, live.progress.start()))

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

    def resume(self, live: LivePipeline, missing: Iterable[str]) -> None:
        """Go on with a pipeline whose children were adopted; `missing` are ready and not made."""
        live.adopting = False
        if live.canceled or live.job.status is JobStatus.CANCEL_REQUESTED:
            live.canceled = False  # `cancel` sets it, and writes
            self.cancel(live)
            return
        self._stop_if_failed(live)
        self._spawn_active(live, missing)

    # --- nodes --------------------------------------------------------------------------------

    def spawn(self, live: LivePipeline, ready: Iterable[str]) -> None:
        """Create the jobs of ready nodes; those that are reused end at once and release others."""
        wave = list(ready)
        while wave:
            made = [self._make_node(live, name) for name in wave]
            try:
                twins = self._twins(live, made)
            except Unavailable:
                later = partial(self._spawn_active, live, wave)
                self._core.at(RETRY_WRITE, later, live)
                break
            wave = []
            for child in made:
                twin = twins.get(child)
                if twin is not None:
                    wave += self._reuse(live, child, twin)
                elif child.job.is_final:
                    wave += self._stillborn(live, child)
                else:
                    self._store(live, child)
        self._stop_if_failed(live)
        self.settle(live)

    def _spawn_active(self, live: LivePipeline, names: Iterable[str]) -> None:
        """Create nodes that had to wait, but for those that were given up meanwhile."""
        active = live.progress.active
        self.spawn(live, [name for name in names if name in active])

    def _make_node(self, live: LivePipeline, name: str) -> LiveJob:
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

    def _store(self, live: LivePipeline, child: LiveJob) -> None:
        live.children[str(child.job.node)] = child
        if isinstance(child, LiveCommand):
            command = child
            command.change(self._commands.admit(command))
            self._core.spawn(
                command, encode_work(command.work), lambda: self._commands.act(command)
            )
        elif isinstance(child, LivePipeline):
            nested = child
            self._core.spawn(
                nested,
                encode_work(nested.work),
                lambda: self.spawn(nested, nested.progress.start()),
            )

    # --- reuse --------------------------------------------------------------------------------

    def _twins(self, live: LivePipeline, made: list[LiveJob]) -> dict[LiveJob, Job]:
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

    def _reuse(self, live: LivePipeline, child: LiveJob, twin: Job) -> list[str]:
        outputs = {
            name: msgspec.structs.replace(twin.outputs[name], asset=None, origin=twin.name)
            for name in child.job.outputs
            if name in twin.outputs
        }
        now = self._core.now()
        if problem := self._core.clash(child, outputs):
            failed = JobError(code="UserError", message=problem)
            child.change({"status": JobStatus.FAILED, "error": failed, "ended": now})
            return self._stillborn(live, child)
        child.change(
            {
                "status": JobStatus.COMPLETED,
                "reused_from": twin.name,
                "outputs": outputs,
                "exit_code": 0,
                "ended": now,
            }
        )
        self._core.spawn(child, _definition(child), lambda: None)
        self._core.register(child)
        node = str(child.job.node)
        live.produced[node] = outputs
        return live.progress.finish(node, JobStatus.COMPLETED)

    def _stillborn(self, live: LivePipeline, child: LiveJob) -> list[str]:
        self._core.spawn(child, _definition(child), lambda: None)
        live.failed = live.failed or child
        return live.progress.finish(str(child.job.node), child.job.status)

    # --- ending -------------------------------------------------------------------------------

    def child_ended(self, child: LiveJob) -> None:
        """Go on after a node ended."""
        live = child.parent
        if live is None:
            return
        node, status = str(child.job.node), child.job.status
        live.children.pop(node, None)
        if status is JobStatus.COMPLETED:
            live.produced[node] = child.job.outputs
        elif status is JobStatus.FAILED and live.failed is None:
            live.failed = child
        ready = live.progress.finish(node, status)
        self._core.guard(partial(self.spawn, live, ready), live)

    def _stop_if_failed(self, live: LivePipeline) -> None:
        if live.progress.stopping and not live.halted:
            self._halt(live)

    def _halt(self, live: LivePipeline) -> None:
        """Let nothing more start, give up what was to be made, and stop what is active."""
        live.halted = True
        live.progress.stop()
        for node in live.progress.active - live.children.keys():
            live.progress.finish(node, JobStatus.CANCELED)
        for child in list(live.children.values()):
            self.cancel(child)

    def settle(self, live: LivePipeline) -> None:
        """End the pipeline if nothing in it is active."""
        outcome = live.progress.outcome
        if outcome is None or live.job.is_final:
            return
        if live.crashed is not None:
            outcome = JobStatus.FAILED
        status = JobStatus.CANCELED if live.canceled else outcome
        fields: dict[str, Any] = {"status": status, "ended": self._core.now()}
        if status is JobStatus.COMPLETED:
            fields["outputs"] = _exported(live)
        elif status is JobStatus.FAILED:
            fields["error"] = live.crashed or (_blame(live.failed) if live.failed else None)
        self._core.write(live, **fields)
        self._core.live.pop(live.job.id, None)
        self.child_ended(live)

    def cancel(self, live: LiveJob) -> None:
        """Stop a job and all below it; repeatable."""
        if isinstance(live, LiveCommand):
            self._commands.cancel(live)
        elif isinstance(live, LivePipeline) and not live.canceled and not live.job.is_final:
            live.canceled = True
            if live.adopting:
                return  # it is canceled as soon as its children are known
            self._core.write(live, status=JobStatus.CANCEL_REQUESTED)
            self._halt(live)
            self.settle(live)

    def crash(self, live: LiveJob, error: BaseException) -> None:
        """Fail a job whose handling raised."""
        if isinstance(live, LiveCommand):
            self._commands.crash(live, error)
        elif isinstance(live, LivePipeline) and not live.job.is_final:
            live.crashed = live.crashed or failure_of(error)
            self._halt(live)
            self.settle(live)  # it ends when all below it has ended
        elif not live.job.is_final:  # it could not even be adopted
            self._commands.forget(live.job.id)
            now, failed = self._core.now(), failure_of(error)
            self._core.write(live, status=JobStatus.FAILED, ended=now, error=failed)
            self.child_ended(live)


def _named_data(work: PipelineDef) -> Iterable[str]:
    for node in work.nodes.values():
        for binding in node.inputs.values():
            if isinstance(binding, DataInput) and "${{" not in binding.uri:
                yield binding.uri
        if isinstance(node.work, PipelineDef):
            yield from _named_data(node.work)


def _definition(child: LiveJob) -> bytes | None:
    return encode_work(child.work) if isinstance(child, LiveCommand | LivePipeline) else None


def _is_identified(value: str | DataInput | None) -> bool:
    """Tell whether the content of an input is known; a public address stands for its content."""
    if not isinstance(value, DataInput) or value.digest is not None:
        return True
    return not isinstance(parse_storage(value.uri), StoragePath)


def _exported(live: LivePipeline) -> dict[str, OutputValue]:
    found = {}
    for name, node in live.work.nodes.items():
        for output, target in node.exports.items():
            if output in live.produced.get(name, {}):
                found[target] = live.produced[name][output]
    return found


def _blame(child: LiveJob) -> JobError:
    error = child.job.error or JobError(code="UserError", message="it failed")
    node = f"{child.job.node}.{error.node}" if error.node else str(child.job.node)
    return msgspec.structs.replace(error, node=node)
