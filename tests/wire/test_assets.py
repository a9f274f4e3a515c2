"""Versioned assets over the wire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.wire.live import SCOPE, Live


def data(uri: str = "azureml://datastores/workspaceblobstore/paths/a/", **more: Any) -> Any:
    return {"properties": {"dataType": "uri_folder", "dataUri": uri, **more}}


def path(name: str, version: str = "1") -> str:
    return f"{SCOPE}/data/{name}/versions/{version}"


def names(answer: Any) -> list[str]:
    return [one["name"] for one in answer.body["value"]]


def test_a_version_never_changes_its_content(live: Live) -> None:
    assert live.put(path("a"), data()).status == 201
    assert live.put(path("a"), data()).status == 200
    answer = live.put(path("a"), data("azureml://datastores/workspaceblobstore/paths/b/"))
    assert (answer.status, answer.code) == (409, "Conflict")
    assert answer.message.startswith("data 'a:1' exists with other content")


def test_how_a_version_is_described_may_change(live: Live) -> None:
    live.put(path("b"), data(description="one", tags={"k": "v"}))
    changed = live.put(path("b"), data(description="two", tags={})).body["properties"]
    assert (changed["description"], changed["tags"]) == ("two", {})
    assert live.put(path("b"), data()).body["properties"]["description"] == "two"


def test_a_container_tells_the_latest_and_the_next_version(live: Live) -> None:
    for version in ("1", "7", "blue"):
        live.put(path("c", version), data())
    container = live.get(f"{SCOPE}/data/c").body
    assert container["properties"]["latestVersion"] == "blue"
    assert container["properties"]["nextVersion"] == "8"
    assert container["properties"]["dataType"] == "uri_folder"
    assert "createdAt" in container["systemData"]


def test_latest_is_what_was_made_last_and_not_archived(live: Live) -> None:
    for version in ("2", "1"):
        live.put(path("d", version), data())
    assert live.get(f"{SCOPE}/data/d/labels/latest").body["name"] == "1"
    live.put(path("d", "1"), data(isArchived=True))
    assert live.get(f"{SCOPE}/data/d/labels/latest").body["name"] == "2"
    assert live.get(f"{SCOPE}/data/d/labels/best").status == 404


def test_archived_versions_are_listed_when_asked_for(live: Live) -> None:
    for version in ("1", "2", "3"):
        live.put(path("e", version), data())
    live.put(path("e", "2"), data(isArchived=True))
    base = f"{SCOPE}/data/e/versions"
    assert names(live.get(base)) == ["3", "1"]
    assert names(live.get(base + "?listViewType=ArchivedOnly")) == ["2"]
    assert names(live.get(base + "?listViewType=All")) == ["3", "2", "1"]
    assert live.get(base + "?listViewType=Some").status == 400


def test_a_name_is_archived_and_restored_whole(live: Live) -> None:
    for version in ("1", "2"):
        live.put(path("f", version), data())
    live.put(f"{SCOPE}/data/f", {"properties": {"isArchived": True}})
    assert "f" not in names(live.get(f"{SCOPE}/data"))
    assert live.get(path("f")).body["properties"]["isArchived"] is True
    live.put(f"{SCOPE}/data/f", {"properties": {"isArchived": False}})
    assert "f" in names(live.get(f"{SCOPE}/data"))


def test_of_two_clients_with_one_version_one_wins(live: Live) -> None:
    def put(number: int) -> int:
        uri = f"azureml://datastores/workspaceblobstore/paths/race{number}/"
        return live.put(path("race"), data(uri)).status

    with ThreadPoolExecutor(8) as pool:
        found = sorted(pool.map(put, range(8)))
    assert found == [201, *[409] * 7]


def test_a_version_is_deleted(live: Live) -> None:
    live.put(path("g"), data())
    assert live.call("DELETE", path("g")).status == 200
    assert live.call("DELETE", path("g")).status == 204
    assert live.get(path("g")).status == 404


def test_versions_are_paged_newest_first(live: Live) -> None:
    for number in range(7):
        live.put(path("h", str(number)), data())
    found, link = [], f"{SCOPE}/data/h/versions?$top=3&listViewType=All"
    while link:
        answer = live.get(link.removeprefix(live.http))
        found += names(answer)
        link = answer.body.get("nextLink", "")
    assert found == [str(number) for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("kind", "properties", "target"),
    [
        ("data", {"dataUri": "x"}, "properties.dataType"),
        ("data", {"dataType": "uri_file"}, "properties.dataUri"),
        ("data", {"dataType": "cube", "dataUri": "x"}, "properties.dataType"),
        (
            "data",
            {"dataType": "uri_file", "dataUri": "azureml://datastores/a/paths/../b"},
            "path",
        ),
        ("data", {"dataType": "uri_file", "dataUri": "a\0b"}, "properties.dataUri"),
        (
            "data",
            {"dataType": "uri_file", "dataUri": "x", "tags": {"a": {}}},
            "properties.tags[...]",
        ),
        ("models", {}, "properties.modelUri"),
        ("environments", {}, "properties.image"),
        ("environments", {"image": ""}, "properties.image"),
        ("components", {"componentSpec": []}, "properties.componentSpec"),
        ("codes", {}, "properties.codeUri"),
        ("codes", {"codeUri": "https://elsewhere/x"}, "properties.codeUri"),
        ("data", None, "properties"),
    ],
)
def test_a_wrong_field_is_named(live: Live, kind: str, properties: Any, target: str) -> None:
    answer = live.put(f"{SCOPE}/{kind}/wrong/versions/1", {"properties": properties})
    assert (answer.status, answer.body["error"]["target"]) == (400, target)


def test_a_component_that_cannot_run_is_refused(live: Live) -> None:
    spec = {"type": "spark", "name": "x"}
    answer = live.put(f"{SCOPE}/components/x/versions/1", {"properties": {"componentSpec": spec}})
    assert (answer.status, answer.code) == (400, "NotSupported")


def test_a_component_may_be_shown_under_another_name(live: Live) -> None:
    spec = {"type": "command", "command": "true", "environment": "azureml:e:1"}

    def put(**more: str) -> int:
        body = {"properties": {"componentSpec": spec | more}}
        return live.put(f"{SCOPE}/components/shown/versions/1", body).status

    assert [put(), put(display_name="Other"), put(command="false")] == [201, 200, 409]


def test_an_environment_keeps_what_decides_it(live: Live) -> None:
    def put(**properties: Any) -> Any:
        return live.put(f"{SCOPE}/environments/e/versions/1", {"properties": properties})

    made = put(image="python:3.11").body["properties"]
    assert (made["osType"], made["environmentType"]) == ("Linux", "UserCreated")
    assert put(**made).status == 200
    assert put(image="python:3.12").status == 409
