"""Artifacts as Azure ML's own clients ask for them."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest

from lazulite.domain.ids import DEFAULT_WORKSPACE
from tests.wire.live import SCOPE, Answer, Live
from tests.wire.test_desk import add_job

API = f"/mlflow/v2.0{SCOPE}/api/2.0/mlflow"
HELD = f"/artifact/v2.0{SCOPE}/artifacts"
PLUGIN = "mlflow-python-client/3.15.0 azureml-mlflow/1.62.0"


def post(live: Live, path: str, body: Any, **kwargs: Any) -> Answer:
    return live.call("POST", path, body, **kwargs)


def a_run(live: Live) -> str:
    made = post(live, f"{API}/runs/create", {"experiment_id": "0"})
    return f"/history/v1.0{SCOPE}/experiments/0/runs/{made.body['run']['info']['run_id']}/artifacts"


def announce(live: Live, root: str, *paths: str, **kwargs: Any) -> Answer:
    body = {"paths": [{"path": path} for path in paths]}
    return post(live, f"{root}/batch/metadata", body, **kwargs)


def put(live: Live, url: str, content: bytes) -> int:
    """Upload as azure-storage-blob does that was asked not to overwrite."""
    parts = urlsplit(url)
    headers = {"x_ms_blob_type": "BlockBlob", "if_none_match": "*"}
    return live.put(f"{parts.path}?{parts.query}", content, token=None, **headers).status


def upload(live: Live, root: str, path: str, content: bytes) -> int:
    found = announce(live, root, path).body["artifactContentInformation"][path]
    return put(live, found["contentUri"], content)


def read(live: Live, root: str, path: str) -> bytes:
    url = urlsplit(live.get(f"{root}/contentinfo?path={path}").body["contentUri"])
    return live.get(f"{url.path}?{url.query}", token=None).raw


def test_a_file_goes_up_is_listed_and_comes_down(live: Live) -> None:
    root = a_run(live)
    assert upload(live, root, "d/one.txt", b"one") == 201
    found = live.get(root).body
    assert [one["path"] for one in found["value"]] == ["d/one.txt"]
    assert found["value"][0]["container"].startswith("dcid.")
    assert "nextLink" not in found
    assert read(live, root, "d/one.txt") == b"one"


def test_a_second_upload_replaces_the_first(live: Live) -> None:
    root = a_run(live)
    assert [upload(live, root, "x", content) for content in (b"1", b"2")] == [201, 201]
    assert read(live, root, "x") == b"2"


def test_only_a_signed_url_replaces(live: Live) -> None:
    root = a_run(live)
    url = announce(live, root, "x").body["artifactContentInformation"]["x"]["contentUri"]
    assert put(live, url, b"1") == 201
    path = f"{urlsplit(url).path}?si=replace"
    headers = {"x_ms_blob_type": "BlockBlob", "if_none_match": "*"}
    assert live.put(path, b"2", **headers).status == 409


def test_what_was_announced_is_nothing_yet(live: Live) -> None:
    root = a_run(live)
    assert announce(live, root, "x").status == 200
    assert live.get(root).body["value"] == []
    assert live.get(f"{root}/contentinfo?path=x").status == 404


@pytest.mark.parametrize("path", ["../x", "a/../../x", "..\\x", "a\0b"])
def test_no_path_leaves_the_run(live: Live, path: str) -> None:
    root = a_run(live)
    assert announce(live, root, "fine", path).status == 400
    assert live.get(f"{root}/contentinfo").status == 404


def test_a_job_announces_to_its_own_run_only(live: Live) -> None:
    mine, theirs = (add_job(live, f"j-{uuid.uuid4().hex}") for _ in range(2))
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, mine.name, mine.id)
    for job, status in ((mine, 200), (theirs, 403)):
        root = f"/history/v1.0{SCOPE}/runs/{job.name}/artifacts"
        assert announce(live, root, "x", token=token).status == status


def test_a_container_of_an_unknown_origin_is_not_found(live: Live) -> None:
    assert live.get(f"{HELD}/Elsewhere/x").status == 404
    assert live.get(f"{HELD}/ExperimentRun/dcid.nobody").status == 404
    assert live.get(f"{HELD}/LoggedModels/m-nobody").status == 404


def test_too_many_files_at_once_are_refused(live: Live) -> None:
    assert announce(live, a_run(live), *map(str, range(1001))).status == 400


def test_a_long_list_comes_in_pages(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lazulite.services.artifacts._PAGE", 2)
    root, names = a_run(live), ["a", "b/c", "d"]
    assert [upload(live, root, name, b"x") for name in names] == [201] * 3
    first = live.get(root).body
    second = live.get(first["nextLink"].removeprefix(live.http)).body
    assert [one["path"] for one in first["value"] + second["value"]] == names
    assert "nextLink" not in second


def test_an_upload_becomes_a_version_that_the_plugin_reads(live: Live) -> None:
    root = f"{HELD}/LocalUpload/one-{uuid.uuid4().hex}"
    assert upload(live, root, "model/MLmodel", b"flavors: {}") == 201
    name = f"up {uuid.uuid4().hex}"
    assert post(live, f"{API}/registered-models/create", {"name": name}).status == 200
    source = f"azureml://artifacts{root.removeprefix(HELD)}/model"
    body = {"name": name, "source": source}
    token = asked_token(live)
    made = post(live, f"{API}/model-versions/create", body, token=token, user_agent=PLUGIN)
    assert made.status == 200, made.raw
    where = f"/model-versions/get-download-uri?name={name.replace(' ', '%20')}&version=1"
    uri = live.get(API + where, token=token, user_agent=PLUGIN).body["artifact_uri"]
    assert uri == f"azureml://artifacts/Registered/{name}:1/artifacts"
    registered = f"{HELD}/Registered/{name.replace(' ', '%20')}:1"
    assert [one["path"] for one in live.get(registered).body["value"]] == ["artifacts/MLmodel"]
    assert read(live, registered, "artifacts/MLmodel") == b"flavors: {}"
    assert live.get(f"{registered}/contentinfo?path=MLmodel").status == 404
    assert announce(live, registered, "artifacts/new").status == 400


def asked_token(live: Live) -> str:
    """Return a token as a credential of Azure's gets it."""
    query = "/msi/token?resource=https://x"
    found = live.get(query, token=None, x_identity_header=live.tokens.owner)
    return str(found.body["access_token"])


@pytest.mark.parametrize(
    ("version", "agent", "asked", "scheme"),
    [
        ("v2.0", PLUGIN, True, "azureml"),
        ("v2.0", PLUGIN, False, "mlflow-artifacts"),
        ("v2.0", "mlflow-python-client/3.15.0", True, "mlflow-artifacts"),
        ("v1.0", PLUGIN, True, "mlflow-artifacts"),
    ],
)
def test_only_the_plugin_gets_addresses_of_its_own(
    live: Live, version: str, agent: str, asked: bool, scheme: str
) -> None:
    token = asked_token(live) if asked else "owner"
    path = f"{API.replace('v2.0', version, 1)}/runs/create"
    made = post(live, path, {"experiment_id": "0"}, token=token, user_agent=agent)
    assert urlsplit(made.body["run"]["info"]["artifact_uri"]).scheme == scheme


def test_runs_that_come_in_pieces_have_the_plugins_addresses(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lazulite.wire.mlflow.searches.PAGE", 1)
    for _ in range(3):
        a_run(live)
    body = {"experiment_ids": ["0"], "max_results": 3}
    token = asked_token(live)
    found = post(live, f"{API}/runs/search", body, token=token, user_agent=PLUGIN).body["runs"]
    assert [urlsplit(run["info"]["artifact_uri"]).scheme for run in found] == ["azureml"] * 3


def test_what_the_plugin_logs_in_the_background_is_there_at_once(live: Live) -> None:
    run = a_run(live).split("/")[-2]
    root = f"/mlflow/v2.0{SCOPE}/api/2.0"
    metric = {"key": "m", "value": 1.5, "timestamp": 1, "step": 0}
    body = {"run_id": run, "metrics": [metric]}
    answer = post(live, f"{root}/preview/mlflow/runs/log-batch-async", body)
    assert (answer.status, answer.body) == (200, {})
    found = live.get(f"{root}/mlflow/runs/get?run_id={run}").body["run"]["data"]["metrics"]
    assert found == [metric]
    wrong = post(live, f"{root}/preview/mlflow/runs/log-batch-async", {"run_id": "none"})
    assert json.loads(wrong.raw)["error_code"] == "RESOURCE_DOES_NOT_EXIST"
