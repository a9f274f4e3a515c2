"""Artifacts in parts and by signed URLs, with the real client and without one."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.services import models, tracking
from tests.wire.live import Live
from tests.wire.mlflow.test_hostile import CLIMBS

FILES = "/api/2.0/mlflow-artifacts"
BIG = bytes(range(256)) * 4096  # 1 MiB


def start(server: Live) -> str:
    draft = tracking.RunDraft()
    return tracking.start(server.services, DEFAULT_WORKSPACE, draft, OWNER).head.name


@pytest.fixture
def run(server: Live) -> str:
    return start(server)


def uploads(server: Live) -> list[Path]:
    folder = server.home / "files/stores/1/.blobs/workspaceartifactstore/uploads"
    found = list(folder.iterdir()) if folder.exists() else []
    return [one for one in found if not (one / "done").exists()]


def create(server: Live, run: str, name: str = "f.bin", **body: Any) -> Any:
    sent = {"path": f"/home/me/{name}", "num_parts": 2, **body}
    answer = server.call("POST", f"{FILES}/mpu/create/0/{run}/artifacts/d", sent)
    assert answer.status == 200, answer.raw
    return answer.body


def end(server: Live, run: str, act: str, name: str = "f.bin", **body: Any) -> Any:
    path = f"{FILES}/mpu/{act}/0/{run}/artifacts/d"
    headers = body.pop("headers", {})
    return server.call("POST", path, {"path": name, **body}, **headers)


def send(server: Live, url: str, data: bytes, **headers: str) -> Any:
    """Send a part as the client does: without a token."""
    return server.call("PUT", url.removeprefix(server.http), data, token=None, **headers)


def content(server: Live, run: str, name: str = "f.bin") -> bytes:
    return server.get(f"{FILES}/artifacts/0/{run}/artifacts/d/{name}").raw


def digest(data: bytes, algorithm: str = "sha256") -> str:
    return base64.b64encode(hashlib.new(algorithm, data).digest()).decode()


@pytest.mark.parametrize("folder", [None, "deep/er"])
def test_the_client_uploads_a_large_file_in_parts(
    mlflow: Any, server: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "100000")
    before = len(uploads(server))
    large = tmp_path / "größe 1.bin"
    large.write_bytes(BIG)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(large), folder)
    name = f"{folder}/größe 1.bin" if folder else "größe 1.bin"
    local = mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/{name}")
    assert Path(local).read_bytes() == BIG
    assert len(uploads(server)) == before


def test_the_client_downloads_ranges_of_a_signed_url(
    mlflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(BIG)
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(large))
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", "300000")
    target = tmp_path / "to"
    target.mkdir()
    uri = f"{run.info.artifact_uri}/large.bin"
    assert Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(target))).read_bytes() == BIG


def test_a_model_is_logged_and_loaded_in_parts(
    mlflow: Any, server: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "100000")

    class Weights(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
        def load_context(self, context):  # type: ignore[no-untyped-def]  # MLflow reads hints
            self.data = Path(context.artifacts["weights"]).read_bytes()

        def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]
            return [len(self.data)]

    weights = server.home / "weights.bin"
    weights.write_bytes(BIG)
    logged = [
        mlflow.pyfunc.log_model(
            name="m", python_model=Weights(), artifacts={"weights": str(weights)},
            pip_requirements=[],
        )
        for _ in range(2)
    ]  # fmt: skip
    assert mlflow.pyfunc.load_model(logged[1].model_uri).predict([[1]]) == [len(BIG)]
    store = server.home / "files/stores/1/workspaceartifactstore/LoggedModels"
    files = [store / one.model_id / "artifacts" / "weights.bin" for one in logged]
    assert files[0].stat().st_ino == files[1].stat().st_ino


def test_parts_come_in_any_order_and_without_a_token(server: Live, run: str) -> None:
    made = create(server, run)
    first, second = made["credentials"]
    etags = {2: send(server, second["url"], b"world").headers["etag"]}
    etags[1] = send(server, first["url"], b"hello ").headers["etag"]
    parts = [{"part_number": n, "etag": etag, "url": "x"} for n, etag in etags.items()]
    for _ in range(2):  # the client tries again when it got no answer
        answer = end(server, run, "complete", upload_id=made["upload_id"], parts=parts)
        assert (answer.status, answer.body) == (200, {})
    assert content(server, run) == b"hello world"


def test_what_is_wrong_with_an_end_is_told_in_mlflows_words(server: Live, run: str) -> None:
    made = create(server, run)
    etag = send(server, made["credentials"][0]["url"], b"a").headers["etag"]
    good = {"part_number": 1, "etag": etag}
    wrong = [
        ([], 400),
        ([{"part_number": 1, "etag": '"x"'}], 400),
        ([good, {"part_number": 2, "etag": '"x"'}], 400),
        ([{**good, "part_number": "x"}], 400),
    ]
    for parts, status in wrong:
        answer = end(server, run, "complete", upload_id=made["upload_id"], parts=parts)
        assert (answer.status, answer.body["error_code"]) == (status, "INVALID_PARAMETER_VALUE")
    unknown = end(server, run, "complete", upload_id="nothing", parts=[good])
    assert (unknown.status, unknown.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert end(server, run, "complete", upload_id=made["upload_id"], parts=[good]).status == 200
    assert end(server, run, "abort", upload_id=made["upload_id"]).status == 404


def test_an_aborted_upload_is_gone(server: Live, run: str) -> None:
    before = len(uploads(server))
    made = create(server, run)
    url = made["credentials"][0]["url"]
    send(server, url, b"a")
    assert end(server, run, "abort", upload_id=made["upload_id"]).body == {}
    assert len(uploads(server)) == before
    assert send(server, url, b"a").status == 404
    assert len(uploads(server)) == before


@pytest.mark.parametrize("count", [0, -1, 10_001, 10**30, "x", None])
def test_a_number_of_parts_that_cannot_be_is_refused(server: Live, run: str, count: Any) -> None:
    path = f"{FILES}/mpu/create/0/{run}/artifacts"
    answer = server.call("POST", path, {"path": "f", "num_parts": count})
    assert (answer.status, answer.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_signed_url_opens_one_upload_for_one_method(server: Live, run: str) -> None:
    made, other = create(server, run), create(server, run)
    url = made["credentials"][0]["url"].removeprefix(server.http)
    path, _, signature = url.partition("?")
    assert server.call("GET", url, token=None).status in (403, 404)
    assert server.call("DELETE", url, token=None).status in (403, 404)
    moved = path.replace(made["upload_id"], other["upload_id"])
    assert server.call("PUT", f"{moved}?{signature}", b"x", token=None).status == 401
    file = f"{FILES}/artifacts/0/{run}/artifacts/x"
    assert server.call("PUT", f"{file}?{signature}", b"x", token=None).status == 401
    another = start(server)
    elsewhere = path.replace(run, another)
    assert server.call("PUT", f"{elsewhere}?{signature}", b"x", token=None).status == 404
    assert server.call("PUT", path, b"x", token=None).status == 401


def test_a_signed_download_only_reads_its_file(server: Live, run: str) -> None:
    base = f"{FILES}/artifacts/0/{run}/artifacts"
    server.call("PUT", f"{base}/d/f.bin", b"0123456789")
    server.call("PUT", f"{base}/d/other", b"x")
    told = server.get(f"{FILES}/presigned/0/{run}/artifacts/d/f.bin").body
    assert (told["file_size"], told["headers"]) == (10, {})
    url = told["url"].removeprefix(server.http)
    got = server.call("GET", url, token=None, Range="bytes=2-4")
    assert (got.status, got.raw) == (206, b"234")
    assert server.call("PUT", url, b"x", token=None).status == 403
    assert server.call("GET", url.replace("f.bin", "other"), token=None).status == 401
    missing = server.get(f"{FILES}/presigned/0/{run}/artifacts/none")
    assert (missing.status, missing.body["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_an_interrupted_upload_goes_on_with_what_is_missing(server: Live, run: str) -> None:
    data = b"hello " + b"world"
    plan = {"part_size": 6, "sha256": digest(data)}
    made = create(server, run, **plan)
    assert "parts" not in made
    first = send(server, made["credentials"][0]["url"], data[:6]).headers["etag"]
    again = create(server, run, **plan)
    assert again["upload_id"] == made["upload_id"]
    assert again["parts"] == [{"part_number": 1, "etag": first, "size": 6}]
    [rest] = again["credentials"]
    second = send(server, rest["url"], data[6:]).headers["etag"]
    listed = server.get(
        f"{FILES}/mpu/list/0/{run}/artifacts/d/f.bin?upload_id={made['upload_id']}"
    ).body["parts"]
    assert [one["etag"] for one in listed] == [first, second]
    other = create(server, run, part_size=6, sha256=digest(b"other"))
    assert other["upload_id"] != made["upload_id"]
    parts = [{"part_number": 1, "etag": first}, {"part_number": 2, "etag": second}]
    wrong = {"Repr-Digest": f"sha-256=:{digest(b'other')}:"}
    body = {"upload_id": made["upload_id"], "parts": parts}
    assert end(server, run, "complete", headers=wrong, **body).status == 400
    right = {"Repr-Digest": f"sha-256=:{digest(data)}:"}
    assert end(server, run, "complete", headers=right, **body).status == 200
    got = server.get(f"{FILES}/artifacts/0/{run}/artifacts/d/f.bin")
    assert (got.raw, got.headers["repr-digest"]) == (data, right["Repr-Digest"])


def test_a_part_with_another_digest_is_not_kept(server: Live, run: str) -> None:
    made = create(server, run)
    url = made["credentials"][0]["url"]
    answer = send(server, url, b"abc", Content_Digest=f"sha-256=:{digest(b'x')}:")
    assert (answer.status, answer.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    path = f"{FILES}/mpu/list/0/{run}/artifacts/d/f.bin?upload_id={made['upload_id']}"
    assert server.get(path).body["parts"] == []


@pytest.fixture
def canary(server: Live, run: str) -> Iterator[Path]:
    """A file beside the run's folder that nobody may touch."""
    store = server.home / "files/stores/1/workspaceartifactstore/ExperimentRun"
    mine = store / f"dcid.{run}"
    mine.mkdir(parents=True)
    secret = store / "secret.txt"
    secret.write_text("canary")
    (mine / "link").symlink_to(store)
    (mine / "etc").symlink_to("/etc")
    yield secret
    assert secret.read_text() == "canary"
    assert [p.name for p in store.iterdir() if not p.name.startswith("dcid.")] == ["secret.txt"]
    assert not (server.home / "secret.txt").exists()
    secret.unlink()


@pytest.mark.parametrize("climb", CLIMBS)
@pytest.mark.parametrize("within", ["path", "body"])
def test_no_upload_leaves_its_run(
    server: Live, run: str, canary: Path, climb: str, within: str
) -> None:
    before = len(uploads(server))
    folder, _, name = climb.rpartition("/")
    if within == "path":
        path, body = f"0/{run}/artifacts/{folder}", {"path": name, "num_parts": 1}
    else:
        path, body = f"0/{run}/artifacts", {"path": climb, "num_parts": 1}
    made = server.call("POST", f"{FILES}/mpu/create/{path}", body)
    if made.status != 200:
        assert made.status in (400, 404)
        assert len(uploads(server)) == before
        return
    url = made.body["credentials"][0]["url"]  # it is a name in the run's own folder, however odd
    etag = send(server, url, b"overwritten").headers["etag"]
    body |= {"upload_id": made.body["upload_id"], "parts": [{"part_number": 1, "etag": etag}]}
    assert server.call("POST", f"{FILES}/mpu/complete/{path}", body).status == 200
    inside = server.home / f"files/stores/1/workspaceartifactstore/ExperimentRun/dcid.{run}"
    assert [one for one in inside.rglob("*") if one.is_file() and not one.is_symlink()]


@pytest.mark.parametrize("climb", CLIMBS)
@pytest.mark.parametrize(
    ("method", "route"),
    [
        ("GET", "presigned/0/{run}/artifacts/{climb}"),
        ("GET", "mpu/list/0/{run}/artifacts/{climb}?upload_id=x"),
        ("PUT", "mpu/parts/x/1/0/{run}/artifacts/{climb}"),
        ("POST", "mpu/complete/0/{run}/artifacts/{climb}"),
        ("POST", "mpu/abort/0/{run}/artifacts/{climb}"),
        ("HEAD", "artifacts/0/{run}/artifacts/{climb}"),
    ],
)
def test_no_route_reaches_outside(
    server: Live, run: str, canary: Path, method: str, route: str, climb: str
) -> None:
    body = {"path": "secret.txt", "upload_id": "x", "parts": []} if method == "POST" else None
    path = f"{FILES}/{route.format(run=run, climb=climb)}"
    answer = server.call(method, path, b"x" if method == "PUT" else body)
    assert answer.status in (400, 401, 404), answer.raw[:200]
    assert b"canary" not in answer.raw


@pytest.mark.parametrize("upload", ["..", "../..", "/etc", "a\0b", "x" * 5000])
def test_an_upload_id_is_only_a_name(server: Live, run: str, canary: Path, upload: str) -> None:
    assert end(server, run, "complete", upload_id=upload, parts=[]).status == 404
    assert end(server, run, "abort", upload_id=upload).status == 404


@pytest.mark.parametrize("kind", ["run", "model"])
def test_a_job_writes_to_its_own_run_and_models_alone(server: Live, kind: str) -> None:
    for number, whose in enumerate(("mine", "theirs")):
        job, other = f"{kind}-{whose}", f"{kind}-{whose}-other"
        _, token = server.running(job)
        server.running(other)
        place = f"0/{(job, other)[number]}/artifacts"
        if kind == "model":
            draft = models.ModelDraft(experiment="0", source_run=(job, other)[number])
            model = models.create(server.services, DEFAULT_WORKSPACE, draft, OWNER).model
            place = f"0/models/{model}/artifacts"
        act = {"path": "f", "upload_id": "x", "parts": []}
        calls: list[tuple[str, str, Any, int]] = [
            ("POST", f"mpu/create/{place}", {"path": "f", "num_parts": 1}, 200),
            ("PUT", f"artifacts/{place}/g", b"x", 200),
            ("DELETE", f"artifacts/{place}/g", None, 200),
            ("PUT", f"mpu/parts/x/1/{place}/f", b"x", 404),
            ("GET", f"mpu/list/{place}/f?upload_id=x", None, 404),
            ("POST", f"mpu/complete/{place}", act, 404),
            ("POST", f"mpu/abort/{place}", act, 404),
        ]
        for method, route, body, status in calls:
            answer = server.call(method, f"{FILES}/{route}", body, token=token)
            assert answer.status == (status if whose == "mine" else 403), (route, answer.raw)


def test_a_job_writes_no_other_jobs_model_as_a_blob(server: Live) -> None:
    _, token = server.running("blobs")
    server.running("blobs-other")
    for run, status in (("blobs", 201), ("blobs-other", 403)):
        draft = models.ModelDraft(experiment="0", source_run=run)
        model = models.create(server.services, DEFAULT_WORKSPACE, draft, OWNER).model
        blob = f"/azureblob/1/workspaceartifactstore/LoggedModels/{model}/x"
        answer = server.call("PUT", blob, b"x", token=token, x_ms_blob_type="BlockBlob")
        assert answer.status == status


def test_the_signature_of_an_upload_opens_no_equal_upload_of_another_run(server: Live) -> None:
    runs = start(server), start(server)
    sha256 = base64.b64encode(hashlib.sha256(BIG).digest()).decode()
    mine, theirs = (create(server, one, part_size=len(BIG) // 2, sha256=sha256) for one in runs)
    url = mine["credentials"][0]["url"]
    assert send(server, url.replace(*runs), b"evil").status == 404
    assert send(server, url, BIG[: len(BIG) // 2]).status == 200
    path = f"{FILES}/mpu/list/0/{runs[1]}/artifacts/d/f.bin?upload_id={theirs['upload_id']}"
    assert server.get(path).body["parts"] == []


def test_a_job_writes_no_attachment_of_a_trace_as_a_blob(server: Live) -> None:
    _, token = server.running("attachments")
    blob = "/azureblob/1/workspaceartifactstore/Traces/1/x"
    for path in (blob, blob.replace("Traces", "traces"), blob.replace("Traces", ".//Traces")):
        answer = server.call("PUT", path, b"x", token=token, x_ms_blob_type="BlockBlob")
        assert answer.status == 403, path


def test_a_path_longer_than_the_system_allows_is_told(server: Live, run: str) -> None:
    path = f"0/{run}/artifacts/" + "/".join(["a" * 200] * 30)
    for method, route in (("GET", "artifacts"), ("PUT", "artifacts"), ("GET", "presigned")):
        answer = server.call(method, f"{FILES}/{route}/{path}", b"x" if method == "PUT" else None)
        assert (answer.status, "longer" in str(answer.body)) == (400, True), (route, answer.raw)
