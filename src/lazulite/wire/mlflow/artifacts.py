"""Artifacts through the proxy: list, get, put, delete; the run's files on the artifact store."""

from __future__ import annotations

from typing import BinaryIO

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from lazulite.domain.access import Action
from lazulite.domain.errors import LazuliteError, NotFound
from lazulite.formats.azure.blob import (
    ConditionNotMet,
    InvalidRange,
    NotModified,
    Span,
    http_date,
    read_condition,
    read_span,
)
from lazulite.formats.digest import KEPT, encode_digests, read_digests
from lazulite.formats.mime import headers_of
from lazulite.formats.mlflow import requests as ask
from lazulite.formats.mlflow.error import encode_error
from lazulite.formats.mlflow.replies import artifact_uri
from lazulite.ports.blobs import Blob, BlobHeaders, Upload
from lazulite.services import artifacts, tracking
from lazulite.services.artifact_paths import ArtifactPath, parse_path
from lazulite.services.artifacts import Listing, Place
from lazulite.wire.body import FileResponse, receive
from lazulite.wire.http import Call, Reply, respond
from lazulite.wire.mlflow.mount import Way

_STATUS = {NotModified: 304, ConditionNotMet: 412, InvalidRange: 416}


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

    said = read_digests(request.headers)
    place = await anyio.to_thread.run_sync(admit)
    upload = Upload(
        headers=BlobHeaders(digests={key: said[key] for key in KEPT if key in said}),
        condition=read_condition(request.headers, writes=True),
        digests=said,
        shared=place.is_shared,
    )
    blobs = call.services.files.blobs
    call.services.files.root(place.workspace, place.blob.container)
    try:
        blob = await receive(lambda body: blobs.put(place.blob, body, upload), request)
    except ConditionNotMet as error:
        return _unmet(error, {})
    return respond(Reply(body={}, headers={"etag": blob.etag}))


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
        Way("HEAD", one, Action.READ, stream=get_proxied),
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
            raise artifacts.no_such(where) from None

    blob, file = await anyio.to_thread.run_sync(find)
    try:
        return _answer(request, blob, file)
    except BaseException:
        file.close()
        raise


def _answer(request: Request, blob: Blob, file: BinaryIO) -> Response:
    """Return what the conditions and the range of a request leave of a file; it may be closed."""
    headers = {
        **headers_of(blob.path.rsplit("/", 1)[-1]),
        "accept-ranges": "bytes",
        "etag": blob.etag,
        "last-modified": http_date(blob.modified),
    }
    if blob.headers.digests:
        headers["repr-digest"] = encode_digests(blob.headers.digests)
    try:
        read_condition(request.headers, writes=False)(blob)
        span = _span(request, blob)
    except (ConditionNotMet, InvalidRange) as error:
        file.close()
        return _unmet(error, {**headers, "content-range": f"bytes */{blob.size}"})
    status = 200
    if span.partial:
        headers["content-range"] = f"bytes {span.start}-{span.start + span.size - 1}/{blob.size}"
        status = 206
    headers["content-length"] = str(span.size)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=headers)
    return FileResponse(file, span.start, span.size, status, headers)


def _span(request: Request, blob: Blob) -> Span:
    """Return the part that is asked for: all, if a range is meant for another state of the file."""
    meant = request.headers.get("if-range", blob.etag)
    if request.method == "HEAD" or meant not in (blob.etag, http_date(blob.modified)):
        return Span(0, blob.size, partial=False)
    return read_span(request.headers, blob.size)


def _unmet(error: LazuliteError, headers: dict[str, str]) -> Response:
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    kept = ("etag", "last-modified") if status == 304 else ("content-range",)
    told = {name: headers[name] for name in kept if name in headers and status != 412}
    if status == 304:
        return Response(status_code=304, headers=told)
    return respond(Reply(body=encode_error(error), status=status, headers=told))


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
