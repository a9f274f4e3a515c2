"""The database, per resource. A `Tx` is one transaction; nothing in it waits on network or file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from lazulite.domain.asset import Asset, AssetKind, Container, Stage
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.job import Job, JobStatus
from lazulite.domain.usage import Host
from lazulite.domain.workspace import Compute, Datastore, Workspace
from lazulite.ports.listed import Listed
from lazulite.ports.models import Lineage, Models, Registry
from lazulite.ports.traces import Assessments, Spans, Traces
from lazulite.ports.tracking import Experiments, Metrics, Runs

__all__ = [
    "Assets",
    "Computes",
    "Datastores",
    "Executions",
    "JobFilter",
    "Jobs",
    "Listed",
    "Page",
    "Store",
    "Tx",
    "Workspaces",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list: keyset paging, `after` is the previous page's `next`."""

    limit: int = 100
    after: str | None = None


class Workspaces(Protocol):
    """`get` raises NotFound; `add` raises Conflict when the name is taken.

    `delete` takes everything in the workspace with it. Row ids never come back.
    """

    def add(self, workspace: Workspace) -> Workspace: ...

    def get(self, ids: WorkspaceId) -> Workspace: ...

    def by_id(self, workspace: int) -> Workspace: ...

    def page(
        self, subscription: str, resource_group: str | None, page: Page
    ) -> Listed[Workspace]: ...

    def update(self, workspace: Workspace) -> None: ...

    def delete(self, workspace: int) -> None: ...


class Assets(Protocol):
    """Versions of assets. `add` raises Conflict when that version exists; `get`s raise NotFound.

    `resolve` takes the label `latest` (the active version created last). `versions` are listed
    newest first, `containers` by name and without anonymous assets. `update` leaves the names.
    `snapshots` are the digests of code that a version or a job of any workspace may name.
    """

    def add(self, workspace: int, asset: Asset) -> Asset: ...

    def get(self, workspace: int, kind: AssetKind, name: str, version: str) -> Asset: ...

    def resolve(self, workspace: int, kind: AssetKind, name: str, label: str) -> Asset: ...

    def versions(
        self, workspace: int, kind: AssetKind, name: str, stages: Sequence[Stage], page: Page
    ) -> Listed[Asset]: ...

    def containers(
        self, workspace: int, kind: AssetKind, stages: Sequence[Stage], page: Page
    ) -> Listed[Container]: ...

    def container(self, workspace: int, kind: AssetKind, name: str) -> Container: ...

    def update(self, asset: Asset) -> None: ...

    def set_stage(self, workspace: int, kind: AssetKind, name: str, stage: Stage) -> None: ...

    def by_digest(self, workspace: int, kind: AssetKind, digest: str) -> Asset | None: ...

    def delete(self, workspace: int, kind: AssetKind, name: str, version: str) -> None: ...

    def snapshots(self) -> set[str]: ...


class Computes(Protocol):
    """`get` raises NotFound. `put` creates or replaces. Names compare without case."""

    def put(self, workspace: int, compute: Compute) -> Compute: ...

    def get(self, workspace: int, name: str) -> Compute: ...

    def page(self, workspace: int, page: Page) -> Listed[Compute]: ...

    def delete(self, workspace: int, name: str) -> None: ...


class Datastores(Protocol):
    """`get` raises NotFound and leaves `secrets` None; `secrets` returns them.

    `put` creates or replaces; with `secrets` None it keeps the stored ones, with `{}` drops them.
    Names compare without case.
    """

    def put(self, workspace: int, datastore: Datastore) -> Datastore: ...

    def get(self, workspace: int, name: str) -> Datastore: ...

    def secrets(self, workspace: int, name: str) -> dict[str, Any] | None: ...

    def page(self, workspace: int, page: Page) -> Listed[Datastore]: ...

    def delete(self, workspace: int, name: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs a list shows, newest first."""

    parent: int | None = None  # row id; None = roots only
    kinds: tuple[str, ...] = ()
    archived: bool | None = False  # None = both
    status: tuple[JobStatus, ...] = ()
    experiment: str | None = None


class Jobs(Protocol):
    """Jobs as clients see them. `add` raises Conflict when the name is taken, `get` NotFound.

    `definition` is the JSON of a CommandDef or PipelineDef. `edit` changes display_name,
    description, tags, properties, archived, body and modified_at; on a bare run every other state
    too, on other jobs that is the engine's and raises Conflict. `request_cancel` is False when the
    job has ended already. `delete` takes a job away, whatever its state, with all below it and all
    that was logged to it. `unfinished` counts the jobs that an engine still has to end.
    """

    def add(self, job: Job, definition: bytes | None) -> Job: ...

    def get(self, workspace: int, name: str) -> Job: ...

    def by_id(self, job: int) -> Job: ...

    def page(self, workspace: int, which: JobFilter, page: Page) -> Listed[Job]: ...

    def children(self, parent: int) -> list[Job]: ...

    def names(self, jobs: Iterable[int]) -> dict[int, str]: ...

    def edit(self, job: int, **fields: Any) -> None: ...

    def request_cancel(self, job: int) -> bool: ...

    def delete(self, job: int) -> None: ...

    def unfinished(self, workspace: int) -> int: ...


class Executions(Protocol):
    """Jobs as the engine drives them. Every write is guarded by the engine's lease token.

    An added job is free; a final one and a bare run are nobody's. `claim` takes free rows and
    returns those it took; `takeover` takes those of engines whose lease ran out or that ran on this
    host before. `spawn` stores children of parents that `token` holds, held by
    it, at most one per (parent, node): one that exists is returned as it is stored. `advance`
    writes fields of many rows, by the names of `Job` and `Timeline`; a row that becomes final drops
    its lease in the same write. Both raise StaleLease, having written nothing, if `token` does not
    hold one of the rows. `twins` are the newest completed, unarchived jobs that really ran, by
    fingerprint; `earlier` are such before row `before`, newest first: of the same node and
    component, or of the component, or the node. The jobs of `load`, `twins` and `earlier` have an
    empty `body`. `host` stores what a machine is, once, and returns it with its row id.
    """

    def beat(self, token: str, host: str, until: datetime) -> None: ...

    def claim(self, token: str, jobs: Sequence[int] | None = None) -> list[int]: ...

    def takeover(self, token: str, now: datetime, host: str) -> list[int]: ...

    def load(self, jobs: Sequence[int]) -> list[tuple[Job, bytes | None]]: ...

    def spawn(self, token: str, children: Sequence[tuple[Job, bytes | None]]) -> list[Job]: ...

    def advance(self, token: str, changes: Sequence[tuple[int, dict[str, Any]]]) -> None: ...

    def host(self, host: Host) -> Host: ...

    def twins(self, workspace: int, fingerprints: Sequence[str]) -> dict[str, Job]: ...

    def earlier(
        self, workspace: int, node: str, component: str, before: int, most: int
    ) -> list[Job]: ...


class Tx(Protocol):
    """One transaction: the resources of the database."""

    @property
    def workspaces(self) -> Workspaces: ...
    @property
    def assets(self) -> Assets: ...
    @property
    def computes(self) -> Computes: ...
    @property
    def datastores(self) -> Datastores: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def executions(self) -> Executions: ...
    @property
    def experiments(self) -> Experiments: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def models(self) -> Models: ...
    @property
    def lineage(self) -> Lineage: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def traces(self) -> Traces: ...
    @property
    def spans(self) -> Spans: ...
    @property
    def assessments(self) -> Assessments: ...


class Store(Protocol):
    """Runs work in transactions.

    `write` commits before it returns; when `work` raises, nothing of it is written. SQLite has one
    writer thread that groups what waits into one commit, so `work` must be short and must not call
    `write` again. A lost race makes `work` run again, so it must do nothing but use its `Tx`.
    `submit` is `write` without waiting. `read` sees a consistent snapshot. All raise Unavailable
    when the database is away, full or read-only, and go on working when it is well again.
    """

    def read(self, work: Callable[[Tx], T]) -> T: ...

    def write(self, work: Callable[[Tx], T]) -> T: ...

    def submit(self, work: Callable[[Tx], T]) -> Future[T]: ...

    def close(self) -> None: ...
