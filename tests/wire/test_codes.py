"""Code: uploaded once, kept by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lazulite.domain.asset import AssetKind
from tests.wire.live import SCOPE, Live

KIND = AssetKind.CODE
SHA = "ab" * 32


def upload(live: Live, name: str, files: dict[str, bytes]) -> str:
    """Upload files as the SDK does and return the `codeUri` it would put."""
    start = f"{SCOPE}/codes/{name}/versions/1/startPendingUpload"
    reference = live.call("POST", start).body["blobReferenceForConsumption"]
    place, _, query = reference["credential"]["sasUri"].partition("?")
    for path, content in files.items():
        url = f"{urlsplit(place).path}/src/{path}?{query}"
        assert live.put(url, content, token=None, x_ms_blob_type="BlockBlob").status == 201
    return f"{reference['blobUri']}/src"


def put(live: Live, name: str, uri: str, sha: str | None = None) -> Any:
    properties = {"hash_sha256": sha, "hash_version": 202208} if sha else {}
    body = {"properties": {"codeUri": uri, "isAnonymous": True, "properties": properties}}
    return live.put(f"{SCOPE}/codes/{name}/versions/1", body)


def test_an_upload_becomes_a_snapshot(live: Live) -> None:
    uri = upload(live, "c1", {"a.py": b"1", "lib/b.py": b"2"})
    assert put(live, "c1", uri).status == 201
    code = live.services.store.read(lambda tx: tx.assets.get(1, KIND, "c1", "1"))
    entries = live.services.snapshots.entries(str(code.digest))
    assert [entry.path for entry in entries] == ["a.py", "lib/b.py"]


def test_the_same_files_elsewhere_are_the_same_code(live: Live) -> None:
    put(live, "c2", upload(live, "c2", {"a.py": b"x"}))
    assert put(live, "c2", upload(live, "c2", {"a.py": b"x"})).status == 200
    assert put(live, "c2", upload(live, "c2", {"a.py": b"y"})).status == 409


def test_code_is_found_by_the_hash_its_client_computed(live: Live) -> None:
    query = f"{SCOPE}/codes/any/versions?hash={SHA}&hashVersion=202208"
    assert live.get(query).body == {"value": []}
    put(live, "c3", upload(live, "c3", {"a.py": b"z"}), SHA)
    [found] = live.get(query).body["value"]
    assert found["id"] == f"{SCOPE}/codes/sha256/versions/{SHA}"
    assert live.get(found["id"]).status == 200


def test_a_snapshot_may_be_named_by_its_digest(live: Live, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("pass")
    digest = live.services.snapshots.ingest(tmp_path)
    assert put(live, "c4", f"lazulite://snapshots/{digest}").status == 201
    missing = put(live, "c5", f"lazulite://snapshots/{'0' * 64}")
    assert missing.status in (400, 404)


def test_an_upload_that_never_came_is_refused(live: Live) -> None:
    uri = f"{live.http}/azureblob/1/s.blob.core.local/workspaceblobstore/nothing/src"
    answer = put(live, "c6", uri)
    assert answer.status == 400
    assert "upload the code first" in answer.message


@pytest.mark.parametrize(
    "uri",
    [
        "/azureblob/2/s.blob.core.local/workspaceblobstore/x",
        "/azureblob/1/s.blob.core.local/workspaceblobstore/../../x",
        "/azureblob/1/s.blob.core.local/workspaceblobstore/%2E%2E/x",
    ],
)
def test_code_of_another_place_is_refused(live: Live, uri: str) -> None:
    assert put(live, "c7", live.http + uri).status == 400
