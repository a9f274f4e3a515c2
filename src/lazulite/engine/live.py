"""The jobs an engine holds, in memory: what the database says, and what only matters now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazulite.domain.job import CommandDef, Job, JobError, OutputSpec, OutputValue
from lazulite.domain.pipeline import PipelineDef
from lazulite.domain.workspace import Workspace
from lazulite.engine.progress import Progress
from lazulite.ports.compute import Launch

TIMELINE = frozenset({"preparing", "queued", "starting", "running", "finalizing", "ended"})


@dataclass(slots=True, eq=False, kw_only=True, weakref_slot=True)
class LiveJob:
    """What commands and pipelines share."""

    job: Job
    workspace: Workspace
    parent: LivePipeline | None = None
    outputs: dict[str, OutputSpec] = field(default_factory=dict)
    canceled: bool = False  # it was told to stop
    dropped: bool = False  # another engine drives it now

    @property
    def path(self) -> str:
        """Dotted node path below the root; empty for a root."""
        if self.parent is None:
            return ""
        above = self.parent.path
        return f"{above}.{self.job.node}" if above else str(self.job.node)

    @property
    def root(self) -> LiveJob:
        """The outermost job."""
        top: LiveJob = self
        while top.parent is not None:
            top = top.parent
        return top

    def change(self, fields: dict[str, Any]) -> None:
        """Bring the record up to what was written."""
        times = {k: v for k, v in fields.items() if k in TIMELINE}
        rest = {k: v for k, v in fields.items() if k not in TIMELINE}
        if times:
            rest["timeline"] = msgspec.structs.replace(self.job.timeline, **times)
        self.job = msgspec.structs.replace(self.job, **rest)


@dataclass(slots=True, kw_only=True)
class Meter:
    """The last sample of an attempt."""

    launch: Launch
    age: float = 0.0  # seconds that the attempt had run then
    cpu: float = 0.0  # seconds that it had used then
    peak: int = 0  # bytes: the most memory that a sample saw


@dataclass(slots=True, eq=False, kw_only=True)
class LiveCommand(LiveJob):
    """A command job."""

    work: CommandDef
    launch: Launch | None = None  # set while an attempt may have a process
    meter: Meter | None = None  # set once the attempt was sampled
    timed_out: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class LivePipeline(LiveJob):
    """A pipeline level."""

    work: PipelineDef
    progress: Progress
    compute: str | None  # default compute of its nodes
    datastore: str | None  # default datastore of its nodes
    force_rerun: bool
    children: dict[str, LiveJob] = field(default_factory=dict)  # node -> active child
    produced: dict[str, dict[str, OutputValue]] = field(default_factory=dict)
    failed: LiveJob | None = None  # the first child that failed
    halted: bool = False  # it stops, and so was told all that is active in it
    crashed: JobError | None = None  # the engine could not go on with it
    adopting: bool = False  # after a restart, until its children are known
    identities: dict[str, str] = field(default_factory=dict)  # URI -> digest; the root's counts

    @property
    def root_identities(self) -> dict[str, str]:
        """What is known of the content of data that the root's definition names."""
        top = self.root
        return top.identities if isinstance(top, LivePipeline) else {}
