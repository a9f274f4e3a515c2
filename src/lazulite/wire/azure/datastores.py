"""Datastores on Azure's wire."""

from __future__ import annotations

from typing import Any

from lazulite.domain.access import Action
from lazulite.domain.workspace import Datastore, Workspace
from lazulite.formats.azure.datastore import decode_datastore, encode_datastore
from lazulite.ports.store import Listed
from lazulite.services import datastores
from lazulite.wire.azure.arm import SCOPE, created, deleted, listing, page_of
from lazulite.wire.http import Call, Reply, Route

_ONE = SCOPE + "/datastores/{name}"


def list_all(call: Call) -> Reply:
    """List the datastores of a workspace, or only the default one (`isDefault=true`)."""
    if call.query.get("isDefault", "").lower() == "true":
        workspace, default = datastores.default(call.services, call.here)
        page = Listed([default], None)
    else:
        workspace, page = datastores.page(call.services, call.here, page_of(call))
    return listing(call, page, lambda datastore: _encode(call, workspace, datastore))


def get(call: Call) -> Reply:
    """Return a datastore, without secrets."""
    found = datastores.get(call.services, call.here, call.params["name"])
    return Reply(body=_encode(call, *found))


def put(call: Call) -> Reply:
    """Create or replace a datastore."""
    draft = decode_datastore(call.json())
    workspace, datastore, new = datastores.put(
        call.services, call.here, call.params["name"], draft, call.principal
    )
    return created(_encode(call, workspace, datastore), new=new)


def delete(call: Call) -> Reply:
    """Forget a datastore."""
    return deleted(found=datastores.delete(call.services, call.here, call.params["name"]))


def list_secrets(call: Call) -> Reply:
    """Return the secrets of a datastore."""
    return Reply(body=datastores.secrets(call.services, call.here, call.params["name"]))


def routes() -> list[Route]:
    """Return the routes of datastores."""
    table = [
        ("GET", SCOPE + "/datastores", Action.READ, list_all),
        ("GET", _ONE, Action.READ, get),
        ("PUT", _ONE, Action.MANAGE, put),
        ("DELETE", _ONE, Action.MANAGE, delete),
        ("POST", _ONE + "/listSecrets", Action.SECRETS, list_secrets),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]


def _encode(call: Call, workspace: Workspace, datastore: Datastore) -> dict[str, Any]:
    return encode_datastore(
        datastore, workspace.ids, workspace.id, workspace.default_datastore, call.base
    )
