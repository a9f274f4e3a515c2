"""A job as Azure's JSON, into what `az ml job show` prints; `lazulite` holds what it adds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lazulite.domain.ids import split_arm
from lazulite.formats.yaml.spelling import INPUT_MODES, OUTPUT_MODES, dropped

_MODES = {azure: word for table in (OUTPUT_MODES, INPUT_MODES) for word, azure in table.items()}
_MODES |= {"ReadOnlyMount": "ro_mount", "ReadWriteMount": "rw_mount"}
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_ASSET = re.compile(r"(?:codes|components|environments|data|models)/([^/]+)/(versions|labels)/(.+)")


def show_job(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return a job as the command line shows it."""
    job = resource["properties"]
    kind = str(job.get("jobType", "")).lower()
    shown = {
        **identity(resource),
        "type": kind,
        "display_name": job.get("displayName"),
        "description": job.get("description") or None,
        "experiment_name": job.get("experimentName"),
        "status": job.get("status"),
        "compute": short(job.get("computeId")),
        "inputs": {name: _input(value) for name, value in (job.get("inputs") or {}).items()},
        "outputs": {name: _output(value) for name, value in (job.get("outputs") or {}).items()},
        "services": {name: _service(value) for name, value in (job.get("services") or {}).items()},
        "tags": job.get("tags") or {},
        "properties": job.get("properties") or {},
        "parent_job_name": (job.get("lazulite") or {}).get("parent"),
        "lazulite": job.get("lazulite"),
    }
    return dropped(shown | (_pipeline(job) if kind == "pipeline" else _command(job)))


def identity(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every resource shows of itself: name, id, resourceGroup, creation_context."""
    arm = str(resource.get("id", ""))
    system = resource.get("systemData") or {}
    return {
        "name": resource.get("name"),
        "id": f"azureml:{arm}",
        "resourceGroup": split_arm(arm)[0].resource_group if arm else None,
        "creation_context": dropped(
            {
                "created_at": system.get("createdAt"),
                "created_by": system.get("createdBy"),
                "created_by_type": system.get("createdByType"),
                "last_modified_at": system.get("lastModifiedAt"),
            }
        ),
    }


def short(arm: str | None) -> str | None:
    """Return `azureml:name:version` for an ARM id, other references as they are."""
    if not arm or not arm.removeprefix("azureml:").startswith("/subscriptions/"):
        return arm
    rest = split_arm(arm)[1]
    if found := _ASSET.fullmatch(rest):
        return f"azureml:{found[1]}{':' if found[2] == 'versions' else '@'}{found[3]}"
    return f"azureml:{rest.rsplit('/', 1)[-1]}"


def seconds(duration: str | None) -> int | None:
    """Return the seconds of an ISO 8601 duration of hours, minutes and seconds."""
    found = _DURATION.fullmatch(duration or "")
    if not found or not any(found.groups()):
        return None
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + rest


def _command(job: Mapping[str, Any]) -> dict[str, Any]:
    resources = job.get("resources") or {}
    timeout = seconds((job.get("limits") or {}).get("timeout"))
    return {
        "command": job.get("command"),
        "code": short(job.get("codeId")),
        "environment": short(job.get("environmentId")),
        "environment_variables": job.get("environmentVariables") or {},
        "resources": dropped(
            {
                "instance_count": resources.get("instanceCount"),
                "instance_type": resources.get("instanceType"),
                "shm_size": resources.get("shmSize"),
            }
        ),
        "limits": None if timeout is None else {"timeout": timeout},
    }


def _pipeline(job: Mapping[str, Any]) -> dict[str, Any]:
    settings = {k: v for k, v in (job.get("settings") or {}).items() if k != "_source"}
    for key in ("default_compute", "default_datastore"):
        if key in settings:
            settings[key] = short(settings[key])
    nodes = job.get("jobs") or {}
    return {"settings": settings, "jobs": {name: _node(node) for name, node in nodes.items()}}


def _node(node: Mapping[str, Any]) -> dict[str, Any]:
    component = node.get("component")
    return dropped(
        {
            "type": node.get("type"),
            "component": short(node.get("componentId")) or component,
            "compute": short(node.get("computeId")),
            "inputs": {name: _input(value) for name, value in (node.get("inputs") or {}).items()},
            "outputs": {
                name: _output(value) for name, value in (node.get("outputs") or {}).items()
            },
        }
    )


def _input(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kind = value.get("jobInputType") or value.get("job_input_type")
    if kind == "literal" and not value.get("mode"):
        text = value.get("value")
        return {"path": text} if text and "${{" in text else text
    path = value.get("uri") or value.get("value")
    return dropped({"type": kind, "path": path, "mode": _mode(value)})


def _output(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "value" in value:
        return value["value"]
    return dropped(
        {
            "type": value.get("jobOutputType") or value.get("job_output_type"),
            "path": value.get("uri"),
            "mode": _mode(value),
            "name": value.get("assetName") or value.get("name"),
            "version": value.get("assetVersion") or value.get("version"),
        }
    )


def _mode(value: Mapping[str, Any]) -> str | None:
    mode = value.get("mode")
    return _MODES.get(str(mode), mode)


def _service(value: Mapping[str, Any]) -> dict[str, Any]:
    return dropped({"endpoint": value.get("endpoint"), "type": value.get("jobServiceType")})
