"""Artifacts in Azure's JSON: files of a run, or of another container."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from lazulite.domain.errors import InvalidInput
from lazulite.formats.azure.envelope import convert

MAX_PATHS = 1000  # of one request


class Container(NamedTuple):
    """What artifacts are in, in Azure's words."""

    origin: str
    name: str

    def encode(self, path: str) -> dict[str, Any]:
        """Render what every artifact says of itself."""
        return {"origin": self.origin, "container": self.name, "path": path}


class _Path(msgspec.Struct):
    path: str


def decode_paths(body: dict[str, Any]) -> list[str]:
    """Read the paths of files that are to be uploaded."""
    found = convert(body.get("paths") or [], list[_Path], "paths")
    if len(found) > MAX_PATHS:
        raise InvalidInput(f"name at most {MAX_PATHS} files at once", path="paths")
    return [one.path for one in found]


def encode_artifact(within: Container, path: str, made: datetime | None, etag: str | None) -> Any:
    """Render an artifact; one that is yet to be uploaded has no time."""
    return {
        "artifactId": f"{within.origin}/{within.name}/{path}",
        **within.encode(path),
        "etag": etag,
        "createdTime": made,
    }


def encode_content(within: Container, path: str, url: str) -> dict[str, Any]:
    """Render where the content of an artifact is."""
    return {"contentUri": url, **within.encode(path)}
