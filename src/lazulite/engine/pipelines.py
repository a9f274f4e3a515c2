"""Pipelines: which nodes start or are reused, and how the whole ends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from lazulite.domain.errors import Unavailable
from lazulite.domain.job import (
    Job,
    JobError,
    JobStatus,
    OutputValue,
)
from lazulite.engine.commands import Commands
from lazulite.engine.core import Core
from lazulite.engine.launcher import Launcher
from lazulite.engine.ledger import RETRY_WRITE
from lazulite.engine.live import LiveCommand, LiveJob, LivePipeline
from lazulite.engine.nodes import Nodes
from lazulite.engine.outcome import failure_of
from lazulite.services.jobs import encode_work


class Pipelines:
    """Drives pipelines. Runs in the engine's thread."""

    def __init__(self, core: Core, commands: Commands, launcher: Launcher) -> None:
        self._core = core
        self._commands = commands
        self._nodes = Nodes(core, launcher)
        self.make, self.identify = self._nodes.make, self._nodes.identify
        commands.on_end = self.child_ended

    # --- making -------------------------------------------------------------------------------

    def begin(self, live: LivePipeline) -> None:
        """Start a root pipeline: learn what its data is, then start its first nodes."""
        now = self._core.now()
        self._core.write(live, status=JobStatus.RUNNING, starting=now, running=now)
        self._nodes.identify(live, lambda: self.spawn(live, live.progress.start()))

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
            made = [self._nodes.make_node(live, name) for name in wave]
            try:
                twins = self._nodes.twins(live, made)
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
        if exported := _exported(live):  # what was made counts, whatever failed beside it
            fields["outputs"] = exported
        if status is JobStatus.FAILED:
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


def _definition(child: LiveJob) -> bytes | None:
    return encode_work(child.work) if isinstance(child, LiveCommand | LivePipeline) else None


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
