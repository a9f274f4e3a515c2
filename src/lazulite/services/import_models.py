"""Use cases of an import: logged models and the registry, with the ids and numbers they had.

Nothing that is there is changed; see ADR 0012.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from lazulite.domain.access import Principal
from lazulite.domain.asset import Asset, AssetKind, next_version
from lazulite.domain.errors import Conflict, InvalidInput, LazuliteError, NotFound
from lazulite.domain.ids import WorkspaceId, check_name
from lazulite.domain.model import (
    LoggedModel,
    ModelStatus,
    RegisteredModel,
    check_model_name,
    check_stage,
)
from lazulite.domain.run import MAX_TAG, check_key
from lazulite.formats.mlflow import transfer as t
from lazulite.ports.store import Tx
from lazulite.services import experiments, models, registry, versions
from lazulite.services.context import Services
from lazulite.services.imports import millis
from lazulite.services.tracking import moment_of

ORIGIN = "lazulite.import.model_id"  # tag: the id of a model that has another here
NUMBER = "lazulite.import.version"  # tag: the number of a version that has another here


def begin(services: Services, ids: WorkspaceId, asked: t.BeginModels) -> t.BegunModels:
    """Make the logged models that are not there, as pending ones.

    A model is the same as one that is there if id and creation are equal.

    Raises:
        NotFound: there is no such experiment.
        InvalidInput: a name, key or time cannot be one.
    """
    for model in asked.models:
        models.check_name(model.name)
        moment_of(model.created, "created")
        for key in (*model.params, *model.tags):
            check_key(key, "key")

    def work(tx: Tx) -> t.BegunModels:
        workspace = tx.workspaces.get(ids).id
        return t.BegunModels([_place(tx, workspace, m, dry=asked.dry) for m in asked.models])

    return services.store.read(work) if asked.dry else services.store.write(work)


def finish(services: Services, ids: WorkspaceId, ended: t.EndedModel) -> None:
    """Give a pending model the status that it had.

    Raises:
        NotFound: there is no such model.
    """
    modified = moment_of(ended.modified, "modified")

    def work(tx: Tx) -> None:
        model = tx.models.get(tx.workspaces.get(ids).id, ended.model)
        if model.status is ModelStatus.PENDING:
            new = msgspec.structs.replace(model, status=ended.status, modified_at=modified)
            tx.models.update(new)

    services.store.write(work)


def place_name(
    services: Services, ids: WorkspaceId, sent: t.SentName, principal: Principal
) -> t.PlacedName:
    """Make a registered model and versions of it, where name and numbers are free.

    A version is the same as one that is there if number and creation are equal. If another has
    its number, it gets the next one. An alias that means another version here is left.

    Raises:
        InvalidInput: a name, key, stage or time cannot be one.
    """
    check_model_name(sent.name)
    tags = {check_key(key, "tags"): value[:MAX_TAG] for key, value in sent.tags.items()}
    created = moment_of(sent.created, "created")
    modified = created if sent.modified is None else moment_of(sent.modified, "modified")
    for version in sent.versions:
        check_stage(version.stage)
        moment_of(version.created, "created")
        for key in version.tags:
            check_key(key, "tags")

    def work(tx: Tx) -> t.PlacedName:
        workspace = tx.workspaces.get(ids).id
        try:
            model, new = tx.registry.get(workspace, sent.name), False
        except NotFound:
            model, new = (
                RegisteredModel(
                    workspace=workspace,
                    name=sent.name,
                    description=sent.description,
                    tags=tags,
                    created_at=created,
                    modified_at=modified,
                ),
                True,
            )
        there = [] if new else registry.versions_of(tx, workspace, sent.name)
        if sent.dry:
            return t.PlacedName(new=new, versions=_foreseen(sent.versions, there))
        if new:
            tx.registry.put(model)
        placed = _versions(tx, model, sent.versions, there, principal)
        return t.PlacedName(new=new, versions=placed, refused=_aliases(tx, model, sent, placed))

    return services.store.read(work) if sent.dry else services.store.write(work)


def _place(tx: Tx, workspace: int, sent: t.SentModel, *, dry: bool) -> t.PlacedModel:
    names = [f"m-{t.other_id(sent.id, sent.created)}"]
    if sent.id.startswith("m-") and _may_be_an_id(sent.id):
        names.insert(0, sent.id)
    free = []
    for name in names:
        try:
            found = tx.models.get(workspace, name)
        except NotFound:
            free.append(name)
            continue
        if millis(found.created_at) == sent.created:
            state: t.State = "open" if found.status is ModelStatus.PENDING else "same"
            return t.PlacedModel(id=name, state=state)
    if not free:
        raise Conflict(f"model '{sent.id[:100]}': its id and the one that stands for it are taken")
    if not dry:
        tx.models.add(_model(tx, workspace, sent, free[0]))
    return t.PlacedModel(id=free[0], state="new")


def _model(tx: Tx, workspace: int, sent: t.SentModel, name: str) -> LoggedModel:
    created = moment_of(sent.created, "created")
    tags = {key: value[:MAX_TAG] for key, value in sent.tags.items()}
    return LoggedModel(
        workspace=workspace,
        experiment=experiments.find(tx, workspace, sent.experiment, None).id,
        model=name,
        name=sent.name,
        model_type=sent.model_type,
        source_run=sent.source_run,
        tags=tags if name == sent.id else {**tags, ORIGIN: sent.id},
        params=dict(sent.params),
        created_at=created,
        modified_at=created,
    )


def _may_be_an_id(text: str) -> bool:
    try:
        check_name(text, "logged model")
    except InvalidInput:
        return False
    return True


def _versions(
    tx: Tx,
    model: RegisteredModel,
    sent: Sequence[t.SentVersion],
    there: list[Asset],
    principal: Principal,
) -> list[t.PlacedVersion]:
    placed = []
    for one in sent:
        same = _same(one, there)
        if same is not None:
            placed.append(t.PlacedVersion(version=same.version))
            continue
        numbers = [asset.version for asset in there]
        number = next_version(numbers) if one.version in numbers else one.version
        try:
            asset = _asset(tx, model, one, number, principal)
        except LazuliteError as error:  # what it was made of is not here: the others may be
            placed.append(t.PlacedVersion(version=one.version, refused=error.message))
            continue
        there.append(tx.assets.add(model.workspace, asset))
        placed.append(t.PlacedVersion(version=number, new=True))
    return placed


def _foreseen(sent: Sequence[t.SentVersion], there: list[Asset]) -> list[t.PlacedVersion]:
    return [t.PlacedVersion(version=one.version, new=_same(one, there) is None) for one in sent]


def _same(sent: t.SentVersion, there: Sequence[Asset]) -> Asset | None:
    for asset in there:
        numbers = (asset.version, (asset.body.get("tags") or {}).get(NUMBER))
        if sent.version in numbers and millis(asset.created_at) == sent.created:
            return asset
    return None


def _asset(
    tx: Tx, model: RegisteredModel, sent: t.SentVersion, number: str, principal: Principal
) -> Asset:
    draft = versions.VersionDraft(
        name=model.name,
        source=sent.source,
        run=sent.run,
        model=sent.model,
        link=sent.link,
        description=sent.description,
        tags={key: value[:MAX_TAG] for key, value in sent.tags.items()},
    )
    body: dict[str, Any] = versions.body_of(tx, model, draft)
    if number != sent.version:
        body["tags"] = {**body["tags"], NUMBER: sent.version}
    stage = check_stage(sent.stage)
    if stage != "None":
        body["stage"] = stage
    modified: datetime = moment_of(sent.modified or sent.created, "modified")
    return Asset(
        kind=AssetKind.MODEL,
        name=model.name,
        version=number,
        body=body,
        created_at=moment_of(sent.created, "created"),
        created_by=sent.user or principal.name,
        modified_at=modified,
    )


def _aliases(
    tx: Tx, model: RegisteredModel, sent: t.SentName, placed: Sequence[t.PlacedVersion]
) -> list[str]:
    """Add the aliases that are free; return those that mean something else here."""
    numbers = {
        one.version: done.version
        for one, done in zip(sent.versions, placed, strict=True)
        if done.refused is None
    }
    wanted = {alias: numbers[of] for alias, of in sent.aliases.items() if of in numbers}
    free = {
        alias: version
        for alias, version in wanted.items()
        if registry.may_be_alias(alias) and alias not in model.aliases
    }
    if free:
        tx.registry.put(msgspec.structs.replace(model, aliases={**model.aliases, **free}))
    every = {**model.aliases, **free}
    return [alias for alias, version in wanted.items() if every.get(alias) != version]
