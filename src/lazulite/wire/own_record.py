"""Our own routes for what a job was made of: its record, and its code as a tar file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from tarfile import BLOCKSIZE, PAX_FORMAT, TarInfo
from typing import Any
from urllib.parse import quote

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from lazulite.domain.access import Action
from lazulite.domain.job import CommandDef, DataInput, Job
from lazulite.formats.azure.job import describe
from lazulite.ports.files import Entry, Snapshots
from lazulite.services import provenance
from lazulite.services.provenance import Provenance
from lazulite.wire.azure.arm import SCOPE
from lazulite.wire.http import Call, Reply, Route
from lazulite.wire.own import PREFIX

CHUNK = 256 * 1024  # bytes read at once
_ONE = PREFIX + SCOPE + "/jobs/{name}"


def record_routes() -> list[Route]:
    """Return the routes of what a job was made of."""
    return [
        Route(method="GET", path=_ONE + "/record", action=Action.READ, endpoint=record),
        Route(method="GET", path=_ONE + "/code", action=Action.READ, stream=download_code),
    ]


def record(call: Call) -> Reply:
    """Tell code, command, environment, inputs, outputs, git state, host and use of a job."""
    found = provenance.of(call.services, call.here, call.params["name"])
    job = found.job
    body = {
        "job": job.name,
        "parent": found.parent,
        "root": found.root,
        "compute": job.compute,
        "source": found.source,
        "code": msgspec.to_builtins(found.code) if found.code else None,
        **_command(found.work, job),
        "inputs": _inputs(found),
        **describe(job),
    }
    return Reply(body=body)


def _command(work: CommandDef | None, job: Job) -> dict[str, Any]:
    if work is None:
        return {"command": None, "environment": None}
    key = job.environment_key or work.environment_key
    python = job.host.python if job.host else None
    return {
        "command": work.command,
        "environment": {"id": work.environment, "key": key, "python": python},
    }


def _inputs(found: Provenance) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in found.job.inputs.items():
        shown[name] = value
        if isinstance(value, DataInput):
            origin = found.origins.get(name)
            shown[name] = msgspec.to_builtins(value) | ({"origin": origin} if origin else {})
    return shown


async def download_code(call: Call, request: Request) -> Response:
    """Send the code that a job ran, as a tar file."""
    del request  # the path says it all
    name = call.params["name"]
    entries = await anyio.to_thread.run_sync(
        lambda: provenance.code(call.services, call.here, name)
    )
    file = f"attachment; filename*=UTF-8''{quote(name)}.tar"
    content = tar(call.services.snapshots, entries)
    headers = {"Content-Disposition": file}
    return StreamingResponse(content, media_type="application/x-tar", headers=headers)


def tar(snapshots: Snapshots, entries: Sequence[Entry]) -> Iterator[bytes]:
    """Yield a tar file of a snapshot, piece by piece."""
    for entry in entries:
        head = TarInfo(entry.path)
        head.size = entry.size
        head.mode = 0o755 if entry.executable else 0o644
        yield head.tobuf(PAX_FORMAT)
        with snapshots.open(entry.digest) as source:
            while data := source.read(CHUNK):
                yield data
        yield b"\0" * (-entry.size % BLOCKSIZE)
    yield b"\0" * (2 * BLOCKSIZE)
