"""Resources as Azure's JSON, into what `az ml NOUN show` prints: snake_case, flat. Jobs apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lazulite.formats.yaml.shown_job import identity, seconds, short, show_job
from lazulite.formats.yaml.spelling import dropped

Shown = dict[str, Any]


def show(kind: str, resource: Mapping[str, Any]) -> Shown:
    """Return a resource as the command line shows it.

    Args:
        kind: the plural noun of Azure's route.
        resource: as Azure's JSON has it.
    """
    return _SHOW[kind](resource)


def show_container(resource: Mapping[str, Any]) -> Shown:
    """Return all versions of a name, as lists show them."""
    found = resource["properties"]
    latest = found.get("latestVersion")
    return dropped(
        {
            **identity(resource),
            "latest version": latest,
            "description": found.get("description"),
            "type": found.get("dataType"),
            "stage": "Archived" if found.get("isArchived") else None,
        }
    )


def _version(resource: Mapping[str, Any], more: Shown) -> Shown:
    found = resource["properties"]
    shown = {
        **identity(resource),
        "name": str(resource["id"]).rsplit("/", 3)[-3],
        "version": resource["name"],
        "description": found.get("description"),
        "tags": found.get("tags") or {},
        "properties": found.get("properties") or {},
        "stage": "Archived" if found.get("isArchived") else None,
    }
    return dropped(shown | more)


def _data(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    return _version(resource, {"type": found.get("dataType"), "path": found.get("dataUri")})


def _model(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    more = {
        "type": found.get("modelType"),
        "path": found.get("modelUri"),
        "flavors": found.get("flavors") or None,
        "job_name": found.get("jobName"),
    }
    return _version(resource, more)


def _environment(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    build = found.get("build") or {}
    context = {"path": build.get("contextUri"), "dockerfile_path": build.get("dockerfilePath")}
    more = {
        "image": found.get("image"),
        "conda_file": _yaml(found.get("condaFile")),
        "build": dropped(context) or None,
        "os_type": (found.get("osType") or "linux").lower(),
    }
    return _version(resource, more)


def _yaml(text: str | None) -> Any:
    if text is None:
        return None
    from lazulite.domain.errors import LazuliteError
    from lazulite.formats.yaml.parser import parse

    try:
        return parse(text, "conda_file").plain()
    except LazuliteError:
        return text


def _component(resource: Mapping[str, Any]) -> Shown:
    spec = dict(resource["properties"].get("componentSpec") or {})
    spec.pop("_source", None)
    for key in ("code", "environment"):
        if isinstance(spec.get(key), str):
            spec[key] = short(spec[key])
    more = {key: value for key, value in spec.items() if key not in ("name", "version", "tags")}
    return _version(resource, more)


def _code(resource: Mapping[str, Any]) -> Shown:
    return _version(resource, {"path": resource["properties"].get("codeUri")})


def _compute(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    inner = found.get("properties") or {}
    scale = inner.get("scaleSettings") or {}
    return dropped(
        {
            **identity(resource),
            "id": resource.get("id"),
            "type": str(found.get("computeType", "")).lower(),
            "location": resource.get("location"),
            "description": found.get("description"),
            "tags": resource.get("tags") or None,
            "created_on": found.get("createdOn"),
            "provisioning_state": found.get("provisioningState"),
            "state": inner.get("state"),
            "size": inner.get("vmSize"),
            "min_instances": scale.get("minNodeCount"),
            "max_instances": scale.get("maxNodeCount"),
            "idle_time_before_scale_down": seconds(scale.get("nodeIdleTimeBeforeScaleDown")),
            "resource_id": found.get("resourceId"),
            "creation_context": None,
        }
    )


_STORES = {
    "AzureBlob": "azure_blob",
    "AzureFile": "azure_file",
    "AzureDataLakeGen1": "azure_data_lake_gen1",
    "AzureDataLakeGen2": "azure_data_lake_gen2",
}


def _datastore(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    return dropped(
        {
            **identity(resource),
            "id": resource.get("id"),
            "type": _STORES.get(found.get("datastoreType"), found.get("datastoreType")),
            "description": found.get("description"),
            "tags": found.get("tags") or {},
            "is_default": found.get("isDefault"),
            "account_name": found.get("accountName"),
            "container_name": found.get("containerName"),
            "file_share_name": found.get("fileShareName"),
            "filesystem": found.get("filesystem"),
            "store_name": found.get("storeName"),
            "endpoint": found.get("endpoint"),
            "protocol": found.get("protocol"),
            "credentials": {},
            "creation_context": None,
        }
    )


def _workspace(resource: Mapping[str, Any]) -> Shown:
    found = resource["properties"]
    about = identity(resource)
    return dropped(
        {
            "name": resource.get("name"),
            "id": resource.get("id"),
            "resource_group": about["resourceGroup"],
            "resourceGroup": about["resourceGroup"],
            "location": resource.get("location"),
            "display_name": found.get("friendlyName"),
            "description": found.get("description"),
            "tags": resource.get("tags") or {},
            "discovery_url": found.get("discoveryUrl"),
            "mlflow_tracking_uri": found.get("mlFlowTrackingUri"),
        }
    )


_SHOW: dict[str, Callable[[Mapping[str, Any]], Shown]] = {
    "jobs": show_job,
    "data": _data,
    "models": _model,
    "environments": _environment,
    "components": _component,
    "codes": _code,
    "computes": _compute,
    "datastores": _datastore,
    "workspaces": _workspace,
}
