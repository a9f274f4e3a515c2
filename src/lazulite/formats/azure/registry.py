"""The registry `azureml` in Azure's JSON, as far as it exists here: its curated environments."""

from __future__ import annotations

from typing import Any

from lazulite.domain.curated import REGISTRY, Curated
from lazulite.domain.ids import LOCAL_GROUP, LOCAL_LOCATION, LOCAL_SUBSCRIPTION

_TYPE = "Microsoft.MachineLearningServices/registries/environments"


def encode_registry(base: str) -> dict[str, Any]:
    """Return where a registry is served: on the server that was asked."""
    return {
        "registryName": REGISTRY,
        "tenantId": LOCAL_SUBSCRIPTION,
        "primaryRegion": LOCAL_LOCATION,
        "regions": [LOCAL_LOCATION],
        "subscriptionId": LOCAL_SUBSCRIPTION,
        "resourceGroup": LOCAL_GROUP,
        "workspaceName": None,
        "primaryRegionResourceProviderUri": f"{base}/",
    }


def encode_curated(curated: Curated) -> dict[str, Any]:
    """Return a curated environment as a version in its registry."""
    return {
        "id": f"{_id(curated)}/versions/{curated.version}",
        "name": curated.version,
        "type": f"{_TYPE}/versions",
        "properties": {
            "description": curated.description,
            "image": f"curated/{curated.name}:{curated.version}",
            "environmentType": "Curated",
            "osType": "Linux",
            "isAnonymous": False,
            "isArchived": False,
            "tags": {"python": curated.python},
            "properties": {},
            "provisioningState": "Succeeded",
        },
    }


def encode_curated_container(curated: Curated) -> dict[str, Any]:
    """Return the name of a curated environment, which has one version."""
    return {
        "id": _id(curated),
        "name": curated.name,
        "type": _TYPE,
        "properties": {
            "description": curated.description,
            "isArchived": False,
            "latestVersion": curated.version,
            "nextVersion": None,
            "tags": {},
            "properties": {},
        },
    }


def _id(curated: Curated) -> str:
    return f"azureml://registries/{REGISTRY}/environments/{curated.name}"
