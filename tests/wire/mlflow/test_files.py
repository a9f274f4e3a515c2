"""Artifacts over plain HTTP: conditions, ranges, digests, and what a browser is told."""

from __future__ import annotations

import base64
import hashlib
import os
from typing import Any
from urllib.parse import quote

import pytest

from lazulite.domain.access import OWNER
from lazulite.domain.ids import DEFAULT_WORKSPACE
from lazulite.services import tracking
from tests.wire.live import Answer, Live

DATA = b"0123456789"


@pytest.fixture
def base(server: Live) -> str:
    run = tracking.start(server.services, DEFAULT_WORKSPACE, tracking.RunDraft(), OWNER).head.name
    return f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts"


def put(server: Live, path: str, data: bytes = DATA, **headers: Any) -> Answer:
    return server.call("PUT", path, data, **headers)


def sum_of(data: bytes, name: str = "sha-256") -> str:
    digest = hashlib.new(name.replace("-", ""), data).digest()
    return f"{name}=:{base64.b64encode(digest).decode()}:"


def test_what_the_caller_has_is_not_sent_again(server: Live, base: str) -> None:
    etag = put(server, f"{base}/f").headers["etag"]
    same = server.get(f"{base}/f", If_None_Match=etag)
    assert (same.status, same.raw, same.headers["etag"]) == (304, b"", etag)
    assert server.get(f"{base}/f", If_None_Match='"other"').raw == DATA
    assert server.get(f"{base}/f", If_Match=etag).raw == DATA
    put(server, f"{base}/f", b"newer")
    gone = server.get(f"{base}/f", If_Match=etag)
    assert (gone.status, b"newer" in gone.raw) == (412, False)


def test_a_range_is_of_the_file_that_was_meant(server: Live, base: str) -> None:
    etag = put(server, f"{base}/f").headers["etag"]
    part = server.get(f"{base}/f", Range="bytes=4-", If_Range=etag)
    assert (part.status, part.raw) == (206, b"456789")
    put(server, f"{base}/f", b"abcdefghij")
    whole = server.get(f"{base}/f", Range="bytes=4-", If_Range=etag)
    assert (whole.status, whole.raw) == (200, b"abcdefghij")
    beyond = server.get(f"{base}/f", Range="bytes=10-")
    assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */10")


def test_a_head_says_what_a_get_would(server: Live, base: str) -> None:
    put(server, f"{base}/f.txt", Repr_Digest=sum_of(DATA))
    got, head = server.get(f"{base}/f.txt"), server.call("HEAD", f"{base}/f.txt")
    told = ("content-length", "content-type", "etag", "last-modified", "repr-digest")
    assert [head.headers[name] for name in told] == [got.headers[name] for name in told]
    assert (head.status, head.raw, got.headers["repr-digest"]) == (200, b"", sum_of(DATA))
    assert server.call("HEAD", f"{base}/none").status == 404


@pytest.mark.parametrize("header", ["Content_Digest", "Repr_Digest"])
@pytest.mark.parametrize("name", ["sha-256", "sha-512"])
def test_a_digest_is_checked_and_kept(server: Live, base: str, header: str, name: str) -> None:
    wrong = put(server, f"{base}/f", **{header: sum_of(b"other", name)})
    assert (wrong.status, wrong.body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert server.get(f"{base}/f").status == 404
    assert put(server, f"{base}/f", **{header: sum_of(DATA, name)}).status == 200
    assert server.get(f"{base}/f").headers["repr-digest"] == sum_of(DATA, name)
    put(server, f"{base}/f", b"unsaid")
    assert "repr-digest" not in server.get(f"{base}/f").headers


def test_several_digests_are_all_checked_and_unknown_ones_are_not(server: Live, base: str) -> None:
    both = f"{sum_of(DATA)}, {sum_of(DATA, 'sha-512')}"
    assert put(server, f"{base}/f", Content_Digest=both).status == 200
    assert server.get(f"{base}/f").headers["repr-digest"] == both
    half = f"{sum_of(DATA)}, {sum_of(b'x', 'sha-512')}"
    assert put(server, f"{base}/f", Content_Digest=half).status == 400
    assert put(server, f"{base}/f", Content_Digest="crc32c=:AAAAAA==:").status == 200
    clash = {"Content_Digest": sum_of(DATA), "Repr_Digest": sum_of(b"x")}
    assert put(server, f"{base}/f", **clash).status == 400


@pytest.mark.parametrize("value", ["sha-256", "sha-256=x", "sha-256=:AAAA:", "sha-256=:?:", "=::"])
def test_what_is_no_digest_is_refused(server: Live, base: str, value: str) -> None:
    assert put(server, f"{base}/f", Content_Digest=value).status == 400
    assert server.get(f"{base}/f").status == 404


def test_an_upload_may_insist_on_being_the_first(server: Live, base: str) -> None:
    assert put(server, f"{base}/f", If_None_Match="*").status == 200
    second = put(server, f"{base}/f", b"second", If_None_Match="*")
    assert second.status in (400, 409, 412)
    assert server.get(f"{base}/f").raw == DATA


@pytest.mark.parametrize(
    "name",
    [
        *("p.html", "p.HTM", "p.xhtml", "p.svg", "p.svgz", "p.xml", "p.xsl", "p.js", "p.mjs"),
        *("p.wasm", "p.pdf", "p.swf", "p.html.gz", "p.mhtml", "p.bin", "noending", "p.css"),
        *("data:text/html,x", "data:image/png,x", "p.zip", "p.pkl", "x.png.html"),
    ],
)
def test_what_might_run_or_nobody_knows_is_saved(server: Live, base: str, name: str) -> None:
    path = f"{base}/{quote(name)}"
    put(server, path, b"<script>alert(1)</script>")
    got = server.get(path).headers
    assert got["content-disposition"].startswith("attachment;"), got
    assert got["x-content-type-options"] == "nosniff"
    assert got["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.log", "text/plain; charset=utf-8"),
        ("MLmodel", "text/plain; charset=utf-8"),
        ("conda.yaml", "text/plain; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.mp4", "video/mp4"),
    ],
)
def test_what_is_only_shown_is_shown(server: Live, base: str, name: str, kind: str) -> None:
    put(server, f"{base}/{name}")
    got = server.get(f"{base}/{name}").headers
    assert got["content-type"] == kind
    assert got["content-disposition"].startswith("inline;")


@pytest.mark.parametrize(
    "name", ['q"uo"te', "new\nline", "cr\r\nX-Evil: 1", "größe 😀", "a;b=c", "%41"]
)
def test_an_odd_name_stays_within_its_header(server: Live, base: str, name: str) -> None:
    path = f"{base}/{quote(name)}"
    assert put(server, path).status == 200
    got = server.get(path)
    assert got.headers["content-disposition"].endswith(f"filename*=UTF-8''{quote(name, safe='')}")
    assert "x-evil" not in {key.lower() for key in got.headers}
    assert got.raw == DATA


def test_a_model_logged_200_times_is_stored_once(server: Live) -> None:
    from lazulite.services import models

    content = os.urandom(200_000)
    before = sum(one.stat().st_blocks for one in _inodes(server))
    for _ in range(200):
        draft = models.ModelDraft(experiment="0")
        model = models.create(server.services, DEFAULT_WORKSPACE, draft, OWNER).model
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model}/artifacts/data/model.pkl"
        assert put(server, path, content).status == 200
    taken = (sum(one.stat().st_blocks for one in _inodes(server)) - before) * 512
    assert 200_000 <= taken < 210_000
    assert server.get(path).raw == content


def _inodes(server: Live) -> list[Any]:
    files = (one for one in (server.home / "files/stores").rglob("*") if one.is_file())
    return list({one.stat().st_ino: one for one in files}.values())
