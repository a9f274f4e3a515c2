"""Workspaces on Azure's wire, and the ARM deployment by which the SDK makes one."""

from __future__ import annotations

from lazulite.domain.access import Action
from lazulite.domain.ids import WorkspaceId
from lazulite.formats.azure.workspace import (
    decode_deployment,
    decode_workspace,
    encode_deployment,
    encode_group,
    encode_workspace,
)
from lazulite.services import workspaces
from lazulite.wire.azure.arm import (
    GROUP,
    SCOPE,
    SUBSCRIPTION,
    created,
    done,
    listing,
    page_of,
)
from lazulite.wire.http import Call, Reply, Route

_LIST = "/providers/Microsoft.MachineLearningServices/workspaces"
_DEPLOYMENT = GROUP + "/providers/Microsoft.Resources/deployments/{deployment}"


def list_all(call: Call) -> Reply:
    """List the workspaces of a subscription, or of one group in it."""
    found = workspaces.page(
        call.services, call.params["subscription"], call.params.get("group"), page_of(call)
    )
    return listing(call, found, lambda workspace: encode_workspace(workspace, call.base))


def get(call: Call) -> Reply:
    """Return a workspace."""
    return Reply(body=encode_workspace(workspaces.get(call.services, call.here), call.base))


def put(call: Call) -> Reply:
    """Make or change a workspace; our own client uses this, the SDK a deployment."""
    draft = decode_workspace(call.json())
    made, new = workspaces.create(call.services, call.here, draft, call.principal)
    return created(encode_workspace(made, call.base), new=new)


def patch(call: Call) -> Reply:
    """Change a workspace."""
    changed = workspaces.update(call.services, call.here, decode_workspace(call.json()))
    return Reply(body=encode_workspace(changed, call.base))


def delete(call: Call) -> Reply:
    """Delete a workspace and everything in it."""
    found = workspaces.delete(call.services, call.here)
    return done(call, status=202) if found else Reply(status=204)


def list_keys(call: Call) -> Reply:
    """Return the keys Azure keeps beside a workspace; here there are none."""
    workspaces.get(call.services, call.here)
    return Reply(body={"userStorageKey": None, "appInsightsInstrumentationKey": None})


def resync_keys(call: Call) -> Reply:
    """Read the keys anew that Azure keeps beside a workspace; here there are none."""
    workspaces.get(call.services, call.here)
    return done(call, status=202)


def diagnose(call: Call) -> Reply:
    """Return the findings on a workspace's Azure resources; here there are none."""
    workspaces.get(call.services, call.here)
    return Reply(body={"value": {}})


def put_deployment(call: Call) -> Reply:
    """Make the workspace that an ARM template describes by its parameters."""
    name, draft = decode_deployment(call.json())
    ids = WorkspaceId(call.params["subscription"], call.params["group"], name)
    _, new = workspaces.create(call.services, ids, draft, call.principal)
    return created(encode_deployment(ids, call.params["deployment"]), new=new)


def get_deployment(call: Call) -> Reply:
    """Return a deployment: whatever was asked for is done."""
    ids = WorkspaceId(call.params["subscription"], call.params["group"], "-")
    return Reply(body=encode_deployment(ids, call.params["deployment"]))


def list_operations(_: Call) -> Reply:
    """Return the steps of a deployment that are worth telling: none."""
    return Reply(body={"value": []})


def get_group(call: Call) -> Reply:
    """Return a resource group."""
    return Reply(body=encode_group(call.params["subscription"], call.params["group"]))


def routes() -> list[Route]:
    """Return the routes of workspaces."""
    table = [
        ("GET", SUBSCRIPTION + _LIST, Action.READ, list_all),
        ("GET", GROUP + _LIST, Action.READ, list_all),
        ("GET", SCOPE, Action.READ, get),
        ("PUT", SCOPE, Action.ADMIN, put),
        ("PATCH", SCOPE, Action.ADMIN, patch),
        ("DELETE", SCOPE, Action.ADMIN, delete),
        ("POST", SCOPE + "/listKeys", Action.SECRETS, list_keys),
        ("POST", SCOPE + "/resyncKeys", Action.SECRETS, resync_keys),
        ("POST", SCOPE + "/diagnose", Action.READ, diagnose),
        ("GET", GROUP, Action.READ, get_group),
        ("PUT", _DEPLOYMENT, Action.ADMIN, put_deployment),
        ("GET", _DEPLOYMENT, Action.READ, get_deployment),
        ("GET", _DEPLOYMENT + "/operations", Action.READ, list_operations),
        ("GET", GROUP + "/deployments/{deployment}/operations", Action.READ, list_operations),
    ]
    return [Route(method=m, path=p, action=a, endpoint=e) for m, p, a, e in table]
