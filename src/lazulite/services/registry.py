"""Use cases of the names in the registry. The versions, `model` assets, are in `versions.py`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from lazulite.domain.asset import Asset, AssetKind, Stage
from lazulite.domain.errors import Conflict, InvalidInput, NotFound
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.matching import Lookup, in_order, matches
from lazulite.domain.model import IS_PROMPT, RegisteredModel, check_model_name
from lazulite.domain.search import Entity, Operand, Search, Value
from lazulite.ports.listed import Listed
from lazulite.ports.store import Page, Tx
from lazulite.services.context import Services
from lazulite.services.paging import paged

EVERY = Page(limit=10_000)
_ALIAS = re.compile(r"[\w\-]{1,255}")
Named = tuple[RegisteredModel, list[Asset]]  # versions, newest first


def create(
    services: Services, ids: WorkspaceId, name: str, description: str, tags: Mapping[str, str]
) -> Named:
    """Register a name.

    Raises:
        InvalidInput: it cannot be one.
        Conflict: it is taken.
    """
    check_model_name(name)
    now = services.clock.now()

    def work(tx: Tx) -> Named:
        workspace = tx.workspaces.get(ids).id
        try:
            tx.registry.get(workspace, name)
        except NotFound:
            model = RegisteredModel(
                workspace=workspace,
                name=name,
                description=description,
                tags=dict(tags),
                created_at=now,
                modified_at=now,
            )
            tx.registry.put(model)
            return model, []
        raise Conflict(f"Registered Model (name={name}) already exists.")

    return services.store.write(work)


def get(services: Services, ids: WorkspaceId, name: str) -> Named:
    """Return a name with its versions.

    Raises:
        NotFound: there is none.
    """

    def work(tx: Tx) -> Named:
        workspace = tx.workspaces.get(ids).id
        return tx.registry.get(workspace, name), versions_of(tx, workspace, name)

    return services.store.read(work)


def search(services: Services, ids: WorkspaceId, asked: Search) -> Listed[Named]:
    """Return one page of the names that a search finds, by name."""

    def work(tx: Tx) -> Listed[Named]:
        workspace = tx.workspaces.get(ids).id
        found = [m for m in tx.registry.all(workspace) if matches(asked.condition, _look(m))]
        page = paged(
            in_order(found, asked.orders, _look), lambda m: m.name, asked.limit, asked.after
        )
        named = [(model, versions_of(tx, workspace, model.name)) for model in page.items]
        return Listed(named, page.next)

    return services.store.read(work)


def describe(services: Services, ids: WorkspaceId, name: str, description: str) -> Named:
    """Change the description of a name."""
    return _changed(
        services, ids, name, lambda m: msgspec.structs.replace(m, description=description)
    )


def set_tag(services: Services, ids: WorkspaceId, name: str, key: str, value: str | None) -> None:
    """Set a tag of a name; None removes it."""

    def change(model: RegisteredModel) -> RegisteredModel:
        tags = {k: v for k, v in {**model.tags, key: value}.items() if v is not None}
        return msgspec.structs.replace(model, tags=tags)

    _changed(services, ids, name, change)


def set_alias(
    services: Services, ids: WorkspaceId, name: str, alias: str, version: str | None
) -> None:
    """Let an alias mean a version; None removes it.

    Raises:
        InvalidInput: it cannot be an alias.
        NotFound: there is no such name or version.
    """
    if not may_be_alias(alias):
        raise InvalidInput(
            f"Invalid alias name: '{alias[:100]}'. Use letters, digits, '_' and '-', and neither "
            "'latest' nor a version such as 'v1'",
            path="alias",
        )

    def change(model: RegisteredModel) -> RegisteredModel:
        merged = {**model.aliases, alias: version}
        aliases = {k: v for k, v in merged.items() if v is not None}
        return msgspec.structs.replace(model, aliases=aliases)

    def check(tx: Tx, workspace: int) -> None:
        if version is not None:
            tx.assets.get(workspace, AssetKind.MODEL, name, version)

    _changed(services, ids, name, change, check)


def may_be_alias(text: str) -> bool:
    """Tell whether a version may be called this."""
    is_version = text == "latest" or re.fullmatch(r"[vV]\d+", text)
    return _ALIAS.fullmatch(text) is not None and not is_version


def rename(services: Services, ids: WorkspaceId, name: str, new: str) -> Named:
    """Give a name and its versions another name.

    Raises:
        NotFound: there is no such name.
        Conflict: the new one is taken.
    """
    check_model_name(new)

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        tx.registry.get(workspace, name)
        tx.registry.rename(workspace, name, new)

    services.store.write(work)
    return get(services, ids, new)


def delete(services: Services, ids: WorkspaceId, name: str) -> None:
    """Delete a name with its versions; the files stay with the runs that made them.

    Raises:
        NotFound: there is no such name.
    """

    def work(tx: Tx) -> None:
        workspace = tx.workspaces.get(ids).id
        tx.registry.get(workspace, name)
        tx.registry.delete(workspace, name)

    services.store.write(work)


def versions_of(tx: Tx, workspace: int, name: str) -> list[Asset]:
    """Return the versions of a name, newest first."""
    stages = (Stage.ACTIVE, Stage.ARCHIVED)
    return tx.assets.versions(workspace, AssetKind.MODEL, name, stages, EVERY).items


def _changed(
    services: Services,
    ids: WorkspaceId,
    name: str,
    change: Callable[[RegisteredModel], RegisteredModel],
    check: Callable[[Tx, int], None] = lambda _tx, _workspace: None,
) -> Named:
    now = services.clock.now()

    def work(tx: Tx) -> Named:
        workspace = tx.workspaces.get(ids).id
        model = change(tx.registry.get(workspace, name))
        check(tx, workspace)
        model = msgspec.structs.replace(model, modified_at=now)
        tx.registry.put(model)
        return model, versions_of(tx, workspace, name)

    return services.store.write(work)


def _look(model: RegisteredModel) -> Lookup:
    def value(operand: Operand) -> Value | None:
        if operand.entity is Entity.TAG:
            absent = "false" if operand.key == IS_PROMPT else None  # the client asks for != 'true'
            return model.tags.get(operand.key, absent)
        known: dict[str, Value] = {
            "name": model.name,
            "creation_timestamp": model.created_at.timestamp() * 1000,
            "last_updated_timestamp": model.modified_at.timestamp() * 1000,
        }
        return known.get(operand.key)

    return value
