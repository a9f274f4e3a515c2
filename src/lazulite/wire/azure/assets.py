"""Versioned assets on Azure's wire: one set of routes for all five kinds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lazulite.domain.access import Action
from lazulite.domain.asset import AssetKind, Container
from lazulite.formats.azure.asset import (
    decode_container,
    decode_version,
    encode_container,
    encode_version,
)
from lazulite.formats.azure.component import check_component
from lazulite.ports.store import Listed
from lazulite.services import assets
from lazulite.wire.azure.arm import SCOPE, created, deleted, listing, page_of, stages_of
from lazulite.wire.http import Call, Reply, Route


def list_containers(kind: AssetKind, call: Call) -> Reply:
    """List the names of a kind."""
    page = assets.containers(call.services, call.here, kind, stages_of(call), page_of(call))
    return listing(call, page, lambda found: encode_container(found, call.here))


def get_container(kind: AssetKind, call: Call) -> Reply:
    """Return what the versions of a name share."""
    found = assets.container(call.services, call.here, kind, call.params["name"])
    return Reply(body=encode_container(found, call.here, _data_type(call, found)))


def put_container(kind: AssetKind, call: Call) -> Reply:
    """Archive or restore all versions of a name."""
    stage = decode_container(call.json())
    found = assets.set_stage(call.services, call.here, kind, call.params["name"], stage)
    return Reply(body=encode_container(found, call.here, _data_type(call, found)))


def list_versions(kind: AssetKind, call: Call) -> Reply:
    """List the versions of a name, newest first; code may be asked for by its hash."""
    name = call.params["name"]
    if kind is AssetKind.CODE and (sha256 := call.query.get("hash")):
        known = assets.code_of_hash(call.services, call.here, sha256)
        page = Listed([known] if known else [], None)
    else:
        page = assets.versions(
            call.services, call.here, (kind, name), stages_of(call), page_of(call)
        )
    return listing(call, page, lambda asset: encode_version(asset, call.here))


def get_version(kind: AssetKind, call: Call) -> Reply:
    """Return a version."""
    name, version = call.params["name"], call.params["version"]
    found = assets.get(call.services, call.here, kind, name, version)
    return Reply(body=encode_version(found, call.here))


def get_label(kind: AssetKind, call: Call) -> Reply:
    """Return the version that a label points to."""
    name, label = call.params["name"], call.params["label"]
    found = assets.resolve(call.services, call.here, kind, name, label)
    return Reply(body=encode_version(found, call.here))


def put_version(kind: AssetKind, call: Call) -> Reply:
    """Create a version, or describe an existing one anew."""
    draft = decode_version(kind, call.json())
    if kind is AssetKind.COMPONENT:
        check_component(draft.body)
    name, version = call.params["name"], call.params["version"]
    target = assets.named(call.services, kind, name, version, call.principal)
    asset, new = assets.put(call.services, call.here, target, draft)
    return created(encode_version(asset, call.here), new=new)


def delete_version(kind: AssetKind, call: Call) -> Reply:
    """Delete a version."""
    name, version = call.params["name"], call.params["version"]
    return deleted(found=assets.delete(call.services, call.here, kind, name, version))


def routes() -> list[Route]:
    """Return the routes of all kinds of assets."""
    table: list[tuple[str, str, Action, Callable[[AssetKind, Call], Reply]]] = [
        ("GET", "", Action.READ, list_containers),
        ("GET", "/{name}", Action.READ, get_container),
        ("PUT", "/{name}", Action.WRITE, put_container),
        ("GET", "/{name}/versions", Action.READ, list_versions),
        ("GET", "/{name}/versions/{version}", Action.READ, get_version),
        ("PUT", "/{name}/versions/{version}", Action.WRITE, put_version),
        ("DELETE", "/{name}/versions/{version}", Action.WRITE, delete_version),
        ("GET", "/{name}/labels/{label}", Action.READ, get_label),
    ]
    return [
        Route(method=m, path=f"{SCOPE}/{kind}{rest}", action=a, endpoint=partial(endpoint, kind))
        for kind in AssetKind
        for m, rest, a, endpoint in table
    ]


def _data_type(call: Call, container: Container) -> str | None:
    if container.kind is not AssetKind.DATA:
        return None
    latest = assets.get(call.services, call.here, container.kind, container.name, container.latest)
    return str(latest.body.get("dataType"))
