"""Our own routes for files: snapshots by content, and logs from a byte on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput, NotFound
from lazulite.domain.ids import ARTIFACT_STORE, StoragePath
from lazulite.domain.job import Job
from lazulite.ports.files import Snapshots
from lazulite.services import runs, tracking, uploads
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.body import Body, receive
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.own import PREFIX

STD_LOG = "user_logs/std_log.txt"
_MAX_SNAPSHOT = 64 << 20  # bytes of the list of its files
_HEX = 64  # characters of a digest
_LENGTH = 8  # bytes of a size, big-endian
_HERE = PREFIX + SCOPE


def file_routes() -> list[Route]:
    """Return the routes for files."""
    return [
        Route(
            method="POST",
            path=_HERE + "/snapshots",
            action=Action.WRITE,
            endpoint=save_snapshot,
            limit=_MAX_SNAPSHOT,
        ),
        Route(method="POST", path=_HERE + "/objects", action=Action.WRITE, stream=put_objects),
        Route(
            method="PUT", path=_HERE + "/objects/{digest}", action=Action.WRITE, stream=put_object
        ),
        Route(method="GET", path=_HERE + "/jobs/{name}/log", action=Action.READ, stream=read_log),
    ]


def save_snapshot(call: Call) -> Reply:
    """Save a tree, or say what is missing for it; see `services.uploads`."""
    try:
        draft = msgspec.json.decode(call.body, type=uploads.SnapshotDraft)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"the snapshot is not valid: {error}", path="entries") from None
    if draft.datastore and draft.path:
        place = StoragePath(draft.datastore, draft.path)
        tracking.check_file(call.services, call.here, place, call.principal)
    return Reply(body=uploads.save(call.services, call.here, draft))


async def put_object(call: Call, request: Request) -> Response:
    """Keep one object, however large."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal():
        raise InvalidInput("an object needs a Content-Length; send its size", path="Content-Length")
    digest, size = call.params["digest"], int(length)
    await receive(lambda body: call.services.snapshots.put(digest, size, body), request)
    return Response(status_code=201)


async def put_objects(call: Call, request: Request) -> Response:
    """Keep many objects that come one after the other."""
    await receive(lambda body: _put_all(call.services.snapshots, body), request)
    return Response(status_code=201)


def _put_all(snapshots: Snapshots, body: Body) -> None:
    """Read frames: a digest in 64 hex digits, a size in 8 bytes big-endian, the content."""
    while head := _exactly(body, _HEX + _LENGTH):
        digest, size = head[:_HEX].decode("ascii", "replace"), int.from_bytes(head[_HEX:], "big")
        part = _Part(body, size)
        snapshots.put(digest, size, part)
        while part.read():
            pass  # the object was here already


class _Part:
    """The next `size` bytes of a body."""

    def __init__(self, body: Body, size: int) -> None:
        self._body = body
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return what comes next, none at the end of the part."""
        if not self._left:
            return b""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._body.read(wanted)
        if not data:
            raise _cut_short(self._left)
        self._left -= len(data)
        return data


def _exactly(body: Body, size: int) -> bytes:
    """Return `size` bytes, or none at the end of the body."""
    data = b""
    while len(data) < size and (more := body.read(size - len(data))):
        data += more
    if data and len(data) < size:
        raise _cut_short(size - len(data))
    return data


def _cut_short(missing: int) -> InvalidInput:
    return InvalidInput(f"the objects end {missing} bytes too early; send them again")


async def read_log(call: Call, request: Request) -> Response:
    """Send a log of a job from a byte on; with `follow=1` until the job is final."""
    del request  # everything is in the query
    offset = call.query.get("offset") or "0"
    if not (offset.isascii() and offset.isdecimal()):
        raise InvalidInput(f"offset={offset[:40]!r} is not a number of bytes", path="offset")
    follows = call.query.get("follow") in {"1", "true"}
    path = await anyio.to_thread.run_sync(_locate_log, call)
    content = _content(call, path, int(offset), follows=follows)
    return StreamingResponse(content, media_type="text/plain; charset=utf-8")


def _locate_log(call: Call) -> Path:
    run = runs.get(call.services, call.here, call.params["name"])
    name = call.query.get("file") or STD_LOG
    folder = runs.artifact_folder(run.job.reused_from or run.job.name)
    path = call.services.files.locate(run.workspace.id, ARTIFACT_STORE, f"{folder}/{name}")
    if not path.is_file() and run.job.is_final:
        names = ", ".join(runs.log_files(call.services, run)) or "no log at all"
        raise NotFound(f"job '{run.job.name}' has no log '{name[:200]}'; it has {names}")
    if path.is_dir():
        raise NotFound(f"'{name[:200]}' of job '{run.job.name}' is a folder; name a file in it")
    return path


async def _content(call: Call, path: Path, offset: int, *, follows: bool) -> AsyncIterator[bytes]:
    def job() -> Job:
        return runs.get(call.services, call.here, call.params["name"]).job

    async def is_done() -> bool:
        return not follows or (await anyio.to_thread.run_sync(job)).is_final

    async for part in call.services.files.follow(path, offset, is_done):
        yield part
