"""The registry `azureml` over the wire."""

from __future__ import annotations

import pytest

from tests.wire.live import SUBSCRIPTION, Live

REGISTRY = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/local/providers"
    "/Microsoft.MachineLearningServices/registries/azureml"
)


@pytest.mark.parametrize("prefix", ["", "/mferp/managementfrontend"])
def test_curated_environments_are_listed_and_shown(live: Live, prefix: str) -> None:
    base = f"{prefix}{REGISTRY}/environments"
    assert "sklearn-1.5" in {one["name"] for one in live.get(base).body["value"]}
    container = live.get(f"{base}/sklearn-1.5").body
    latest = live.get(f"{base}/sklearn-1.5/labels/latest").body
    assert container["properties"]["latestVersion"] == latest["name"]
    assert live.get(f"{base}/sklearn-1.5/versions/{latest['name']}").body == latest
    assert live.get(f"{base}/sklearn-1.5/versions").body["value"] == [latest]


def test_the_registry_is_on_the_server_that_was_asked(live: Live) -> None:
    found = live.get("/registrymanagement/v1.0/registries/azureml/discovery").body
    assert found["primaryRegionResourceProviderUri"] == f"{live.http}/"


def test_what_is_not_curated_here_is_said_to_be_so(live: Live) -> None:
    assert live.get(f"{REGISTRY}/environments/mine").code == "NotSupported"
    assert live.get(f"{REGISTRY}/environments/sklearn-1.5/versions/99").status == 404
    assert live.get(f"{REGISTRY}/components").body == {"value": []}


def test_no_other_registry_can_be_reached(live: Live) -> None:
    answer = live.get("/registrymanagement/v1.0/registries/team/discovery")
    assert (answer.status, "cannot be reached" in answer.message) == (404, True)
