"""Our own routes for files: snapshots by content, and logs from a byte on."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from blake3 import blake3

from lazulite.domain.job import Job, JobKind, JobStatus, Timeline
from tests.wire.live import SCOPE, Answer, Live

HERE = f"/lazulite/v1{SCOPE}"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def digest(data: bytes) -> str:
    return blake3(data).hexdigest()


def frame(data: bytes, *, claimed: str | None = None) -> bytes:
    return (claimed or digest(data)).encode() + len(data).to_bytes(8, "big") + data


def entry(path: str, data: bytes, executable: bool = False) -> list[Any]:
    return [path, digest(data), len(data), executable]


def save(live: Live, *entries: list[Any], **place: str) -> Answer:
    return live.call("POST", f"{HERE}/snapshots", {"entries": list(entries), **place})


def put(live: Live, *contents: bytes) -> Answer:
    return live.call("POST", f"{HERE}/objects", b"".join(map(frame, contents)))


def test_a_snapshot_says_what_is_missing_until_it_came(live: Live) -> None:
    files = [entry("a.py", b"code a"), entry("lib/b.py", b"code b")]
    assert save(live, *files).body == {
        "digest": None,
        "missing": sorted([digest(b"code a"), digest(b"code b")]),
    }
    assert put(live, b"code a", b"code b").status == 201
    answer = save(live, *files).body
    assert answer["missing"] == []
    assert [e.path for e in live.services.snapshots.entries(answer["digest"])] == [
        "a.py",
        "lib/b.py",
    ]


def test_the_executable_flag_may_be_left_out(live: Live) -> None:
    put(live, b"plain")
    assert save(live, entry("x", b"plain")[:3]).body["missing"] == []


def test_objects_that_are_here_may_come_again(live: Live) -> None:
    assert put(live, b"again", b"", b"other").status == 201
    assert put(live, b"again", b"new after it", b"").status == 201
    assert not live.services.snapshots.missing([digest(b"new after it")])


def test_a_large_object_goes_alone(live: Live) -> None:
    data = bytes(3_000_000)
    assert live.put(f"{HERE}/objects/{digest(data)}", data).status == 201
    assert live.put(f"{HERE}/objects/{digest(data)}", data).status == 201
    assert not live.services.snapshots.missing([digest(data)])


@pytest.mark.parametrize(
    "body",
    [
        frame(b"wrong", claimed=digest(b"right")),
        frame(b"short")[:-1],
        frame(b"head")[:70],
        frame(b"x", claimed="../" * 21 + "x"),
        frame(b"x", claimed="\u00e4" * 32)[:72] + b"x",
    ],
)
def test_objects_that_are_not_what_they_say_are_refused(live: Live, body: bytes) -> None:
    answer = live.call("POST", f"{HERE}/objects", body)
    assert (answer.status, answer.code) == (400, "ValidationError")


def test_an_object_with_the_wrong_digest_is_refused(live: Live) -> None:
    assert live.put(f"{HERE}/objects/{digest(b'a')}", b"b").status == 400
    assert live.put(f"{HERE}/objects/..%2f..%2fx", b"b").status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"entries": 1}',
        b'{"entries": [["a"]]}',
        b'{"entries": [], "what": 1}',
        b'{"entries": [["../a", "%s", 0]]}' % digest(b"").encode(),
        b'{"entries": [["a", "xyz", 0]]}',
        b'{"entries": [], "datastore": "workspaceblobstore"}',
        b'{"entries": [], "path": "x"}',
        b'{"entries": [], "datastore": "workspaceblobstore", "path": "../x"}',
    ],
)
def test_a_snapshot_that_is_not_valid_is_refused(live: Live, body: bytes) -> None:
    put(live, b"")
    answer = live.call("POST", f"{HERE}/snapshots", body)
    assert (answer.status, answer.code) == (400, "ValidationError")


def test_a_workspace_that_is_not_there_takes_no_snapshot(live: Live) -> None:
    path = f"{HERE}/snapshots".replace("default", "none")
    assert live.call("POST", path, {"entries": []}).status == 404


def test_a_tree_is_put_on_a_datastore_as_often_as_asked(live: Live) -> None:
    put(live, b"1", b"2")
    place = {"datastore": "workspaceblobstore", "path": "LocalUpload/t1/data"}
    files = [entry("a", b"1"), entry("d/b", b"2")]
    first, second = save(live, *files, **place), save(live, *files, **place)
    assert first.body == second.body
    root = live.services.files.root(1, "workspaceblobstore") / "LocalUpload" / "t1" / "data"
    assert {p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()} == {"a", "d/b"}


def test_a_folder_that_holds_more_than_the_tree_is_left_as_it_is(live: Live) -> None:
    put(live, b"1")
    place = {"datastore": "workspaceblobstore", "path": "LocalUpload/t2"}
    save(live, entry("a", b"1"), **place)
    (live.services.files.root(1, "workspaceblobstore") / "LocalUpload/t2/more").write_text("x")
    assert save(live, entry("a", b"1"), **place).status == 200


def test_a_folder_that_holds_something_else_is_a_conflict(live: Live) -> None:
    put(live, b"1", b"2")
    place = {"datastore": "workspaceblobstore", "path": "LocalUpload/t3"}
    save(live, entry("a", b"1"), **place)
    assert save(live, entry("a", b"2"), **place).status == 409
    assert save(live, entry("b", b"1"), **place).status == 409


def test_a_datastore_that_is_not_there_takes_no_files(live: Live) -> None:
    assert save(live, datastore="none", path="x").status == 404


def test_a_datastore_elsewhere_takes_no_files(live: Live) -> None:
    body = {"properties": {"datastoreType": "AzureBlob", "accountName": "a", "containerName": "c"}}
    assert live.put(f"{SCOPE}/datastores/elsewhere", body).status in {200, 201}
    answer = save(live, datastore="elsewhere", path="x")
    assert (answer.status, answer.code) == (400, "NotSupported")


@pytest.fixture
def job(live: Live, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"job-{abs(hash(request.node.name))}"
    new = Job(
        workspace=1,
        name=name,
        kind=JobKind.RUN,
        experiment="e",
        display_name=name,
        status=JobStatus.RUNNING,
        timeline=Timeline(created=LONG_AGO),
        created_by="me",
        modified_at=LONG_AGO,
    )
    live.services.store.write(lambda tx: tx.jobs.add(new, None))
    return name


def log_of(live: Live, job: str, name: str = "user_logs/std_log.txt") -> Path:
    root = live.services.files.root(1, "workspaceartifactstore")
    path = root / "ExperimentRun" / f"dcid.{job}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def finish(live: Live, job: str) -> None:
    row = live.services.store.read(lambda tx: tx.jobs.get(1, job)).id
    live.services.store.write(lambda tx: tx.jobs.edit(row, status=JobStatus.COMPLETED))


def read(live: Live, job: str, query: str = "") -> Answer:
    return live.get(f"{HERE}/jobs/{job}/log?{query}")


def test_a_log_is_read_from_a_byte_on(live: Live, job: str) -> None:
    log_of(live, job).write_bytes(b"0123456789")
    answer = read(live, job, "offset=4")
    assert (answer.status, answer.raw) == (200, b"456789")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_a_log_may_be_named(live: Live, job: str) -> None:
    log_of(live, job, "logs/mine.txt").write_bytes(b"mine")
    assert read(live, job, "file=logs/mine.txt").raw == b"mine"


def test_a_job_that_has_not_begun_has_an_empty_log(live: Live, job: str) -> None:
    answer = read(live, job)
    assert (answer.status, answer.raw) == (200, b"")


def test_a_job_that_ended_without_this_log_says_which_it_has(live: Live, job: str) -> None:
    log_of(live, job).write_bytes(b"x")
    finish(live, job)
    answer = read(live, job, "file=none.txt")
    assert (answer.status, answer.code) == (404, "ResourceNotFound")
    assert "user_logs/std_log.txt" in answer.message


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("offset=-1", 400),
        ("offset=x", 400),
        ("offset=%C2%B2", 400),
        ("file=../../x", 400),
        ("file=..%2f..%2fx", 400),
        ("file=%00", 400),
        ("file=user_logs", 404),
    ],
)
def test_a_wrong_question_is_refused(live: Live, job: str, query: str, status: int) -> None:
    log_of(live, job).write_bytes(b"x")
    assert read(live, job, query).status == status


def test_a_job_that_is_not_there_has_no_log(live: Live) -> None:
    assert read(live, "none").status == 404


def test_a_followed_log_comes_as_it_grows_and_ends_with_its_job(live: Live, job: str) -> None:
    log = log_of(live, job)
    log.write_bytes(b"first\n")
    connection = http.client.HTTPConnection(urlsplit(live.http).netloc, timeout=20)
    headers = {"Authorization": f"Bearer {live.tokens.owner}"}
    connection.request("GET", f"{HERE}/jobs/{job}/log?follow=1", headers=headers)
    response = connection.getresponse()
    assert response.readline() == b"first\n"
    with log.open("ab") as stream:
        stream.write(b"second\n")
    assert response.readline() == b"second\n"
    with log.open("ab") as stream:
        stream.write(b"last")
    finish(live, job)
    assert response.read() == b"last"
    connection.close()


def test_followers_who_went_away_do_not_hold_up_the_server(live: Live, job: str) -> None:
    log_of(live, job).write_bytes(b"x")
    headers = {"Authorization": f"Bearer {live.tokens.owner}"}
    for _ in range(100):
        connection = http.client.HTTPConnection(urlsplit(live.http).netloc, timeout=20)
        connection.request("GET", f"{HERE}/jobs/{job}/log?follow=1", headers=headers)
        assert connection.getresponse().read(1) == b"x"
        connection.close()
    assert read(live, job).raw == b"x"
