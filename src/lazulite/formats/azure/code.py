"""Code versions: where `codeUri` points. It moves no file."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from lazulite.domain.ids import StoragePath, clean_path, parse_storage

SNAPSHOT_URI = "lazulite://snapshots/"
SHARED_NAME = "sha256"  # code of known hash is also kept under this name, the hash its version
_FACADE = re.compile(  # the segment `s.blob.SUFFIX` is lost when a client joins URLs
    r"https?://[^/]+/azureblob/(?P<row>[0-9]{1,18})/(?:s\.blob\.[^/]+/)?(?P<store>[^/]+)/(?P<path>.*)"
)


def snapshot_of(uri: str) -> str | None:
    """Return the digest in `lazulite://snapshots/{digest}`, None for any other URI."""
    return uri.removeprefix(SNAPSHOT_URI) if uri.startswith(SNAPSHOT_URI) else None


def upload_of(uri: str, row: int) -> StoragePath | None:
    """Return the place on a local datastore that was uploaded to, None if it is none of ours.

    Args:
        uri: a URL of the blob façade, or `azureml://datastores/...`.
        row: row id of the workspace the upload must be in.
    """
    if found := _FACADE.fullmatch(uri.partition("?")[0]):
        if int(found["row"]) != row:
            return None
        return StoragePath(unquote(found["store"]), clean_path(unquote(found["path"])))
    place = parse_storage(uri)
    return place if isinstance(place, StoragePath) else None


def content_hash(body: dict[str, Any]) -> str | None:
    """Return the SHA-256 the SDK computed over the folder, if it says one."""
    properties = body.get("properties") or {}
    found = properties.get("hash_sha256")
    return found if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{64}", found) else None
