"""Bodies that azure-ai-ml really sent: each is taken, echoed, and taken again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.wire.live import SCOPE, Live, live_server

CAPTURES = Path(__file__).parent / "captures"
SECRETS = ("a2V5", '"p"')  # the account keys and the password in the bodies


def read(name: str) -> tuple[str, Any]:
    """Return the path in our default workspace, and the body."""
    found = json.loads((CAPTURES / f"{name}.json").read_text())
    return SCOPE + found["path"].partition("/workspaces/ws1")[2], found["body"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with live_server(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.mark.parametrize("name", sorted(p.stem for p in CAPTURES.glob("PUT_*.json")))
def test_a_put_is_taken_echoed_and_taken_again(live: Live, name: str) -> None:
    path, body = read(name)
    first = live.put(path, body)
    assert first.status == 201
    assert live.put(path, body).status == 200
    found = live.get(path)
    assert found.status == 200
    assert found.body["name"] == path.rpartition("/")[2]
    assert found.body["properties"].get("provisioningState", "Succeeded") == "Succeeded"
    assert found.body["systemData"]["createdBy"] == "owner"
    assert not any(secret in found.raw.decode() for secret in SECRETS)
    for key, value in body["properties"].items():
        if isinstance(value, str | int):
            assert found.body["properties"][key] == value


def test_a_workspace_takes_the_sdks_patch(live: Live) -> None:
    path, body = read("PATCH_workspace")
    changed = live.call("PATCH", path, body)
    assert changed.body["properties"]["description"] == "changed"
    assert changed.body["tags"]["a"] == "b"
    assert changed.body["identity"]["type"] == "SystemAssigned"


def test_an_upload_is_given_a_signed_place(live: Live) -> None:
    path, body = read("POST_codes_versions_startPendingUpload")
    reference = live.call("POST", path, body).body["blobReferenceForConsumption"]
    sas = reference["credential"]["sasUri"]
    assert sas.startswith(reference["blobUri"] + "?")
    assert f"{live.http}/azureblob/1/s.blob." in sas
