"""Workspaces over the wire."""

from __future__ import annotations

from tests.wire.live import PROVIDER, SCOPE, SUBSCRIPTION, Live

GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/g"
DEPLOYMENT = GROUP + "/providers/Microsoft.Resources/deployments/d1"


def workspace(name: str) -> str:
    return f"{GROUP}/{PROVIDER}/{name}"


def test_the_default_workspace_exists(live: Live) -> None:
    answer = live.get(SCOPE + "?api-version=2024-10-01-preview")
    assert answer.status == 200
    assert answer.body["location"] == "local"
    assert answer.body["properties"]["provisioningState"] == "Succeeded"


def test_paths_compare_without_case_and_with_double_slashes(live: Live) -> None:
    assert live.get("//" + SCOPE.upper() + "/").body["name"] == "default"


def test_urls_lead_back_to_the_listener_that_was_called(live: Live) -> None:
    properties = live.get(SCOPE).body["properties"]
    assert properties["discoveryUrl"] == f"{live.http}/discovery"
    assert properties["mlFlowTrackingUri"] == f"{live.http}/mlflow/v1.0{SCOPE}"
    assert live.get("/discovery", token=None).body["api"] == live.http


def test_a_deployment_makes_the_workspace_it_describes(live: Live) -> None:
    values = {"workspaceName": "deployed", "friendlyName": "D", "tagValues": {"a": 1}}
    parameters = {key: {"value": value} for key, value in values.items()}
    answer = live.put(DEPLOYMENT, {"properties": {"template": {}, "parameters": parameters}})
    assert (answer.status, answer.body["properties"]["provisioningState"]) == (201, "Succeeded")
    made = live.get(workspace("deployed")).body
    assert (made["properties"]["friendlyName"], made["tags"]) == ("D", {"a": "1"})
    assert live.get(DEPLOYMENT).body["properties"]["duration"] == "PT1S"
    assert live.get(DEPLOYMENT.lower() + "/operations").body == {"value": []}
    assert live.get(GROUP).body["name"] == "g"


def test_a_deployment_of_something_else_is_refused(live: Live) -> None:
    answer = live.put(DEPLOYMENT, {"properties": {"parameters": {"x": {"value": 1}}}})
    assert answer.status == 400
    assert "workspaceName" in answer.message


def test_a_workspace_is_put_twice_and_keeps_what_is_not_said(live: Live) -> None:
    first = live.put(workspace("twice"), {"properties": {"description": "one"}, "tags": {"a": "b"}})
    again = live.put(workspace("twice"), {"properties": {"friendlyName": "T"}})
    assert (first.status, again.status) == (201, 200)
    assert again.body["properties"]["description"] == "one"
    assert again.body["tags"] == {"a": "b"}


def test_lists_are_paged_by_links(live: Live) -> None:
    for number in range(5):
        live.put(workspace(f"page-{number}"), {})
    names, link, pages = [], f"{GROUP}/{PROVIDER}?$top=2", 0
    while link:
        answer = live.get(link.removeprefix(live.http))
        names += [one["name"] for one in answer.body["value"]]
        link, pages = answer.body.get("nextLink", ""), pages + 1
    assert {f"page-{number}" for number in range(5)} <= set(names)
    assert len(names) == len(set(names))
    assert pages >= 3


def test_a_page_of_nonsense_is_refused(live: Live) -> None:
    for top in ("0", "-1", "x", "1e3"):
        assert live.get(f"{GROUP}/{PROVIDER}?$top={top}").status == 400


def test_a_deleted_workspace_is_gone_with_everything(live: Live) -> None:
    live.put(workspace("gone"), {})
    row = live.get(f"{workspace('gone')}/datastores/workspaceblobstore").body["properties"]
    number = int(row["accountName"].split("/azureblob/")[1].split("/")[0])
    file = live.services.files.root(number, "workspaceblobstore") / "x"
    file.write_text("x")
    answer = live.call("DELETE", workspace("gone"))
    assert answer.status == 202
    status = answer.headers["azure-asyncoperation"].removeprefix(live.http)
    assert live.get(status).body["status"] == "Succeeded"
    assert live.get(answer.headers["location"].removeprefix(live.http)).status == 200
    assert live.get(workspace("gone")).status == 404
    assert live.get(workspace("gone") + "/computes").status == 404
    assert not file.exists()
    assert live.call("DELETE", workspace("gone")).status == 204


def test_a_workspace_name_that_is_none_is_refused(live: Live) -> None:
    answer = live.put(workspace("x" * 300), {})
    assert (answer.status, answer.code) == (400, "ValidationError")


def test_keys_and_findings_are_asked_for_in_vain(live: Live) -> None:
    assert live.call("POST", SCOPE + "/listKeys").status == 200
    assert live.call("POST", SCOPE + "/resyncKeys").status == 202
    assert live.call("POST", SCOPE + "/diagnose").body == {"value": {}}


def test_a_kind_that_comes_later_is_refused_by_name(live: Live) -> None:
    for method, path in (("GET", "schedules"), ("PUT", "schedules/s"), ("POST", "schedules/s/x")):
        answer = live.call(method, f"{SCOPE}/{path}")
        assert (answer.status, answer.code) == (400, "NotSupported")
        assert "has no schedules" in answer.message
