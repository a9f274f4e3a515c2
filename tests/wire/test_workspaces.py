"""Workspaces over the wire."""

from __future__ import annotations

from tests.wire.live import SCOPE, SUBSCRIPTION, Live

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"


def test_the_default_workspace_exists(live: Live) -> None:
    answer = live.get(SCOPE + "?api-version=2024-10-01-preview")
    assert answer.status == 200
    assert answer.body["location"] == "local"
    assert answer.body["properties"]["provisioningState"] == "Succeeded"


def test_paths_compare_without_case_and_with_double_slashes(live: Live) -> None:
    assert live.get("//" + SCOPE.upper() + "/").body["name"] == "default"
