"""Workspaces in Azure's JSON, and the ARM deployment by which the SDK creates one."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import LOCAL_LOCATION, LOCAL_SUBSCRIPTION, PROVIDER, WorkspaceId
from lazulite.domain.workspace import Workspace
from lazulite.formats.azure.envelope import Stamp, convert, properties_of, string_map, system_data

_KEPT = ("kind", "identity", "sku", "publicNetworkAccess", "imageBuildCompute", "hbiWorkspace")


class WorkspaceDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about a workspace; None = nothing."""

    location: str | None = None
    display_name: str | None = None
    description: str | None = None
    tags: dict[str, str] | None = None
    body: dict[str, Any] = {}  # what is only echoed


def decode_workspace(body: dict[str, Any]) -> WorkspaceDraft:
    """Read the body of a PUT or PATCH of a workspace."""
    properties = body.get("properties") or {}
    flat = {**body, **(properties if isinstance(properties, dict) else {})}
    tags = body.get("tags")
    return WorkspaceDraft(
        location=_text(body.get("location"), "location"),
        display_name=_text(flat.get("friendlyName"), "properties.friendlyName"),
        description=_text(flat.get("description"), "properties.description"),
        tags=None if tags is None else string_map(tags, "tags"),
        body={key: flat[key] for key in _KEPT if flat.get(key) is not None},
    )


def decode_deployment(body: dict[str, Any]) -> tuple[str, WorkspaceDraft]:
    """Read an ARM deployment of a workspace: its name and what its parameters say.

    Raises:
        InvalidInput: the template has no parameter `workspaceName`: it makes something else.
    """
    given = convert(properties_of(body).get("parameters") or {}, dict[str, Any], "parameters")
    values = {key: one.get("value") for key, one in given.items() if isinstance(one, dict)}
    name = values.get("workspaceName")
    if not isinstance(name, str):
        raise InvalidInput(
            "only deployments that create a workspace are understood: "
            "the template's parameters need a 'workspaceName'",
            path="properties.parameters.workspaceName",
        )
    kind = _text(values.get("kind"), "kind")
    return name, WorkspaceDraft(
        location=_text(values.get("location"), "location"),
        display_name=_text(values.get("friendlyName"), "friendlyName"),
        description=_text(values.get("description"), "description"),
        tags=string_map(values.get("tagValues"), "tagValues"),
        body={"kind": kind} if kind else {},
    )


def encode_workspace(workspace: Workspace, base: str) -> dict[str, Any]:
    """Return a workspace as ARM does.

    Args:
        workspace: the record.
        base: scheme and host the client calls: its URLs lead back there.
    """
    ids, guid = workspace.ids, str(uuid.uuid5(uuid.NAMESPACE_URL, workspace.ids.key))
    extra = dict(workspace.body)
    kind = extra.pop("kind", "Default")
    identity = extra.pop("identity", None) or {"type": "SystemAssigned"}
    sku = extra.pop("sku", None) or {"name": "Basic", "tier": "Basic"}
    properties = {
        "friendlyName": workspace.display_name,
        "description": workspace.description,
        "workspaceId": guid,
        "tenantId": LOCAL_SUBSCRIPTION,
        "provisioningState": "Succeeded",
        "discoveryUrl": f"{base}/discovery",
        "mlFlowTrackingUri": f"{base}/mlflow/v1.0{ids.arm}",
        "hbiWorkspace": False,
        "publicNetworkAccess": "Enabled",
        "v1LegacyMode": False,
        **extra,
    }
    return {
        "id": ids.arm,
        "name": ids.name,
        "type": f"{PROVIDER}/workspaces",
        "kind": kind,
        "location": workspace.location,
        "tags": workspace.tags,
        "identity": {
            "principalId": guid,
            "tenantId": LOCAL_SUBSCRIPTION,
            **{k: v for k, v in identity.items() if v is not None},
        },
        "sku": sku,
        "properties": properties,
        "systemData": system_data(
            Stamp(
                created_at=workspace.created_at,
                created_by=workspace.created_by,
                modified_at=workspace.modified_at,
            )
        ),
    }


def encode_deployment(ids: WorkspaceId, deployment: str) -> dict[str, Any]:
    """Return the ARM deployment that made a workspace: it is done as soon as it is asked for."""
    scope = f"/subscriptions/{ids.subscription}/resourceGroups/{ids.resource_group}"
    return {
        "id": f"{scope}/providers/Microsoft.Resources/deployments/{deployment}",
        "name": deployment,
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "provisioningState": "Succeeded",
            "duration": "PT1S",
            "mode": "Incremental",
            "outputResources": [{"id": ids.arm}],
        },
    }


def encode_group(subscription: str, group: str) -> dict[str, Any]:
    """Return a resource group; any name is one, as groups only sort workspaces here."""
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}",
        "name": group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": LOCAL_LOCATION,
        "properties": {"provisioningState": "Succeeded"},
    }


def _text(value: Any, path: str) -> str | None:
    return None if value is None else convert(value, str, path)
