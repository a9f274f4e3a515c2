"""The blob façade as bytes on a socket: paths that must not work, conditions, ranges, errors."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.wire.live import Answer, Live

STORE = "/azureblob/1/s.blob.core.local/workspaceblobstore"


@pytest.fixture
def root(live: Live) -> Path:
    return live.services.files.root(1, "workspaceblobstore")


def put(live: Live, path: str, data: bytes = b"x", **headers: str) -> Answer:
    return live.call("PUT", f"{STORE}/{path}", data, x_ms_blob_type="BlockBlob", **headers)


def code(answer: Answer) -> str:
    return answer.headers["x-ms-error-code"]


def test_a_blob_comes_back_with_what_was_said_of_it(live: Live) -> None:
    sent = put(live, "said/f", b"hello", x_ms_meta_name="n", x_ms_blob_content_type="text/csv")
    got = live.get(f"{STORE}/said/f")
    assert (sent.status, got.status, got.raw) == (201, 200, b"hello")
    assert got.headers["etag"] == sent.headers["etag"]
    assert got.headers["content-type"] == "text/csv"
    assert got.headers["x-ms-meta-name"] == "n"
    assert got.headers["x-ms-blob-type"] == "BlockBlob"
    assert got.headers["last-modified"].endswith("GMT")
    assert got.headers["x-ms-request-id"]
    assert got.headers["x-ms-version"]


def test_the_version_that_is_asked_for_is_the_version_that_answers(live: Live) -> None:
    answer = live.get(f"{STORE}/none", x_ms_version="2025-01-05")
    assert answer.headers["x-ms-version"] == "2025-01-05"


def test_a_head_has_the_headers_of_a_get(live: Live) -> None:
    put(live, "head", b"hello")
    head, got = live.call("HEAD", f"{STORE}/head"), live.get(f"{STORE}/head")
    same = {k for k in got.headers if k not in {"date", "x-ms-request-id"}}
    same.discard("x-ms-correlation-request-id")
    assert head.raw == b""
    assert {k: head.headers[k] for k in same} == {k: got.headers[k] for k in same}


@pytest.mark.parametrize("method", ["HEAD", "GET", "DELETE"])
def test_what_is_not_there_is_said_as_azure_says_it(live: Live, method: str) -> None:
    answer = live.call(method, f"{STORE}/none")
    assert (answer.status, code(answer)) == (404, "BlobNotFound")
    if method != "HEAD":
        assert b"<Error><Code>BlobNotFound</Code><Message>blob 'none' does not" in answer.raw


def test_a_container_that_is_no_datastore_is_not_there(live: Live) -> None:
    answer = live.get("/azureblob/1/s.blob.core.local/nowhere/f")
    assert (answer.status, code(answer)) == (404, "ContainerNotFound")


@pytest.mark.parametrize("row", ["99", "x", "-1", "%2e%2e", "1%20", str(2**63), "9" * 5000])
def test_a_workspace_that_is_not_there_has_no_containers(live: Live, row: str) -> None:
    path = f"/azureblob/{row}/s.blob.core.local/workspaceblobstore"
    assert live.get(f"{path}/f").status == 404
    assert live.call("PUT", f"{path}?restype=container").status == 404
    assert {one.name for one in (live.home / "files" / "stores").glob("*")} <= {"1"}


def test_the_segment_of_the_account_may_be_missing(live: Live) -> None:
    put(live, "short", b"1")
    assert live.get("/azureblob/1/workspaceblobstore/short").raw == b"1"


def test_every_datastore_has_its_container_before_anything_was_put(live: Live) -> None:
    for store in ("workspaceartifactstore", "workspacefilestore"):
        answer = live.get(f"/azureblob/1/s.blob.core.local/{store}?restype=container")
        assert answer.status == 200


def test_a_container_is_made_once(live: Live) -> None:
    path = "/azureblob/1/s.blob.core.local/mine?restype=container"
    assert live.call("HEAD", path).status == 404
    assert live.call("PUT", path).status == 201
    again = live.call("PUT", path)
    assert (again.status, code(again)) == (409, "ContainerAlreadyExists")
    assert live.call("HEAD", path).status == 200


def test_a_caller_without_a_token_gets_nothing(live: Live, root: Path) -> None:
    assert live.get(f"{STORE}/f", token=None).status == 401
    assert live.call("PUT", f"{STORE}/nobody", b"x", token=None).status == 401
    assert not (root / "nobody").exists()


def test_a_job_of_another_workspace_gets_nothing(live: Live) -> None:
    other = live.services.store.read(lambda tx: tx.workspaces.by_id(1)).ids._replace(name="other")
    token = live.tokens.mint_job(other, "run", 1)
    assert live.get(f"{STORE}/f", token=token).status == 403


ESCAPES = [
    "../canary",
    "a/../../canary",
    "..%2fcanary",
    "%2e%2e/canary",
    "%2e%2e%2fcanary",
    "a/..%2f..%2fcanary",
    "%252e%252e/canary",
    "%252e%252e%252fcanary",
    "..%255ccanary",
    "..%5ccanary",
    "..\\canary",
    "%2fetc%2fpasswd",
    "//etc/passwd",
    "/../canary",
    "./../canary",
    "canary%00",
    "..%00/canary",
    "%00",
    "%c0%ae%c0%ae/canary",
    "%ef%bc%8e%ef%bc%8e/canary",
    "%ef%bc%8e%ef%bc%8e%ef%bc%8fcanary",
    "....//canary",
    "..;/canary",
    ".blobs/../canary",
    "link/canary",
    "filelink",
    "a" * 300,
]


@pytest.fixture
def store(live: Live, request: pytest.FixtureRequest) -> str:
    """URL of a container with symlinks out of it, and a canary beside and outside."""
    root = live.services.files.root(1, request.param)
    outside = live.home / "outside"
    outside.mkdir(exist_ok=True)
    (root.parent / "canary").write_text("alive")
    (outside / "canary").write_text("alive")
    for name, target in {"link": outside, "filelink": outside / "canary"}.items():
        (root / name).unlink(missing_ok=True)
        (root / name).symlink_to(target)
    return f"/azureblob/1/s.blob.core.local/{request.param}"


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("store", ["workspacefilestore"], indirect=True)
def test_nothing_outside_is_read_listed_or_deleted(live: Live, store: str, path: str) -> None:
    before = outside(live)
    for method in ("GET", "HEAD", "DELETE"):
        assert live.call(method, f"{store}/{path}").status in {400, 404}
    listing = live.get(f"{store}?restype=container&comp=list&prefix={path}")
    assert b"canary" not in re.sub(rb"<Prefix>.*?</Prefix>|<Error>.*", b"", listing.raw)
    assert outside(live) == before


@pytest.mark.parametrize("path", ESCAPES)
@pytest.mark.parametrize("query", ["", "?comp=block&blockid=YQ==", "?comp=metadata"])
@pytest.mark.parametrize("store", ["workspaceworkingdirectory"], indirect=True)
def test_nothing_outside_is_written(live: Live, store: str, path: str, query: str) -> None:
    before = outside(live)
    live.call("PUT", f"{store}/{path}{query}", b"overwritten", x_ms_meta_a="b")
    assert outside(live) == before


def outside(live: Live) -> dict[str, bytes]:
    """Everything in the home but the containers, what belongs to them, and the database."""
    stores = live.home / "files" / "stores" / "1"
    own = [stores / "workspaceworkingdirectory", stores / "workspaceblobstore", stores / ".blobs"]
    return {
        str(path): path.read_bytes()
        for path in live.home.rglob("*")
        if path.is_file() and not path.is_symlink()
        if not any(path.is_relative_to(folder) for folder in own)
        if not path.name.startswith("lazulite.db")
    }


@pytest.mark.parametrize(
    "name",
    ["a b", "ü", "a+b", "100%", "%2e%2e", "#1", "what?", "a&b=c", "日本", "a\\b", "..x", "'\"<>"],
)
def test_a_name_of_any_characters_comes_back(live: Live, root: Path, name: str) -> None:
    assert put(live, quote(f"odd/{name}", safe="/"), name.encode()).status == 201
    assert (root / "odd" / name).read_text() == name
    assert live.get(f"{STORE}/{quote(f'odd/{name}', safe='/')}").raw == name.encode()


def test_control_characters_survive_a_listing(live: Live) -> None:
    put(live, "control/%01")
    listing = live.get(f"{STORE}?restype=container&comp=list&prefix=control/").raw
    assert b'<Name Encoded="true">control/%01</Name>' in listing


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=9-9", 206, b"9", "bytes 9-9/10"),
        ("lines=1-2", 200, b"0123456789", None),
        (f"bytes=0-{10**29}", 206, b"0123456789", "bytes 0-9/10"),
        (f"bytes=0-{'9' * 5000}", 200, b"0123456789", None),
    ],
)
@pytest.mark.parametrize("header", ["range", "x-ms-range"])
def test_a_range_is_a_part(
    live: Live, header: str, asked: str, status: int, content: bytes, told: str | None
) -> None:
    put(live, "range", b"0123456789")
    answer = live.get(f"{STORE}/range", **{header: asked})
    assert (answer.status, answer.raw) == (status, content)
    assert answer.headers.get("content-range") == told


@pytest.mark.parametrize(
    ("data", "asked"), [(b"", "bytes=0-9"), (b"abc", "bytes=3-"), (b"", "bytes=-1")]
)
def test_a_range_past_the_end_is_refused(live: Live, data: bytes, asked: str) -> None:
    put(live, "past", data)
    answer = live.get(f"{STORE}/past", range=asked)
    assert (answer.status, code(answer)) == (416, "InvalidRange")
    assert live.get(f"{STORE}/past").raw == data


@pytest.mark.parametrize(
    "query", ["marker=%ff", "marker=%00", "maxresults=0", "maxresults=" + "9" * 5000]
)
def test_a_listing_that_makes_no_sense_is_refused(live: Live, query: str) -> None:
    assert live.get(f"{STORE}?restype=container&comp=list&{query}").status == 400


@pytest.mark.parametrize("body", [b"", b"<a", b"<Latest>eA==</Latest>"])
def test_what_is_no_list_of_blocks_leaves_the_blob_as_it_is(live: Live, body: bytes) -> None:
    put(live, "whole", b"whole")
    assert live.call("PUT", f"{STORE}/whole?comp=blocklist", body).status == 400
    assert live.get(f"{STORE}/whole").raw == b"whole"


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def test_the_md5_of_a_range_is_told_when_asked(live: Live) -> None:
    put(live, "md5", b"0123456789")
    answer = live.get(f"{STORE}/md5", range="bytes=2-4", x_ms_range_get_content_md5="true")
    assert answer.headers["content-md5"] == md5(b"234")


def test_content_with_another_md5_is_refused(live: Live, root: Path) -> None:
    answer = put(live, "wrong", b"abc", content_md5=md5(b"abd"))
    assert (answer.status, code(answer)) == (400, "Md5Mismatch")
    assert not (root / "wrong").exists()


def test_the_md5_of_a_blob_is_kept(live: Live) -> None:
    put(live, "kept", b"abc", x_ms_blob_content_md5=md5(b"abc"))
    assert live.get(f"{STORE}/kept").headers["content-md5"] == md5(b"abc")


PAST, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"if-match": "ETAG"}, 200),
        ("GET", {"if-match": '"other"'}, 412),
        ("GET", {"if-match": "*"}, 200),
        ("GET", {"if-none-match": "ETAG"}, 304),
        ("HEAD", {"if-none-match": "ETAG"}, 304),
        ("GET", {"if-none-match": '"other"'}, 200),
        ("GET", {"if-modified-since": FUTURE}, 304),
        ("GET", {"if-modified-since": PAST}, 200),
        ("GET", {"if-unmodified-since": PAST}, 412),
        ("GET", {"if-unmodified-since": FUTURE}, 200),
        ("GET", {"if-modified-since": "yesterday"}, 400),
        ("PUT", {"if-none-match": "*"}, 409),
        ("PUT", {"if-match": '"other"'}, 412),
        ("PUT", {"if-none-match": "ETAG"}, 412),
        ("PUT", {"if-match": "ETAG"}, 201),
        ("DELETE", {"if-match": '"other"'}, 412),
        ("DELETE", {"if-match": "ETAG"}, 202),
    ],
)
def test_an_act_is_done_only_under_its_condition(
    live: Live, method: str, headers: dict[str, str], status: int
) -> None:
    etag = put(live, "condition", b"1").headers["etag"]
    sent = {k: v.replace("ETAG", etag) for k, v in headers.items()}
    answer = live.call(method, f"{STORE}/condition", b"2" if method == "PUT" else None, **sent)
    assert answer.status == status


def test_an_upload_that_must_replace_something_finds_nothing(live: Live) -> None:
    assert put(live, "nothing", if_match="*").status == 412


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("PUT", "f?comp=lease", {}),
        ("PUT", "f?comp=tags", {}),
        ("GET", "f?comp=blocklist", {}),
        ("PUT", "f", {"x-ms-blob-type": "PageBlob"}),
        ("PUT", "f", {"x-ms-copy-source": "http://elsewhere/x"}),
        ("PUT", "f", {"x-ms-structured-body": "XSM/1.0; properties=crc64"}),
        ("PUT", "f?comp=block", {}),
        ("GET", "?restype=container&comp=list&delimiter=-", {}),
        ("GET", "?restype=container&comp=list&maxresults=0", {}),
        ("GET", "?restype=container&comp=list&marker=%21", {}),
        ("DELETE", "?restype=container", {}),
    ],
)
def test_what_is_not_served_is_refused_in_a_sentence(
    live: Live, method: str, path: str, headers: dict[str, str]
) -> None:
    separator = "" if path.startswith("?") else "/"
    answer = live.call(method, f"{STORE}{separator}{path}", None, **headers)
    assert answer.status == 400
    assert b"<Message>" in answer.raw


def test_an_upload_that_breaks_off_leaves_nothing(live: Live, root: Path) -> None:
    head = (
        f"PUT {STORE}/broken HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {live.tokens.owner}\r\n"
        "x-ms-blob-type: BlockBlob\r\nContent-Length: 3000000\r\n\r\n"
    )
    address = urlsplit(live.http)
    incoming = root.parent / ".blobs" / "workspaceblobstore" / "incoming"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(head.encode() + b"x" * 2_000_000)
        wait_for(lambda: incoming.is_dir() and any(incoming.iterdir()))
    wait_for(lambda: not any(incoming.iterdir()))
    assert not (root / "broken").exists()


def test_what_a_job_wrote_does_not_run_in_the_page_of_the_studio(live: Live) -> None:
    put(live, "page.html", b"<script>", x_ms_blob_content_type="text/html")
    headers = live.get(f"{STORE}/page.html").headers
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"


def wait_for(claim: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.01)
