"""Use cases of versions in the registry: the workspace's `model` assets, as MLflow sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.asset import Asset, AssetKind, next_version
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath, WorkspaceId, parse_storage
from lazulite.domain.matching import Lookup, in_order, matches
from lazulite.domain.model import IS_PROMPT, NO_STAGE, RegisteredModel, check_stage
from lazulite.domain.search import Compare, Condition, Entity, Every, Op, Operand, Search, Value
from lazulite.ports.listed import Listed
from lazulite.ports.store import Tx
from lazulite.services.artifact_paths import (
    ArtifactPath,
    logged_model_folder,
    parse_path,
    run_folder,
)
from lazulite.services.context import Services
from lazulite.services.paging import paged
from lazulite.services.registry import versions_of

SOURCE, RUN, MODEL, LINK = "mlflow.source", "mlflow.run_id", "mlflow.model_id", "mlflow.run_link"
Version = tuple[RegisteredModel, Asset]


class VersionDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A version that a client wants to register."""

    name: str
    source: str
    run: str | None = None  # run id
    model: str | None = None  # id of a logged model
    link: str | None = None
    description: str | None = None
    tags: Mapping[str, str] = {}


def create(
    services: Services, ids: WorkspaceId, draft: VersionDraft, principal: Principal
) -> Version:
    """Register the next version of a name.

    Raises:
        NotFound: there is no such name, or nothing at the source.
        InvalidInput: the source is not in the workspace.
    """
    now = services.clock.now()

    def work(tx: Tx) -> Version:
        workspace = tx.workspaces.get(ids).id
        model = tx.registry.get(workspace, draft.name)
        body = body_of(tx, model, draft)
        numbers = [one.version for one in versions_of(tx, workspace, draft.name)]
        asset = Asset(
            kind=AssetKind.MODEL,
            name=draft.name,
            version=next_version(numbers, model.last),
            body=body,
            created_at=now,
            created_by=principal.name,
            modified_at=now,
        )
        tx.registry.put(msgspec.structs.replace(model, modified_at=now))
        return model, tx.assets.add(workspace, asset)

    return services.store.write(work)


def body_of(tx: Tx, model: RegisteredModel, draft: VersionDraft) -> dict[str, Any]:
    """Return what Azure would call the properties of a version of a name.

    Raises:
        NotFound: there is nothing at the source.
        InvalidInput: the source is not in the workspace.
    """
    uri = _uri(tx, model.workspace, draft, prompt=IS_PROMPT in model.tags)
    run = draft.run or _run_behind(tx, model.workspace, draft.source)
    known = {SOURCE: draft.source, RUN: run, MODEL: draft.model, LINK: draft.link}
    body: dict[str, Any] = {
        "modelUri": uri,
        "modelType": "mlflow_model",
        "tags": dict(draft.tags),
        "properties": {key: value for key, value in known.items() if value},
    }
    if draft.description:
        body["description"] = draft.description
    if run:
        body["jobName"] = run
    return body


def get(services: Services, ids: WorkspaceId, name: str, version: str) -> Version:
    """Return a version.

    Raises:
        NotFound: there is none.
    """

    def work(tx: Tx) -> Version:
        workspace = tx.workspaces.get(ids).id
        return tx.registry.get(workspace, name), _version(tx, workspace, name, version)

    return services.store.read(work)


def of_alias(services: Services, ids: WorkspaceId, name: str, alias: str) -> Version:
    """Return the version that an alias means.

    Raises:
        NotFound: there is no such name.
        InvalidInput: it has no such alias.
    """

    def work(tx: Tx) -> Version:
        workspace = tx.workspaces.get(ids).id
        model = tx.registry.get(workspace, name)
        found = model.aliases.get(alias)
        if found is None:
            raise InvalidInput(  # MLflow's code for it
                f"Registered model alias {alias[:100]} not found.", path="alias"
            )
        return model, _version(tx, workspace, name, found)

    return services.store.read(work)


def search(services: Services, ids: WorkspaceId, asked: Search) -> Listed[Version]:
    """Return one page of the versions that a search finds, newest first."""

    def work(tx: Tx) -> list[Version]:
        workspace = tx.workspaces.get(ids).id
        names = _names(asked.condition)
        models = [m for m in tx.registry.all(workspace) if names is None or m.name in names]
        return [(m, asset) for m in models for asset in versions_of(tx, workspace, m.name)]

    found = [one for one in services.store.read(work) if matches(asked.condition, _look(one))]
    found.sort(key=lambda one: one[1].name)
    found.sort(key=lambda one: one[1].modified_at, reverse=True)
    ordered = in_order(found, asked.orders, _look)
    return paged(ordered, lambda one: f"{one[1].name}:{one[1].version}", asked.limit, asked.after)


def describe(
    services: Services, ids: WorkspaceId, name: str, version: str, description: str
) -> Version:
    """Change the description of a version."""
    return _changed(
        services, ids, (name, version), lambda body: {**body, "description": description}
    )


def set_tag(
    services: Services, ids: WorkspaceId, which: tuple[str, str], key: str, value: str | None
) -> None:
    """Set a tag of a version; None removes it."""

    def change(body: dict[str, Any]) -> dict[str, Any]:
        tags = {**(body.get("tags") or {}), key: value}
        return {**body, "tags": {k: v for k, v in tags.items() if v is not None}}

    _changed(services, ids, which, change)


def transition(
    services: Services, ids: WorkspaceId, which: tuple[str, str], stage: str, *, archive: bool
) -> Version:
    """Move a version to a stage; with `archive`, those that are there go to Archived.

    Raises:
        NotFound: there is no such version.
        InvalidInput: there is no such stage.
    """
    new = check_stage(stage)
    now = services.clock.now()

    def work(tx: Tx) -> Version:
        workspace = tx.workspaces.get(ids).id
        model = tx.registry.get(workspace, which[0])
        asset = _version(tx, workspace, *which)
        others = versions_of(tx, workspace, which[0]) if archive and new != NO_STAGE else []
        for other in others:
            if other.id != asset.id and other.body.get("stage") == new:
                body = {**other.body, "stage": "Archived"}
                tx.assets.update(msgspec.structs.replace(other, body=body, modified_at=now))
        body = {**asset.body, "stage": new}
        asset = msgspec.structs.replace(asset, body=body, modified_at=now)
        tx.assets.update(asset)
        return model, asset

    return services.store.write(work)


def delete(services: Services, ids: WorkspaceId, name: str, version: str) -> None:
    """Delete a version, and the aliases that mean it; its number is never given again.

    Raises:
        NotFound: there is no such version.
    """

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        model = tx.registry.get(workspace, name)
        _version(tx, workspace, name, version)
        aliases = {alias: of for alias, of in model.aliases.items() if of != version}
        numbers = [one.version for one in versions_of(tx, workspace, name)]
        last = int(next_version(numbers, model.last)) - 1
        tx.registry.put(msgspec.structs.replace(model, aliases=aliases, last=last))
        tx.assets.delete(workspace, AssetKind.MODEL, name, version)

    services.store.write(work)


def _changed(
    services: Services,
    ids: WorkspaceId,
    which: tuple[str, str],
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> Version:
    now = services.clock.now()

    def work(tx: Tx) -> Version:
        workspace = tx.workspaces.get(ids).id
        old = _version(tx, workspace, *which)
        new = msgspec.structs.replace(old, body=change(old.body), modified_at=now)
        tx.assets.update(new)
        return tx.registry.get(workspace, which[0]), new

    return services.store.write(work)


def _version(tx: Tx, workspace: int, name: str, version: str) -> Asset:
    try:
        return tx.assets.get(workspace, AssetKind.MODEL, name, version)
    except NotFound:
        raise NotFound(
            f"Model Version (name={name[:300]}, version={version[:40]}) not found"
        ) from None


def _uri(tx: Tx, workspace: int, draft: VersionDraft, *, prompt: bool) -> str:
    """Return where the files of a version are, on a datastore of the workspace.

    Raises:
        InvalidInput: the source is somewhere else.
        NotFound: it names a run, a logged model or a version that is not there.
    """
    source = draft.source
    if prompt:  # its text is a tag; it has no files
        return str(StoragePath(ARTIFACT_STORE, f"Prompts/{draft.name}"))
    scheme, _, rest = source.partition(":/")
    if scheme == "models":
        return _of_model(tx, workspace, rest.strip("/"))
    if scheme == "runs":
        run, _, path = rest.strip("/").partition("/")
        return _of_run(tx, workspace, run, path)
    if scheme == "mlflow-artifacts":
        return _of_artifacts(tx, workspace, parse_path(rest.lstrip("/")))
    storage = parse_storage(source)
    if isinstance(storage, StoragePath):
        tx.datastores.get(workspace, storage.datastore)
        return source
    raise InvalidInput(
        f"Invalid model version source: '{source[:200]}'. It must be in the workspace: "
        "runs:/RUN/PATH, models:/..., mlflow-artifacts:/... or azureml://datastores/...",
        path="source",
    )


def _of_artifacts(tx: Tx, workspace: int, where: ArtifactPath) -> str:
    if where.kind == "run":
        return _of_run(tx, workspace, where.owner, where.path)
    if where.kind == "model":
        return _of_model(tx, workspace, f"{where.owner}/{where.path}".rstrip("/"))
    return _of_model(tx, workspace, where.owner.replace(":", "/"))


def _of_run(tx: Tx, workspace: int, run: str, path: str) -> str:
    tx.runs.head(workspace, run)
    inside = parse_path(f"0/{run}/artifacts/{path}").path
    return str(StoragePath(ARTIFACT_STORE, f"{run_folder(run)}/{inside}".rstrip("/")))


def _of_model(tx: Tx, workspace: int, reference: str) -> str:
    name, _, rest = reference.partition("/")
    if name.startswith("m-"):
        model = tx.models.get(workspace, name)
        inside = parse_path(f"0/models/{model.model}/artifacts/{rest}").path
        folder = logged_model_folder(model.model)
        return str(StoragePath(ARTIFACT_STORE, f"{folder}/{inside}".rstrip("/")))
    return str(_version(tx, workspace, name, rest).body["modelUri"])


def _run_behind(tx: Tx, workspace: int, source: str) -> str | None:
    """Return the run that made a version or a logged model, if that is the source."""
    scheme, _, rest = source.partition(":/")
    name, _, version = rest.strip("/").partition("/")
    if scheme != "models":
        return None
    if name.startswith("m-"):
        return tx.models.get(workspace, name).source_run
    properties = _version(tx, workspace, name, version).body.get("properties") or {}
    found: str | None = properties.get(RUN)
    return found


def _names(condition: Condition | None) -> set[str] | None:
    """Return the only names a condition can find; None = any."""
    terms = condition.terms if isinstance(condition, Every) else (condition,)
    for term in terms:
        if isinstance(term, Compare) and term.operand == _NAME and term.op in (Op.EQ, Op.IN):
            return {str(value) for value in term.values}
    return None


_NAME = Operand(Entity.ATTRIBUTE, "name")


def _look(found: Version) -> Lookup:
    asset = found[1]
    properties = asset.body.get("properties") or {}

    def value(operand: Operand) -> Value | None:
        if operand.entity is Entity.TAG:
            absent = "false" if operand.key == IS_PROMPT else None
            tag: str | None = (asset.body.get("tags") or {}).get(operand.key, absent)
            return tag
        known: dict[str, Value | None] = {
            "name": asset.name,
            "version_number": float(asset.version) if asset.version.isdigit() else None,
            "run_id": properties.get(RUN),
            "model_id": properties.get(MODEL),
            "source_path": properties.get(SOURCE) or asset.body.get("modelUri"),
            "current_stage": asset.body.get("stage") or NO_STAGE,
            "creation_timestamp": asset.created_at.timestamp() * 1000,
            "last_updated_timestamp": asset.modified_at.timestamp() * 1000,
        }
        return known.get(operand.key)

    return value
