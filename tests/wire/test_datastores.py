"""Datastores over the wire."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from tests.wire.live import SCOPE, Live

STORES = SCOPE + "/datastores"


def blob(**more: Any) -> dict[str, Any]:
    properties = {
        "datastoreType": "AzureBlob",
        "accountName": "acct",
        "containerName": "c",
        "credentials": {
            "credentialsType": "Sas",
            "secrets": {"secretsType": "Sas", "sasToken": "hunter2"},
        },
    }
    return {"properties": properties | more}


def test_a_local_store_is_an_account_on_the_listener_that_was_called(live: Live) -> None:
    found = live.get(f"{STORES}/workspaceblobstore").body["properties"]
    assert found["accountName"] == f"{urlsplit(live.http).netloc}/azureblob/1/s"
    assert (found["containerName"], found["endpoint"]) == ("workspaceblobstore", "core.local")
    assert found["credentials"] == {"credentialsType": "None"}


def test_secrets_come_only_from_their_own_route(live: Live) -> None:
    assert b"hunter2" not in live.put(f"{STORES}/s1", blob()).raw
    assert b"hunter2" not in live.get(f"{STORES}/s1").raw
    assert b"hunter2" not in live.get(STORES).raw
    secrets = live.call("POST", f"{STORES}/s1/listSecrets").body
    assert secrets == {"secretsType": "Sas", "sasToken": "hunter2"}


def test_a_local_store_has_no_secrets(live: Live) -> None:
    answer = live.call("POST", f"{STORES}/workspaceblobstore/listSecrets")
    assert answer.status == 400
    assert "own token" in answer.message


def test_a_store_on_our_own_account_is_a_local_one(live: Live) -> None:
    account = live.get(f"{STORES}/workspaceblobstore").body["properties"]["accountName"]
    live.put(f"{STORES}/mine", blob(accountName=account, containerName="mine"))
    assert live.get(f"{STORES}/mine").body["properties"]["containerName"] == "mine"


def test_the_default_store_can_be_another(live: Live) -> None:
    live.put(f"{STORES}/s2", blob(isDefault=True))
    [default] = live.get(STORES + "?isDefault=true").body["value"]
    assert default["name"] == "s2"
    assert live.call("DELETE", f"{STORES}/s2").status == 409
    back = {"properties": {"datastoreType": "AzureBlob", "isDefault": True}}
    assert live.put(f"{STORES}/workspaceblobstore", back).status == 200
    assert live.call("DELETE", f"{STORES}/s2").status == 200
    assert live.call("DELETE", f"{STORES}/s2").status == 204


def test_the_stores_of_a_workspace_stay_as_they_are(live: Live) -> None:
    assert live.put(f"{STORES}/workspaceblobstore", blob()).status == 409
    assert live.call("DELETE", f"{STORES}/workspaceartifactstore").status == 409


def test_a_store_without_a_type_is_refused(live: Live) -> None:
    answer = live.put(f"{STORES}/s3", {"properties": {"accountName": "a"}})
    assert answer.body["error"]["target"] == "properties.datastoreType"
