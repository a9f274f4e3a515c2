"""Compute targets in Azure's JSON. Whatever looks like a secret is dropped when it is read."""

from __future__ import annotations

from typing import Any

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.domain.ids import WorkspaceId
from lazulite.domain.workspace import Compute
from lazulite.formats.azure.envelope import Stamp, convert, properties_of, resource, string_map
from lazulite.ports.compute import Capacity

_SECRET = ("password", "privatekey", "secret", "accesstoken", "connectionstring")
_SERVER_FIELDS = (
    "provisioningState", "provisioningErrors", "createdOn", "modifiedOn", "isAttachedCompute",
)  # fmt: skip
_SERVER_PROPERTIES = (
    "allocationState", "allocationStateTransitionTime", "currentNodeCount", "targetNodeCount",
    "nodeStateCounts", "errors", "state", "connectivityEndpoints", "applications", "lastOperation",
    "createdBy",
)  # fmt: skip
MAX_NODES = 10_000  # of a cluster: jobs at once
THIS_MACHINE = "LOCAL"  # vmSize of the machine the server runs on


class ComputeDraft(msgspec.Struct, frozen=True, kw_only=True):
    """What a request says about a compute."""

    kind: str
    location: str | None
    body: dict[str, Any]
    tags: dict[str, str]
    slots: int | None


def decode_compute(body: dict[str, Any]) -> ComputeDraft:
    """Read the body of a PUT of a compute.

    Raises:
        InvalidInput: it has no computeType, or a node count that is none.
    """
    properties = properties_of(body)
    kind = properties.get("computeType")
    if not isinstance(kind, str):
        raise InvalidInput("'computeType' must be given", path="properties.computeType")
    kept = {k: v for k, v in _public(properties).items() if k not in _SERVER_FIELDS}
    inner = kept.get("properties")
    if isinstance(inner, dict):
        kept["properties"] = {k: v for k, v in inner.items() if k not in _SERVER_PROPERTIES}
    if isinstance(body.get("identity"), dict):
        kept["identity"] = body["identity"]
    location = body.get("location")
    return ComputeDraft(
        kind=kind,
        location=None if location is None else convert(location, str, "location"),
        body=kept,
        tags=string_map(body.get("tags"), "tags"),
        slots=_slots(kept),
    )


def decode_scale(body: dict[str, Any]) -> dict[str, Any]:
    """Read the body of a PATCH: the new scale settings of an AmlCompute.

    Raises:
        InvalidInput: there are none.
    """
    properties = properties_of(body)
    inner = properties.get("properties", properties)
    settings = inner.get("scaleSettings") if isinstance(inner, dict) else None
    if not isinstance(settings, dict):
        raise InvalidInput(
            "only 'scaleSettings' can be changed", path="properties.properties.scaleSettings"
        )
    return settings


def rescaled(body: dict[str, Any], settings: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
    """Return a compute's body with new scale settings, and its slots."""
    inner = dict(body.get("properties") or {})
    inner["scaleSettings"] = {**(inner.get("scaleSettings") or {}), **settings}
    changed = {**body, "properties": inner}
    return changed, _slots(changed)


def encode_compute(compute: Compute, workspace: WorkspaceId, capacity: Capacity) -> dict[str, Any]:
    """Return a compute as ARM does, its state included."""
    body = dict(compute.body)
    identity = body.pop("identity", None)
    inner = {**(body.get("properties") or {}), **_state(compute, capacity)}
    properties = {
        "disableLocalAuth": True,
        **body,
        "computeType": compute.kind,
        "computeLocation": compute.location,
        "provisioningState": "Succeeded",
        "provisioningErrors": None,
        "createdOn": compute.created_at,
        "modifiedOn": compute.modified_at,
        "isAttachedCompute": compute.kind not in ("AmlCompute", "ComputeInstance"),
        "properties": inner,
    }
    stamp = Stamp(
        created_at=compute.created_at,
        created_by=compute.created_by,
        modified_at=compute.modified_at,
    )
    reply = resource(workspace, f"computes/{compute.name}", properties, stamp)
    reply |= {"location": compute.location, "tags": compute.tags}
    return reply | ({"identity": identity} if identity else {})


def encode_size(capacity: Capacity) -> dict[str, Any]:
    """Return this machine as the one VM size there is."""
    return {
        "name": THIS_MACHINE,
        "family": "local",
        "vCPUs": capacity.cores,
        "gpus": capacity.gpus,
        "osVhdSizeMB": 0,
        "maxResourceVolumeMB": 0,
        "memoryGB": round(capacity.memory / 2**30, 1),
        "lowPriorityCapable": False,
        "premiumIO": False,
        "estimatedVMPrices": None,
        "supportedComputeTypes": ["AmlCompute", "ComputeInstance"],
    }


def encode_usage(capacity: Capacity, location: str) -> dict[str, Any]:
    """Return the cores of this machine as Azure's quota."""
    return {
        "id": f"locations/{location}/usages/cores",
        "amlWorkspaceLocation": location,
        "type": "Microsoft.MachineLearningServices/usages",
        "unit": "Count",
        "currentValue": 0,
        "limit": capacity.cores,
        "name": {"value": "cores", "localizedValue": "Cores of this machine"},
    }


def _public(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _public(inner)
            for key, inner in value.items()
            if inner is not None and not any(word in key.lower() for word in _SECRET)
        }
    return [_public(inner) for inner in value] if isinstance(value, list) else value


def _slots(body: dict[str, Any]) -> int | None:
    inner = body.get("properties")
    settings = inner.get("scaleSettings") if isinstance(inner, dict) else None
    if not isinstance(settings, dict) or settings.get("maxNodeCount") is None:
        return None
    path = "properties.properties.scaleSettings.maxNodeCount"
    count = convert(settings["maxNodeCount"], int, path)
    if not 0 <= count <= MAX_NODES:
        raise InvalidInput(f"'maxNodeCount' must be from 0 to {MAX_NODES}", path=path)
    return count


def _state(compute: Compute, capacity: Capacity) -> dict[str, Any]:
    if compute.kind == "AmlCompute":
        return _cluster_state(compute, capacity)
    if compute.kind == "ComputeInstance":
        state = "Stopped" if compute.stopped else "Running"
        created = {"userId": "0", "userOrgId": "0", "userName": compute.created_by}
        return {"state": state, "createdBy": created, "applications": [], "errors": []}
    return {}


def _cluster_state(compute: Compute, capacity: Capacity) -> dict[str, Any]:
    inner = compute.body.get("properties") or {}
    most = capacity.cores if compute.slots is None else compute.slots
    return {
        "vmSize": inner.get("vmSize") or THIS_MACHINE,
        "vmPriority": inner.get("vmPriority") or "Dedicated",
        "osType": "Linux",
        "scaleSettings": {
            "minNodeCount": 0,
            "nodeIdleTimeBeforeScaleDown": "PT2M",
            **(inner.get("scaleSettings") or {}),
            "maxNodeCount": most,
        },
        "allocationState": "Steady",
        "allocationStateTransitionTime": compute.modified_at,
        "currentNodeCount": 1,
        "targetNodeCount": 1,
        "nodeStateCounts": {"idleNodeCount": 1, "runningNodeCount": 0, "preparingNodeCount": 0},
        "errors": [],
    }
