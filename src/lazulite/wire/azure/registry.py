"""The registry `azureml`: its curated environments, read only."""

from __future__ import annotations

from lazulite.domain import curated
from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound
from lazulite.formats.azure.registry import (
    encode_curated,
    encode_curated_container,
    encode_registry,
)
from lazulite.ports.store import Listed
from lazulite.wire.azure.arm import GROUP, listing
from lazulite.wire.http import Call, Reply, Route

_REGISTRY = GROUP + "/providers/Microsoft.MachineLearningServices/registries/{registry}"
_DATA_PLANE = "/mferp/managementfrontend"
_KINDS = ("components", "data", "models", "codes")  # of which there is nothing here


def discover(call: Call) -> Reply:
    """Say where a registry is served."""
    _check(call)
    return Reply(body=encode_registry(call.base))


def list_environments(call: Call) -> Reply:
    """List the curated environments that run here."""
    _check(call)
    return listing(call, Listed(curated.known(), None), encode_curated_container)


def get_environment(call: Call) -> Reply:
    """Return the name of a curated environment."""
    _check(call)
    return Reply(body=encode_curated_container(curated.find(call.params["name"])))


def list_versions(call: Call) -> Reply:
    """List the one version of a curated environment."""
    _check(call)
    found = curated.find(call.params["name"])
    return listing(call, Listed([found], None), encode_curated)


def get_version(call: Call) -> Reply:
    """Return a version of a curated environment."""
    _check(call)
    found = curated.find(call.params["name"], version=call.params["version"])
    return Reply(body=encode_curated(found))


def get_label(call: Call) -> Reply:
    """Return the version that a label points to."""
    _check(call)
    found = curated.find(call.params["name"], label=call.params["label"])
    return Reply(body=encode_curated(found))


def list_nothing(call: Call) -> Reply:
    """List what else the registry has here: nothing."""
    _check(call)
    return Reply(body={"value": []})


def routes() -> list[Route]:
    """Return the routes of the registry; the SDK puts a prefix before them."""
    environments = [
        ("", list_environments),
        ("/{name}", get_environment),
        ("/{name}/versions", list_versions),
        ("/{name}/versions/{version}", get_version),
        ("/{name}/labels/{label}", get_label),
    ]
    table = [(f"/environments{rest}", endpoint) for rest, endpoint in environments]
    table += [(f"/{kind}", list_nothing) for kind in _KINDS]
    found = [
        Route(method="GET", path=prefix + _REGISTRY + rest, action=Action.READ, endpoint=endpoint)
        for prefix in ("", _DATA_PLANE)
        for rest, endpoint in table
    ]
    discovery = "/registrymanagement/v1.0/registries/{registry}/discovery"
    return [
        *found,
        Route(method="GET", path=discovery, action=Action.READ, endpoint=discover),
    ]


def _check(call: Call) -> None:
    name = call.params["registry"]
    if name.casefold() != curated.REGISTRY:
        raise NotFound(
            f"registry '{name[:80]}' cannot be reached from here: only '{curated.REGISTRY}' and "
            "its curated environments are known"
        )
