"""Compute targets over the wire."""

from __future__ import annotations

from typing import Any

from tests.wire.live import SCOPE, SUBSCRIPTION, Live

COMPUTES = SCOPE + "/computes"
LOCATION = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/local"
)


def cluster(most: Any = 2) -> dict[str, Any]:
    scale = {"maxNodeCount": most, "minNodeCount": 0}
    inner = {"vmSize": "S", "scaleSettings": scale}
    return {"properties": {"computeType": "AmlCompute", "properties": inner}}


def test_nodes_are_slots(live: Live) -> None:
    live.put(f"{COMPUTES}/c1", cluster(3))
    assert live.services.store.read(lambda tx: tx.computes.get(1, "c1")).slots == 3


def test_a_put_is_done_and_says_where_to_ask(live: Live) -> None:
    answer = live.put(f"{COMPUTES}/c2", cluster())
    assert answer.status == 201
    assert answer.headers["azure-asyncoperation"].startswith(live.http)
    assert int(answer.headers["x-ms-retry-after-ms"]) < 100


def test_a_cluster_is_rescaled(live: Live) -> None:
    live.put(f"{COMPUTES}/c3", cluster())
    body = {"properties": {"properties": {"scaleSettings": {"maxNodeCount": 9}}}}
    changed = live.call("PATCH", f"{COMPUTES}/c3", body).body["properties"]["properties"]
    assert changed["scaleSettings"]["maxNodeCount"] == 9
    assert changed["vmSize"] == "S"


def test_a_count_that_is_none_is_refused(live: Live) -> None:
    for most in (-1, "many", 1.5):
        answer = live.put(f"{COMPUTES}/c4", cluster(most))
        assert answer.status == 400
        assert answer.body["error"]["target"].endswith("scaleSettings.maxNodeCount")


def test_a_compute_keeps_its_type(live: Live) -> None:
    live.put(f"{COMPUTES}/c5", cluster())
    answer = live.put(f"{COMPUTES}/c5", {"properties": {"computeType": "ComputeInstance"}})
    assert (answer.status, answer.code) == (409, "Conflict")


def test_only_a_cluster_is_rescaled_and_nothing_else_of_it(live: Live) -> None:
    live.put(f"{COMPUTES}/vm", {"properties": {"computeType": "VirtualMachine"}})
    scale = {"properties": {"scaleSettings": {"maxNodeCount": 1}}}
    assert "only an AmlCompute" in live.call("PATCH", f"{COMPUTES}/vm", scale).message
    live.put(f"{COMPUTES}/c10", cluster())
    assert live.call("PATCH", f"{COMPUTES}/c10", {"properties": {"x": 1}}).status == 400


def test_the_identity_of_a_compute_is_kept(live: Live) -> None:
    identity = {"type": "SystemAssigned"}
    assert live.put(f"{COMPUTES}/c11", cluster() | {"identity": identity}).status == 201
    assert live.get(f"{COMPUTES}/c11").body["identity"] == identity
    assert live.call("DELETE", f"{COMPUTES}/c11").status == 202
    assert live.get(f"{COMPUTES}/c11").status == 404


def test_any_type_is_kept_but_one_is_needed(live: Live) -> None:
    body = {"properties": {"computeType": "Databricks", "properties": {"workspaceUrl": "u"}}}
    assert live.put(f"{COMPUTES}/c6", body).body["properties"]["computeType"] == "Databricks"
    assert live.put(f"{COMPUTES}/c7", {"properties": {}}).status == 400


def test_what_looks_like_a_secret_is_not_kept(live: Live) -> None:
    inner = {"userAccountCredentials": {"adminUserName": "a", "adminUserPassword": "hunter2"}}
    body = cluster()
    body["properties"]["properties"] |= inner
    assert b"hunter2" not in live.put(f"{COMPUTES}/c8", body).raw
    assert "hunter2" not in str(live.services.store.read(lambda tx: tx.computes.get(1, "c8")))


def test_a_stopped_compute_has_no_nodes(live: Live) -> None:
    live.put(f"{COMPUTES}/c9", {"properties": {"computeType": "ComputeInstance"}})
    assert live.call("POST", f"{COMPUTES}/c9/stop").status == 202
    assert live.get(f"{COMPUTES}/c9").body["properties"]["properties"]["state"] == "Stopped"
    assert live.call("POST", f"{COMPUTES}/c9/listNodes").body == {"nodes": []}
    live.call("POST", f"{COMPUTES}/c9/start")
    assert len(live.call("POST", f"{COMPUTES}/c9/listNodes").body["nodes"]) == 1


def test_the_default_compute_stays(live: Live) -> None:
    assert live.call("DELETE", f"{COMPUTES}/local").status == 409
    assert live.call("DELETE", f"{COMPUTES}/never").status == 204


def test_this_machine_is_the_only_size(live: Live) -> None:
    [size] = live.get(LOCATION + "/vmSizes").body["value"]
    assert (size["vCPUs"], size["memoryGB"]) == (4, 8.0)
    [usage] = live.get(LOCATION + "/usages").body["value"]
    assert usage["limit"] == 4
