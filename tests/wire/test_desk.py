"""How every request is treated, over a real socket."""

from __future__ import annotations

import base64
import http.client
import socket
import statistics
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from lazulite.domain.access import Action
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.domain.job import Job, JobKind, JobStatus, Timeline
from lazulite.wire.http import MAX_BODY, Call, Reply, Route
from tests.wire.live import SCOPE, Live, live_server

TEAM = SCOPE.replace("/default", "/team")


def breaks(_: Call) -> Reply:
    raise RuntimeError("the password is hunter2")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    extra = Route(method="GET", path="/breaks", action=Action.READ, endpoint=breaks)
    with live_server(tmp_path_factory.mktemp("home"), (extra,)) as server:
        yield server


def add_job(live: Live, name: str, status: JobStatus = JobStatus.RUNNING) -> Job:
    now = live.services.clock.now()
    job = Job(
        workspace=1,
        name=name,
        kind=JobKind.COMMAND,
        experiment="e",
        display_name=name,
        status=status,
        timeline=Timeline(created=now),
        created_by="t",
        modified_at=now,
    )
    return live.services.store.write(lambda tx: tx.jobs.add(job, None))


def test_health_needs_no_token(live: Live) -> None:
    assert live.get("/healthz", token=None).body == {"status": "ok"}
    assert live.get("/readyz", token=None).body == {"status": "ready"}


def test_everything_else_does(live: Live) -> None:
    for path in (SCOPE, "/lazulite/v1/server", "/lazulite/v1/environments"):
        answer = live.get(path, token=None)
        assert (answer.status, answer.code) == (401, "InvalidAuthenticationToken")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_path_that_is_not_there_is_not_found(live: Live) -> None:
    assert live.get(SCOPE + "/flags").status == 404


def test_every_answer_carries_its_number(live: Live) -> None:
    first = live.get("/healthz", x_ms_correlation_request_id="mine")
    assert first.headers["x-ms-correlation-request-id"] == "mine"
    assert first.headers["x-ms-request-id"] != live.get("/healthz").headers["x-ms-request-id"]


def test_what_nobody_expected_stays_in_the_log(
    live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    answer = live.get("/breaks")
    assert (answer.status, answer.code) == (500, "InternalError")
    assert b"hunter2" not in answer.raw
    assert answer.headers["x-ms-request-id"] in answer.message
    assert "hunter2" in caplog.text


def test_a_body_that_is_too_large_is_refused_before_it_is_read(live: Live) -> None:
    connection = http.client.HTTPConnection(urlsplit(live.http).netloc, timeout=10)
    connection.putrequest("PUT", SCOPE)
    connection.putheader("Authorization", f"Bearer {live.tokens.owner}")
    connection.putheader("Content-Length", str(MAX_BODY + 1))
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    connection.close()


def test_a_body_without_a_length_is_measured(live: Live) -> None:
    connection = http.client.HTTPConnection(urlsplit(live.http).netloc, timeout=30)
    piece = b" " * (8 * 1024 * 1024)

    def pieces() -> Iterator[bytes]:
        for _ in range(MAX_BODY // len(piece) + 1):
            yield piece

    headers = {"Authorization": f"Bearer {live.tokens.owner}", "Transfer-Encoding": "chunked"}
    try:
        connection.request("PUT", SCOPE, pieces(), headers, encode_chunked=True)
        status = connection.getresponse().status
    except ConnectionError:  # the server hung up on a caller that would not stop
        status = 413
    connection.close()
    assert status == 413


@pytest.mark.parametrize(
    "name",
    [
        "a" * 300,
        "..%2F..%2Fetc",
        "..",
        "%00",
        "a%0Ab",
        "a%00b",
        "a%20b",
        "%C3%BCml%C3%A4ut",
        "-a",
        "a%2Fb",
    ],
)
def test_a_name_that_is_none_is_refused_with_a_sentence(live: Live, name: str) -> None:
    body = {"properties": {"dataType": "uri_file", "dataUri": "https://x/y"}}
    answer = live.put(f"{SCOPE}/data/{name}/versions/1", body)
    assert (answer.status, answer.code) == (400, "ValidationError")
    assert "data name" in answer.message


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://["}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({}, 200),
    ],
)
def test_a_page_of_another_site_may_not_use_what_the_browser_remembers(
    live: Live, headers: dict[str, str], status: int
) -> None:
    basic = base64.b64encode(f"me:{live.tokens.owner}".encode()).decode()
    call = partial(live.get, SCOPE, **headers)
    assert call(token=None, authorization=f"Basic {basic}").status == status
    assert call().status == 200
    assert (
        live.get(SCOPE, token=None, authorization=f"Basic {basic}", origin=live.http).status == 200
    )


def test_a_jobs_token_opens_its_own_workspace_only(live: Live) -> None:
    live.put(TEAM, {"location": "local"})
    job = add_job(live, "alive")
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, job.name, job.id)
    assert live.get(SCOPE, token=token).status == 200
    assert live.get(TEAM, token=token).code == "AuthorizationFailed"
    assert live.get("/lazulite/v1/server", token=token).status == 403
    assert live.call("DELETE", SCOPE, token=token).status == 403
    assert live.call("POST", SCOPE + "/datastores/x/listSecrets", token=token).status == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/computes/local"),
        ("DELETE", "/computes/local"),
        ("POST", "/computes/local/stop"),
        ("PUT", "/datastores/mine"),
        ("DELETE", "/datastores/mine"),
        ("POST", "/jobs/other/cancel"),
        ("DELETE", "/jobs/other"),
    ],
)
def test_a_jobs_token_manages_nothing(live: Live, method: str, path: str) -> None:
    job = add_job(live, f"modest-{uuid.uuid4().hex}")
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, job.name, job.id)
    assert live.call(method, SCOPE + path, token=token).status == 403


def test_a_jobs_token_opens_the_blobs_of_its_own_workspace_only(live: Live) -> None:
    live.put(TEAM, {"location": "local"})
    job = add_job(live, "blobs")
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, job.name, job.id)
    path = "/azureblob/{}/s.blob.core.local/workspaceblobstore/x.txt"
    for row, status in ((1, 201), (2, 403), (99, 404), ("x", 404)):
        answer = live.put(path.format(row), b"text", token=token, x_ms_blob_type="BlockBlob")
        assert answer.status == status


@pytest.mark.parametrize(
    ("folder", "status"),
    [
        ("ExperimentRun/dcid.mine", 201),
        ("ExperimentRun/dcid.theirs", 403),
        ("experimentrun/dcid.theirs", 403),
        ("ExperimentRun/dcid.nobodys", 404),
        ("elsewhere", 201),
    ],
)
def test_a_job_writes_to_the_artifacts_of_its_own_run_only(
    live: Live, folder: str, status: int
) -> None:
    mine, theirs = (add_job(live, f"{name}{status}{folder[0]}") for name in ("mine", "theirs"))
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, mine.name, mine.id)
    folder = folder.replace("mine", mine.name).replace("theirs", theirs.name)
    path = f"/azureblob/1/s.blob.core.local/workspaceartifactstore/{folder}/f"
    assert live.put(path, b"x", token=token, x_ms_blob_type="BlockBlob").status == status
    signed = live.tokens.sign_url("", path, write=True)
    assert live.put(signed, b"x", token=None, x_ms_blob_type="BlockBlob").status == 201
    draft = {"entries": [], "datastore": "workspaceartifactstore", "path": f"./{folder}/tree"}
    answer = live.call("POST", f"/lazulite/v1{SCOPE}/snapshots", draft, token=token)
    assert answer.status == (200 if status == 201 else status)


def test_a_jobs_token_dies_with_the_job(live: Live) -> None:
    job = add_job(live, "dead", JobStatus.COMPLETED)
    token = live.tokens.mint_job(DEFAULT_WORKSPACE, job.name, job.id)
    answer = live.get(SCOPE, token=token)
    assert (answer.status, answer.message) == (
        401,
        "the job of this token has ended, and its token with it",
    )


def test_a_signed_url_needs_no_header(live: Live) -> None:
    path = "/azureblob/1/s.blob.core.local/workspaceblobstore/signed/a.txt"
    live.put(path, b"hello", x_ms_blob_type="BlockBlob")
    signed = live.tokens.sign_url("", "/azureblob/1/s.blob.core.local/workspaceblobstore/signed")
    query = signed.partition("?")[2]
    assert live.get(f"{path}?{query}", token=None).raw == b"hello"
    assert live.call("DELETE", f"{path}?{query}", token=None).status == 403
    assert live.get(f"{path[:-5]}b.txt/../../x?{query}", token=None).status in (401, 404)


def test_a_call_over_a_kept_connection_does_not_stall(live: Live) -> None:
    connection = http.client.HTTPConnection(urlsplit(live.http).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {live.tokens.owner}"}
    took = []
    for _ in range(200):
        began = time.perf_counter()
        connection.request("GET", SCOPE + "/computes/local", headers=headers)
        connection.getresponse().read()
        took.append(time.perf_counter() - began)
    connection.close()
    assert statistics.median(took) < 0.02  # 44 ms = Nagle and delayed acknowledgement


def test_a_caller_that_goes_away_leaves_the_server_well(live: Live) -> None:
    with socket.create_connection(urlsplit(live.http).netloc.split(":")) as sock:  # type: ignore[arg-type]
        sock.sendall(
            f"PUT {SCOPE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            f"Authorization: Bearer {live.tokens.owner}\r\n\r\n{{".encode()
        )
    assert live.get("/healthz").status == 200


def test_a_server_with_idle_tls_connections_stops_at_once(tmp_path: Path) -> None:
    import ssl

    with live_server(tmp_path / "home") as server:
        trust = ssl.create_default_context(cafile=str(tmp_path / "home/tls/bundle.pem"))
        netloc = urlsplit(server.https).netloc
        connection = http.client.HTTPSConnection(netloc, context=trust, timeout=10)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        began = server.services.clock.now()
    assert server.services.clock.now() - began < timedelta(seconds=1.5)
    connection.close()


def test_times_are_told_in_utc(live: Live) -> None:
    created = live.get(SCOPE).body["systemData"]["createdAt"]
    assert msgspec.convert(created, type=type(live.services.clock.now())).utcoffset() == timedelta()
