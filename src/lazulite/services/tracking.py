"""Use cases of tracking: experiments, runs and what is logged to them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lazulite.domain.access import Principal, Role
from lazulite.domain.errors import Denied, InvalidInput
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, WorkspaceId
from lazulite.domain.job import FINAL, Job, JobKind, Timeline
from lazulite.domain.model import LoggedModel
from lazulite.domain.run import (
    PARENT,
    RUN_NAME,
    USER,
    Batch,
    Point,
    RunHead,
    RunRecord,
    RunStatus,
    View,
    job_status,
)
from lazulite.domain.search import Search
from lazulite.ports.listed import Listed
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.experiments import find, rows_of
from lazulite.services.run_names import random_name

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MILLIS = 253_402_300_799_000  # the end of the year 9999


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDraft:
    """A run that a client wants to start."""

    experiment: str | None = None  # id; None = the default one
    name: str | None = None  # None = a random one
    user: str | None = None
    start: int | None = None  # milliseconds since 1970; None = now
    tags: tuple[tuple[str, str], ...] = ()


def start(services: Services, ids: WorkspaceId, draft: RunDraft, principal: Principal) -> RunRecord:
    """Start a bare run: a job that no engine drives.

    Raises:
        NotFound: there is no such experiment.
        InvalidInput: the experiment is deleted, or the start is no time.
    """
    tags = dict(draft.tags)
    named = draft.name or tags.pop(RUN_NAME, None) or random_name()
    if tags.get(RUN_NAME, named) != named:
        raise InvalidInput(
            f"Both 'run_name' argument and '{RUN_NAME}' tag are specified, but with different "
            f"values (run_name='{named[:100]}', {RUN_NAME}='{tags[RUN_NAME][:100]}').",
            path="run_name",
        )
    tags.pop(RUN_NAME, None)
    now = services.clock.now()
    begun = now if draft.start is None else moment_of(draft.start, "start_time")
    parent = tags.get(PARENT)

    def work(tx: Tx) -> RunRecord:
        workspace = tx.workspaces.get(ids).id
        experiment = find(tx, workspace, draft.experiment or "0", now)
        if experiment.deleted:
            raise InvalidInput(
                f"The experiment {experiment.id} must be in the 'active' state. "
                "Current state is deleted."
            )
        job = Job(
            workspace=workspace,
            name=uuid.uuid4().hex,
            kind=JobKind.RUN,
            experiment=experiment.name,
            display_name=named,
            status=job_status(RunStatus.RUNNING),
            tags=tags,
            timeline=Timeline(created=begun, running=begun),
            created_by=draft.user or tags.get(USER) or principal.name,
            modified_at=now,
        )
        return RunRecord(head=tx.runs.start(job, parent))

    return services.store.write(work)


def get(services: Services, ids: WorkspaceId, run: str) -> RunRecord:
    """Return a run with what was logged to it.

    Raises:
        NotFound: there is none.
    """
    return services.store.read(lambda tx: tx.runs.get(tx.workspaces.get(ids).id, run))


def head(services: Services, ids: WorkspaceId, run: str) -> tuple[int, RunHead]:
    """Return the workspace's row id, and what a run is.

    Raises:
        NotFound: there is none.
    """

    def work(tx: Tx) -> tuple[int, RunHead]:
        workspace = tx.workspaces.get(ids).id
        return workspace, tx.runs.head(workspace, run)

    return services.store.read(work)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEdit:
    """What a client wants to change; None = leave it."""

    name: str | None = None
    status: RunStatus | None = None
    end: int | None = None  # milliseconds since 1970


def update(
    services: Services, ids: WorkspaceId, run: str, edit: RunEdit, principal: Principal
) -> RunHead:
    """Rename or end a run. The status of a job that an engine drives stays what the engine says.

    Raises:
        NotFound: there is no such run.
        InvalidInput: the run is deleted, or the end is no time.
    """
    end = None if edit.end is None else moment_of(edit.end, "end_time")

    def work(tx: Tx) -> RunHead:
        workspace = tx.workspaces.get(ids).id
        found = require_writable(tx, workspace, run, principal)
        changes: dict[str, object] = {}
        if edit.name:
            changes["display_name"] = edit.name
        if found.kind is JobKind.RUN and edit.status is not None:
            status = job_status(edit.status)
            changes["status"] = status
            changes["ended"] = (end or services.clock.now()) if status in FINAL else None
        elif found.kind is JobKind.RUN and end is not None:
            changes["ended"] = end
        if changes:
            tx.jobs.edit(found.id, modified_at=services.clock.now(), **changes)
        return tx.runs.head(workspace, run)

    return services.store.write(work)


def set_deleted(
    services: Services, ids: WorkspaceId, run: str, principal: Principal, *, deleted: bool
) -> None:
    """Put a run into the bin (Azure ML: archive it), or take it out.

    Raises:
        NotFound: there is no such run.
    """

    def work(tx: Tx) -> None:
        found = tx.runs.head(tx.workspaces.get(ids).id, run)
        _own(found, principal)
        tx.jobs.edit(found.id, archived=deleted, modified_at=services.clock.now())

    services.store.write(work)


def log(services: Services, ids: WorkspaceId, run: str, batch: Batch, principal: Principal) -> None:
    """Write a batch to a run, whole or not at all; it is on the disk when this returns.

    Raises:
        NotFound: there is no such run.
        InvalidInput: the run is deleted, or a param has another value already.
    """
    name = next((value for key, value in batch.tags if key == RUN_NAME), None)

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        found = require_writable(tx, workspace, run, principal)
        tx.runs.log(found, batch)
        for model, points in batch.of_models.items():
            tx.models.add_points(tx.models.get(workspace, model).id, found.id, points)
        if name:
            tx.jobs.edit(found.id, display_name=name)

    services.store.write(work)


def untag(services: Services, ids: WorkspaceId, run: str, key: str, principal: Principal) -> None:
    """Remove a tag of a run.

    Raises:
        NotFound: there is no such run, or no such tag.
    """

    def work(tx: Tx) -> None:
        found = require_writable(tx, tx.workspaces.get(ids).id, run, principal)
        tx.runs.untag(found, key)

    services.store.write(work)


def history(
    services: Services, ids: WorkspaceId, run: str, key: str, page: tuple[int, str | None]
) -> Listed[Point]:
    """Return one page of the points of a metric.

    Args:
        services: the ports.
        ids: the workspace.
        run: the run's id.
        key: the metric.
        page: at most how many, and the token that the page before ended with.

    Raises:
        NotFound: there is no such run.
    """

    def work(tx: Tx) -> Listed[Point]:
        found = tx.runs.head(tx.workspaces.get(ids).id, run)
        return tx.metrics.history(found.id, key, *page)

    return services.store.read(work)


def search(
    services: Services,
    ids: WorkspaceId,
    experiments: Sequence[str] | None,
    asked: Search,
    view: View,
) -> Listed[RunRecord]:
    """Return one page of the runs that a search finds; None means every experiment."""

    def work(tx: Tx) -> Listed[RunRecord]:
        workspace = tx.workspaces.get(ids).id
        rows = None if experiments is None else rows_of(tx, workspace, experiments)
        return tx.runs.search(workspace, rows, asked, view)

    return services.store.read(work)


def writable(
    services: Services, ids: WorkspaceId, run: str, principal: Principal
) -> tuple[int, RunHead]:
    """Return the workspace's row id and a run that the caller may write to.

    Raises:
        NotFound: there is no such run.
        Denied: it is another job's.
        InvalidInput: it is deleted.
    """

    def work(tx: Tx) -> tuple[int, RunHead]:
        workspace = tx.workspaces.get(ids).id
        return workspace, require_writable(tx, workspace, run, principal)

    return services.store.read(work)


def check_file(
    services: Services, ids: WorkspaceId, file: StoragePath, principal: Principal
) -> None:
    """Let a job write files, but to those of no run, model or trace that it may not write to.

    Raises:
        NotFound: there is no such run or model.
        Denied: it is another job's.
        InvalidInput: it is deleted.
    """
    parts = [part for part in file.path.split("/") if part not in {"", "."}]
    if not principal.run or file.datastore != ARTIFACT_STORE or len(parts) < 2:
        return
    if parts[0].casefold() == "experimentrun":
        writable(services, ids, parts[1].removeprefix("dcid."), principal)
    if parts[0].casefold() == "loggedmodels":
        check_model(services, ids, parts[1], principal)
    if parts[0].casefold() == "traces":
        raise Denied(
            f"job '{principal.run}' may write the files of its traces by MLflow's API only"
        )


def check_model(services: Services, ids: WorkspaceId, model: str, principal: Principal) -> None:
    """Let a job write the files of a model, but not of one that another job logged.

    Raises:
        NotFound: there is no such model, or its run is gone.
        Denied: it is another job's.
    """
    services.store.read(lambda tx: require_model(tx, tx.workspaces.get(ids).id, model, principal))


def require_model(tx: Tx, workspace: int, model: str, principal: Principal) -> LoggedModel:
    """Return a logged model that the caller may change; as `check_model`, within a transaction."""
    found = tx.models.get(workspace, model)
    if found.source_run:
        require_source(tx, workspace, found.source_run, principal)
    return found


def require_source(tx: Tx, workspace: int, run: str, principal: Principal) -> None:
    """Refuse that a job speaks for the run of another.

    Raises:
        NotFound: there is no such run.
        Denied: it is another job's.
    """
    if principal.run:
        _own(tx.runs.head(workspace, run), principal)


def moment_of(millis: int, path: str) -> datetime:
    """Return a time that was given in milliseconds since 1970.

    Raises:
        InvalidInput: it is before 1970 or after the year 9999.
    """
    if not 0 <= millis <= _MAX_MILLIS:
        raise InvalidInput(
            f"Invalid value {millis} for parameter '{path}' supplied: it is not a time in "
            "milliseconds since 1970",
            path=path,
        )
    return _EPOCH + timedelta(milliseconds=millis)


def require_writable(tx: Tx, workspace: int, run: str, principal: Principal) -> RunHead:
    """Return a run that the caller may write to; as `writable`, within a transaction."""
    found = tx.runs.head(workspace, run)
    _own(found, principal)
    if found.archived:
        raise InvalidInput(
            f"The run {found.name} must be in the 'active' state. Current state is deleted."
        )
    return found


def _own(run: RunHead, principal: Principal) -> None:
    """Let a job write to its own run, those below it and bare ones; not to another job's."""
    if principal.role is not Role.JOB or run.kind is JobKind.RUN or run.name == principal.run:
        return
    if principal.run not in (run.parent, run.root):
        raise Denied(f"job '{principal.run}' may not write to the run of job '{run.name}'")
