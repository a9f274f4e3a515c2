"""Artifacts in parts: create, the parts themselves, list, complete, abort. URLs carry signatures.

The client asks for the folder and names its local file; parts and the list have the whole path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput, NotFound, TooLarge
from lazulite.formats.digest import read_digest, read_digests
from lazulite.formats.mlflow import requests as ask
from lazulite.ports.uploads import MAX_PARTS, Part, UploadName
from lazulite.services import artifact_uploads as uploads
from lazulite.services import artifacts
from lazulite.services.artifact_paths import ArtifactPath, parse_path
from lazulite.wire.body import Body, receive
from lazulite.wire.http import Call, Reply, respond
from lazulite.wire.mlflow.mount import Way

LIFE = timedelta(hours=1)  # of a signed URL, and for each part a minute more
_MINUTE = timedelta(minutes=1)
_MAX_BODY = 16 << 20  # bytes; MLflow sends the URLs of all parts back
_SIZES = re.compile(r"[/\\]")


def create(call: Call) -> Reply:
    """Begin an upload, or go on with it: the URLs of the parts that are not there."""
    asked = ask.decode(call.body, ask.CreateUpload)
    where, path = _named(call, asked.path)
    plan = uploads.Plan(asked.num_parts, asked.part_size, asked.sha256)
    opened = uploads.create(call.services, call.here, where, plan, call.principal)
    here = {part.number for part in opened.parts}
    missing = [number for number in range(1, asked.num_parts + 1) if number not in here]
    urls = _urls(call, opened.id, path, missing, LIFE + asked.num_parts * _MINUTE)
    return Reply(
        body={
            "upload_id": opened.id,
            "credentials": [
                {"url": url, "part_number": number, "headers": {}} for number, url in urls
            ],
            **({"parts": _encoded(opened.parts)} if here else {}),
        }
    )


async def put_part(call: Call, request: Request) -> Response:
    """Keep one part."""
    number = call.params["number"]
    if not (number.isascii() and number.isdecimal() and len(number) < 7):
        raise InvalidInput(
            f"part {number[:40]!r} cannot be: parts have the numbers 1 to {MAX_PARTS}"
        )
    said = read_digests(request.headers)

    def admit() -> UploadName:
        where = parse_path(call.params["path"])
        if call.principal.run:
            artifacts.writable(call.services, call.here, where, call.principal)
        return uploads.find(call.services, call.here, where, call.params["upload"])

    name = await anyio.to_thread.run_sync(admit)
    part = await receive(
        lambda body: uploads.put(call.services, name, int(number), body, said), request
    )
    return Response(headers={"etag": part.etag})


def list_parts(call: Call) -> Reply:
    """Say which parts of an upload are there."""
    where = parse_path(call.params["path"])
    upload = call.query.get("upload_id", "")
    found = uploads.parts(call.services, call.here, where, upload, call.principal)
    return Reply(body={"upload_id": upload, "parts": _encoded(found)})


async def complete(call: Call, request: Request) -> Response:
    """Make the file of its parts."""
    digests = read_digest(request.headers, "repr-digest")

    def work(body: Body) -> None:
        asked = ask.decode(_whole(body), ask.CompleteUpload)
        where, _ = _named(call, asked.path)
        parts = [(part.part_number, part.etag) for part in asked.parts]
        end = uploads.Ending(asked.upload_id, parts, digests)
        uploads.complete(call.services, call.here, where, end, call.principal)

    await receive(work, request)
    return respond(Reply(body={}))


def abort(call: Call) -> Reply:
    """Free the parts of an upload."""
    asked = ask.decode(call.body, ask.AbortUpload)
    where, _ = _named(call, asked.path)
    uploads.abort(call.services, call.here, where, asked.upload_id, call.principal)
    return Reply(body={})


def presign(call: Call) -> Reply:
    """Return a URL that gives a file to who has no token, and its size."""
    path = "/".join(part for part in call.params["path"].split("/") if part)
    where = parse_path(path)
    place = artifacts.readable(call.services, call.here, where)
    try:
        blob = call.services.files.blobs.head(place.blob)
    except NotFound:
        raise artifacts.no_such(where) from None
    target = f"{_prefix(call, 'presigned')}/artifacts/{path}"
    url = call.tokens.sign_url(call.base, target, life=LIFE)
    return Reply(body={"url": url, "headers": {}, "file_size": blob.size})


def ways() -> list[Way]:
    """Return the routes."""
    return [
        Way("POST", "/mpu/create/{path:path}", Action.RUN, create),
        Way("PUT", "/mpu/parts/{upload}/{number}/{path:path}", Action.RUN, stream=put_part),
        Way("GET", "/mpu/list/{path:path}", Action.READ, list_parts),
        Way("POST", "/mpu/complete/{path:path}", Action.RUN, stream=complete),
        Way("POST", "/mpu/abort/{path:path}", Action.RUN, abort),
        Way("GET", "/presigned/{path:path}", Action.READ, presign),
    ]


def _named(call: Call, local: str) -> tuple[ArtifactPath, str]:
    """Return which file is meant, and its whole path."""
    name = _SIZES.split(local)[-1]
    if not name:
        raise InvalidInput(
            f"Invalid value {local[:200]!r} for parameter 'path' supplied: it names no file",
            path="path",
        )
    folder = [part for part in call.params["path"].split("/") if part]
    path = "/".join([*folder, name])
    return parse_path(path), path


def _urls(
    call: Call, upload: str, path: str, numbers: Iterable[int], life: timedelta
) -> list[tuple[int, str]]:
    """Return the URLs of parts: one signature, which opens the parts of this upload alone."""
    parts = f"{_prefix(call, 'mpu/create')}/mpu/parts/{upload}"
    signature = call.tokens.sign(parts, write=True, life=life)
    base = f"{call.base}{quote(parts)}"
    return [(number, f"{base}/{number}/{quote(path)}?{signature}") for number in numbers]


def _prefix(call: Call, operation: str) -> str:
    """Return the part of the path before an operation: where the API is mounted."""
    found = re.match(rf"(.*?/mlflow-artifacts)/+{operation}/", call.path, re.IGNORECASE | re.DOTALL)
    if found is None:
        raise InvalidInput(f"{call.path[:200]} is not where {operation} is")
    return found[1]


def _whole(body: Body) -> bytes:
    data = bytearray()
    while piece := body.read():
        data += piece
        if len(data) > _MAX_BODY:
            raise TooLarge(f"the list of parts is over {_MAX_BODY >> 20} MB: use larger parts")
    return bytes(data)


def _encoded(parts: list[Part]) -> list[dict[str, Any]]:
    return [{"part_number": part.number, "etag": part.etag, "size": part.size} for part in parts]
