"""What no client of MLflow's sends, and what must come of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.ids import WorkspaceId
from tests.wire.live import SCOPE, Answer, Live

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(scope="module")
def run(server: Live) -> str:
    made = post(server, "runs/create", {"experiment_id": "0", "start_time": 1})
    return str(made.body["run"]["info"]["run_id"])


def post(server: Live, path: str, body: Any, **headers: Any) -> Answer:
    return server.call("POST", f"{API}/{path}", body, **headers)


def refused(answer: Answer, status: int, code: str) -> str:
    assert (answer.status, answer.body["error_code"]) == (status, code), answer.raw[:300]
    return str(answer.body["message"])


def metric(key: str = "m", step: int = 0, value: Any = 1.0) -> dict[str, Any]:
    return {"key": key, "value": value, "timestamp": 1, "step": step}


def test_every_answer_has_the_shape_the_client_reads(server: Live, run: str) -> None:
    found = server.get(f"{API}/runs/get?run_id={run}").body["run"]
    assert found["info"]["start_time"] == 1  # a number, not a text
    assert "end_time" not in found["info"]
    assert post(server, "runs/log-metric", {"run_id": run, **metric()}).body == {}


def test_a_caller_without_a_token_is_told_in_the_shape_of_mlflow(server: Live) -> None:
    answer = server.get(f"{API}/runs/get?run_id=x", token=None)
    refused(answer, 401, "UNAUTHENTICATED")
    refused(server.get(f"{API}/runs/get?run_id=x", token="forged"), 401, "UNAUTHENTICATED")


def test_the_token_may_be_the_password(server: Live, run: str) -> None:
    import base64

    secret = base64.b64encode(f"me:{server.tokens.owner}".encode()).decode()
    path = f"{API}/runs/get?run_id={run}"
    assert server.get(path, token=None, Authorization=f"Basic {secret}").status == 200


def test_a_job_of_another_workspace_is_turned_away(server: Live, run: str) -> None:
    token = server.tokens.mint_job(WorkspaceId("other", "g", "w"), "j", 1)
    refused(server.get(f"{API}/runs/get?run_id={run}", token=token), 403, "PERMISSION_DENIED")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/3.0/mlflow/scorers/register"),
        ("GET", f"{API}/webhooks/x"),
        ("POST", f"{API}/gateway/a/b"),
        ("POST", "/api/2.0/mlflow-artifacts/elsewhere/x"),
        ("GET", f"/mlflow/v2.0{SCOPE}/ajax-api/2.0/mlflow/nothing"),
    ],
)
def test_what_is_not_built_is_a_501_so_that_the_client_falls_back(
    server: Live, method: str, path: str
) -> None:
    refused(server.call(method, path, {} if method == "POST" else None), 501, "NOT_IMPLEMENTED")


def test_the_server_says_what_it_is_to_anybody(server: Live) -> None:
    assert server.get("/api/3.0/mlflow/server-info", token=None).body["store_type"] == "SqlStore"
    assert server.get("/version", token=None).raw.startswith(b"3.")
    assert server.get("/health", token=None).raw == b"OK"


def test_1001_metrics_and_a_megabyte_are_too_much(server: Live, run: str) -> None:
    batch = {"run_id": run, "metrics": [metric(step=step) for step in range(1001)]}
    refused(post(server, "runs/log-batch", batch), 400, "INVALID_PARAMETER_VALUE")
    large = {"run_id": run, "tags": [{"key": "k", "value": "x" * 1_000_001}]}
    refused(post(server, "runs/log-batch", large), 413, "REQUEST_LIMIT_EXCEEDED")


def test_deep_json_is_refused_at_once(server: Live) -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    for path in ("runs/create", "runs/log-batch", "runs/search", "experiments/create"):
        refused(post(server, path, deep), 400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("count", [1_000_000_000, 0, -1])
def test_too_many_results_are_refused(server: Live, count: int) -> None:
    for path in ("runs/search", "experiments/search"):
        refused(post(server, path, {"max_results": count}), 400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("token", ["x", "eyJvZmZzZXQiOiAxMH0=", "\u0000", "A" * 10_000])
def test_forged_page_tokens_are_refused(server: Live, run: str, token: str) -> None:
    body = {"experiment_ids": ["*"], "page_token": token}
    refused(post(server, "runs/search", body), 400, "INVALID_PARAMETER_VALUE")
    refused(post(server, "experiments/search", body), 400, "INVALID_PARAMETER_VALUE")


def test_a_batch_is_written_whole_or_not_at_all(server: Live, run: str) -> None:
    batch = {
        "run_id": run,
        "metrics": [metric("whole")],
        "params": [{"key": "bad\nkey", "value": "1"}],
    }
    refused(post(server, "runs/log-batch", batch), 400, "INVALID_PARAMETER_VALUE")
    found = server.get(f"{API}/metrics/get-history?run_id={run}&metric_key=whole")
    assert found.body == {}


def test_another_place_for_artifacts_is_refused(server: Live) -> None:
    body = {"name": "elsewhere", "artifact_location": "file:///etc"}
    told = refused(post(server, "experiments/create", body), 400, "INVALID_PARAMETER_VALUE")
    assert "artifact_location" in told


def test_unicode_goes_through(server: Live, run: str) -> None:
    text = "größe 😀 \u202e \u0000"
    tags = [{"key": "k", "value": text}]
    answer = post(server, "runs/log-batch", {"run_id": run, "tags": tags})
    assert answer.status in (200, 400)  # PostgreSQL has no NUL
    assert refused(
        post(server, "runs/log-batch", b'{"run_id":"x","tags":[{"key":"k","value":"\\ud800"}]}'),
        400,
        "INVALID_PARAMETER_VALUE",
    )


@pytest.fixture
def canary(server: Live, run: str) -> Iterator[Path]:
    """A file beside the run's folder that nobody may touch."""
    store = server.home / "files" / "stores" / "1" / "workspaceartifactstore"
    mine = store / "ExperimentRun" / f"dcid.{run}"
    mine.mkdir(parents=True, exist_ok=True)
    (mine / "ok.txt").write_text("ok")
    secret = store / "ExperimentRun" / "secret.txt"
    secret.write_text("canary")
    if not (mine / "link").is_symlink():
        (mine / "link").symlink_to(secret.parent)
        (mine / "etc").symlink_to("/etc")
    yield secret
    assert secret.read_text() == "canary"
    strangers = [p.name for p in secret.parent.iterdir() if not p.name.startswith("dcid.")]
    assert strangers == ["secret.txt"]
    assert not (server.home / "secret.txt").exists()


CLIMBS = [
    "../secret.txt",
    "..%2fsecret.txt",
    "%2e%2e/secret.txt",
    "%252e%252e/secret.txt",
    "..%5csecret.txt",
    "a/../../secret.txt",
    "%2Fetc%2Fpasswd",
    "/etc/passwd",
    "link/secret.txt",
    "etc/passwd",
    "x%00/../../secret.txt",
    "%EF%BC%8E%EF%BC%8E/secret.txt",
    "..;/secret.txt",
    "./../secret.txt",
]


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_path_leaves_its_run(server: Live, run: str, canary: Path, climb: str) -> None:
    path = f"{FILES}/0/{run}/artifacts/{climb}"
    got = server.get(path)
    assert got.status in (400, 404), got.raw[:100]
    assert b"canary" not in got.raw
    assert b"root:" not in got.raw
    server.call("PUT", path, b"overwritten")
    server.call("DELETE", path)
    listed = server.get(f"{FILES}?path=0/{run}/artifacts/{climb}")
    assert b"secret" not in listed.raw or listed.status == 400


@pytest.mark.parametrize("climb", ["0/{run}/artifacts/..", "0/../artifacts", "..", "", "0/x/y/z"])
def test_no_listing_leaves_its_run(server: Live, run: str, canary: Path, climb: str) -> None:
    answer = server.get(f"{FILES}?path={climb.format(run=run)}")
    assert answer.status in (400, 404)


def test_what_was_written_by_a_climb_is_not_outside(server: Live, run: str, canary: Path) -> None:
    server.call("PUT", f"{FILES}/0/{run}/artifacts/link/new.txt", b"x")
    server.call("PUT", f"{FILES}/0/{run}/artifacts/etc/lazulite-new.txt", b"x")
    assert not Path("/etc/lazulite-new.txt").exists()


def test_a_browser_saves_what_it_would_run(server: Live, run: str) -> None:
    path = f"{FILES}/0/{run}/artifacts/page.html"
    assert server.call("PUT", path, b"<script>alert(1)</script>").status == 200
    got = server.get(path)
    assert got.headers["content-disposition"].startswith("attachment")
    assert got.headers["x-content-type-options"] == "nosniff"


def test_a_part_of_a_file_can_be_asked_for(server: Live, run: str) -> None:
    path = f"{FILES}/0/{run}/artifacts/range.bin"
    server.call("PUT", path, b"0123456789")
    got = server.get(path, Range="bytes=2-4")
    assert (got.status, got.raw, got.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    whole = server.get(path)
    assert (whole.raw, whole.headers["accept-ranges"]) == (b"0123456789", "bytes")


def test_a_file_with_another_checksum_is_refused(server: Live, run: str) -> None:
    path = f"{FILES}/0/{run}/artifacts/sum.bin"
    answer = server.call("PUT", path, b"abc", Content_MD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert answer.status == 400
    assert server.get(path).status == 404


def test_a_folder_is_deleted_with_all_in_it(server: Live, run: str) -> None:
    base = f"{FILES}/0/{run}/artifacts"
    for name in ("d/a", "d/e/b", "dd"):
        server.call("PUT", f"{base}/{name}", b"x")
    assert server.call("DELETE", f"{base}/d").status == 200
    assert server.get(f"{base}/d/e/b").status == 404
    assert server.get(f"{base}/dd").status == 200
    refused(server.call("DELETE", f"{base}/d"), 404, "RESOURCE_DOES_NOT_EXIST")


def test_artifacts_of_no_run_are_not_found(server: Live) -> None:
    path = f"{FILES}/0/nobody/artifacts/x"
    refused(server.get(path), 404, "RESOURCE_DOES_NOT_EXIST")
    refused(server.call("PUT", path, b"x"), 404, "RESOURCE_DOES_NOT_EXIST")


def test_search_by_get_and_the_names_of_older_clients(server: Live, run: str) -> None:
    assert server.get(f"{API}/experiments/search?max_results=5").status == 200
    assert server.get(f"{API}/runs/get?run_uuid={run}").status == 200
    listed = server.get(f"/ajax-api/2.0/mlflow/artifacts/list?run_uuid={run}")
    assert listed.body["root_uri"].startswith("mlflow-artifacts:/")


def test_a_filter_that_is_wrong_has_a_position(server: Live) -> None:
    answer = post(server, "runs/search", {"filter": "metrics.m > "})
    assert answer.body["position"] == 12
    assert json.loads(answer.raw)["error_code"] == "INVALID_PARAMETER_VALUE"


def test_charts_get_many_curves_at_once(server: Live, run: str) -> None:
    for part in range(3):
        points = [metric("curve", part * 1000 + i, float(i)) for i in range(1000)]
        post(server, "runs/log-batch", {"run_id": run, "metrics": points})
    ajax = "/ajax-api/2.0/mlflow/metrics"
    whole = server.get(f"{ajax}/get-history-bulk?run_id={run}&run_id=gone&metric_key=curve")
    assert len(whole.body["metrics"]) == 3000
    few = server.get(f"{ajax}/get-history-bulk-interval?run_ids={run}&metric_key=curve")
    assert 200 < len(few.body["metrics"]) <= 322
    assert {one["run_id"] for one in few.body["metrics"]} == {run}
    wrong = server.get(f"{ajax}/get-history-bulk-interval?run_ids={run}&metric_key=m&start_step=1")
    refused(wrong, 400, "INVALID_PARAMETER_VALUE")
    many = "&".join(f"run_ids={i}" for i in range(101))
    refused(
        server.get(f"{ajax}/get-history-bulk-interval?{many}&metric_key=m"),
        400,
        "INVALID_PARAMETER_VALUE",
    )


def test_a_job_changes_no_model_of_another_job(server: Live) -> None:
    server.running("another-model-s")
    _, token = server.running("no-model-s")
    body = {"experiment_id": "0", "name": "m", "source_run_id": "another-model-s"}
    model = post(server, "logged-models", body).body["model"]["info"]["model_id"]
    refused(post(server, "logged-models", body, token=token), 403, "PERMISSION_DENIED")
    path = f"{API}/logged-models/{model}"
    for method, rest, sent in (
        ("PATCH", "", {"status": "LOGGED_MODEL_READY"}),
        ("PATCH", "/tags", {"tags": [{"key": "k", "value": "v"}]}),
        ("DELETE", "", None),
    ):
        refused(server.call(method, path + rest, sent, token=token), 403, "PERMISSION_DENIED")
