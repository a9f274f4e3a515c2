"""Artifacts through the proxy: list, get, put, delete; the run's files on the artifact store."""

from __future__ import annotations

import mimetypes
from typing import BinaryIO
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from lazulite.domain.access import Action
from lazulite.domain.errors import NotFound
from lazulite.formats.azure.blob import read_span
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.replies import artifact_uri
from lazulite.ports.blobs import Blob, BlobHeaders, Upload
from lazulite.services import artifacts, tracking
from lazulite.services.artifact_paths import ArtifactPath, parse_path
from lazulite.services.artifacts import Listing, Place
from lazulite.wire.body import FileResponse, receive
from lazulite.wire.http import Call, Reply, respond
from lazulite.wire.mlflow.mount import Way

# what a browser would run, or show as a page of ours: it is saved instead
_SAVED = (
    "text/html",
    "application/xhtml",
    "image/svg",
    "text/xml",
    "application/xml",
    "text/javascript",
    "application/javascript",
    "application/pdf",
)


def list_proxied(call: Call) -> Reply:
    """List a folder by its whole path; names are relative to it."""
    where = parse_path(call.query.get("path", ""))
    found = artifacts.listing(call.services, artifacts.readable(call.services, call.here, where))
    return Reply(body=_files(found, ""))


def list_of_run(call: Call) -> Reply:
    """List a folder of a run; names are relative to the run's artifacts."""
    asked = ask.convert(dict(call.query), ask.RunIdAndPath)
    where = ArtifactPath("run", asked.run, asked.path or "")
    place = artifacts.readable(call.services, call.here, where)
    found = artifacts.listing(call.services, place)
    _, run = tracking.head(call.services, call.here, asked.run)
    prefix = f"{where.path.strip('/')}/" if where.path.strip("/") else ""
    return Reply(body={"root_uri": artifact_uri(run), **_files(found, prefix)})


async def get_proxied(call: Call, request: Request) -> Response:
    """Send a file, or a range of it."""
    return await _send(call, request, parse_path(call.params["path"]))


async def get_of_run(call: Call, request: Request) -> Response:
    """Send a file of a run that the query names."""
    asked = ask.convert(dict(call.query), ask.RunIdAndPath)
    return await _send(call, request, ArtifactPath("run", asked.run, asked.path or ""))


async def put(call: Call, request: Request) -> Response:
    """Keep a file; it appears whole, or not at all."""
    where = parse_path(call.params["path"])

    def admit() -> Place:
        return artifacts.writable(call.services, call.here, where, call.principal)

    place = await anyio.to_thread.run_sync(admit)
    kind = request.headers.get("content-type", "application/octet-stream")
    upload = Upload(headers=BlobHeaders(content_type=kind), md5=request.headers.get("content-md5"))
    blobs = call.services.files.blobs
    call.services.files.root(place.workspace, place.blob.container)
    await receive(lambda body: blobs.put(place.blob, body, upload), request)
    return respond(Reply(body={}))


def delete(call: Call) -> Reply:
    """Delete a file, or a folder with all in it."""
    where = parse_path(call.params["path"])
    place = artifacts.writable(call.services, call.here, where, call.principal)
    artifacts.delete(call.services, place)
    return Reply(body={})


def ways() -> list[Way]:
    """Return the routes of the proxy."""
    one = "/artifacts/{path:path}"
    return [
        Way("GET", "/artifacts", Action.READ, list_proxied),
        Way("GET", one, Action.READ, stream=get_proxied),
        Way("PUT", one, Action.RUN, stream=put),
        Way("DELETE", one, Action.RUN, delete),
    ]


def run_ways() -> list[Way]:
    """Return the routes that name the run in the query."""
    return [
        Way("GET", "/artifacts/list", Action.READ, list_of_run),
        Way("GET", "/artifacts/get", Action.READ, stream=get_of_run),
    ]


async def _send(call: Call, request: Request, where: ArtifactPath) -> Response:
    def find() -> tuple[Blob, BinaryIO]:
        place = artifacts.readable(call.services, call.here, where)
        try:
            return call.services.files.blobs.open(place.blob)
        except NotFound:
            raise NotFound(
                f"{where.kind} '{where.owner}' has no artifact '{where.path[:300]}'"
            ) from None

    blob, file = await anyio.to_thread.run_sync(find)
    try:
        span = read_span(request.headers, blob.size)
        headers = _headers(blob)
    except BaseException:
        file.close()
        raise
    if span.partial:
        end = span.start + span.size - 1
        headers["content-range"] = f"bytes {span.start}-{end}/{blob.size}"
    headers["content-length"] = str(span.size)
    return FileResponse(file, span.start, span.size, 206 if span.partial else 200, headers)


def _headers(blob: Blob) -> dict[str, str]:
    name = blob.path.rsplit("/", 1)[-1]
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    how = "attachment" if kind.startswith(_SAVED) else "inline"
    if kind.startswith("text/") or kind == "application/json":
        kind += "; charset=utf-8"
    return {
        "content-type": kind,
        "content-disposition": f"{how}; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
        "accept-ranges": "bytes",
        "etag": blob.etag,
    }


def _files(found: list[Listing], prefix: str) -> dict[str, object]:
    if not found:
        return {}
    return {
        "files": [
            {"path": prefix + one.name, "is_dir": one.size is None}
            | ({} if one.size is None else {"file_size": one.size})
            for one in found
        ]
    }
