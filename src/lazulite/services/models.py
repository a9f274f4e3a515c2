"""Use cases of logged models: what a run makes, before it has a name in the registry."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.matching import Lookup, in_order, matches
from lazulite.domain.model import LoggedModel, ModelStatus
from lazulite.domain.run import MAX_FLOAT, ModelPoint
from lazulite.domain.search import Entity, Operand, Search, Value
from lazulite.ports.listed import Listed
from lazulite.ports.store import Tx
from lazulite.services.context import Services
from lazulite.services.experiments import find, rows_of
from lazulite.services.paging import paged
from lazulite.services.tracking import require_model, require_source

MAX_MODELS = 20_000  # of the experiments of one search
Found = tuple[LoggedModel, list[ModelPoint]]


class ModelDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a client wants to log."""

    experiment: str
    name: str | None = None
    model_type: str | None = None
    source_run: str | None = None
    params: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}


def create(
    services: Services, ids: WorkspaceId, draft: ModelDraft, principal: Principal
) -> LoggedModel:
    """Make a logged model that waits for its files.

    Raises:
        NotFound: there is no such experiment; for a job, no such source run either.
        InvalidInput: its name cannot be one.
        Denied: its source is the run of another job than the one that asks.
    """
    name = check_name(draft.name or f"model-{uuid.uuid4().hex[:8]}")
    now = services.clock.now()

    def work(tx: Tx) -> LoggedModel:
        workspace = tx.workspaces.get(ids).id
        experiment = find(tx, workspace, draft.experiment, now)
        if draft.source_run:
            require_source(tx, workspace, draft.source_run, principal)
        model = LoggedModel(
            workspace=workspace,
            experiment=experiment.id,
            model=f"m-{uuid.uuid4().hex}",
            name=name,
            model_type=draft.model_type,
            source_run=draft.source_run,
            tags=dict(draft.tags),
            params=dict(draft.params),
            created_at=now,
            modified_at=now,
        )
        return tx.models.add(model)

    return services.store.write(work)


def check_name(name: str) -> str:
    """Return `name` if a logged model may have it.

    Raises:
        InvalidInput: it is empty, too long or has one of `/:.%"'`.
    """
    if any(c in name for c in "/:.%\"'\0") or not name.strip() or len(name) > 500:
        raise InvalidInput(
            f"Invalid model name ({name[:100]!r}) provided. Model name must be a non-empty string "
            "and cannot contain the following characters: ('/', ':', '.', '%', '\"', \"'\")",
            path="name",
        )
    return name


def get(services: Services, ids: WorkspaceId, model: str) -> Found:
    """Return a logged model with the values of its metrics.

    Raises:
        NotFound: there is none.
    """

    def work(tx: Tx) -> Found:
        found = tx.models.get(tx.workspaces.get(ids).id, model)
        return found, tx.models.points([found.id])[found.id]

    return services.store.read(work)


class ModelEdit(msgspec.Struct, frozen=True, kw_only=True):
    """What a client wants to change; a tag of None is removed."""

    status: ModelStatus | None = None  # None = leave it
    tags: Mapping[str, str | None] = {}
    params: Mapping[str, str] = {}


def edit(
    services: Services, ids: WorkspaceId, model: str, change: ModelEdit, principal: Principal
) -> Found:
    """Change a logged model.

    Raises:
        NotFound: there is no such model, or no such tag to remove.
        Denied: another job logged it than the one that asks.
    """
    now = services.clock.now()

    def work(tx: Tx) -> Found:
        old = require_model(tx, tx.workspaces.get(ids).id, model, principal)
        for key, value in change.tags.items():
            if value is None and key not in old.tags:
                raise NotFound(f"No tag with key '{key[:300]}' found for model with ID '{model}'.")
        merged = {**old.tags, **change.tags}
        new = msgspec.structs.replace(
            old,
            status=change.status or old.status,
            tags={key: value for key, value in merged.items() if value is not None},
            params={**old.params, **change.params},
            modified_at=now,
        )
        tx.models.update(new)
        return new, tx.models.points([new.id])[new.id]

    return services.store.write(work)


def delete(services: Services, ids: WorkspaceId, model: str, principal: Principal) -> None:
    """Delete a logged model; its files stay, as versions in the registry may use them.

    Raises:
        NotFound: there is no such model.
        Denied: another job logged it than the one that asks.
    """

    def work(tx: Tx) -> None:
        found = require_model(tx, tx.workspaces.get(ids).id, model, principal)
        tx.models.delete(found.id)

    services.store.write(work)


def search(
    services: Services, ids: WorkspaceId, experiments: Sequence[str], asked: Search
) -> Listed[Found]:
    """Return one page of the logged models that a search finds, newest first."""

    def work(tx: Tx) -> list[Found]:
        workspace = tx.workspaces.get(ids).id
        rows = rows_of(tx, workspace, experiments)
        models = [one for one in tx.models.of(rows, MAX_MODELS) if one.workspace == workspace]
        points = tx.models.points([one.id for one in models])
        return [(one, points[one.id]) for one in models]

    every = services.store.read(work)
    found = [one for one in every if matches(asked.condition, _look(one))]
    ordered = in_order(found, asked.orders, _look)
    return paged(ordered, lambda one: one[0].model, asked.limit, asked.after)


def _look(found: Found) -> Lookup:
    model, points = found

    def value(operand: Operand) -> Value | None:
        if operand.entity is Entity.METRIC:
            last = [p.point for p in points if p.point.key == operand.key]
            values = max(last, key=lambda p: (p.step, p.time)).value if last else None
            return None if values is None or not abs(values) <= MAX_FLOAT else values
        if operand.entity in (Entity.TAG, Entity.PARAM):
            return (model.tags if operand.entity is Entity.TAG else model.params).get(operand.key)
        return _attributes(model).get(operand.key)

    return value


def _attributes(model: LoggedModel) -> dict[str, Value | None]:
    return {
        "name": model.name,
        "model_id": model.model,
        "model_type": model.model_type,
        "status": model.status.removeprefix("LOGGED_MODEL_"),
        "source_run_id": model.source_run,
        "creation_timestamp": model.created_at.timestamp() * 1000,
        "last_updated_timestamp": model.modified_at.timestamp() * 1000,
    }
