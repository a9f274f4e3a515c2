"""The path-style façade of Azure Blob Storage over local datastores.

`/azureblob/{workspace row}/s.blob.SUFFIX/{container}/{blob}`; the third segment may be missing. It
serves what azure-storage-blob sends for azure-ai-ml: blocks and whole blobs, properties, metadata,
lists. Leases, copies, append and page blobs, snapshots and tags are refused.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Awaitable, Callable
from typing import BinaryIO, NamedTuple

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from lazulite.domain.access import Action
from lazulite.domain.errors import InvalidInput, LazuliteError, NotFound, TooLarge, Unsupported
from lazulite.domain.ids import StoragePath
from lazulite.formats.azure import blob as azure
from lazulite.ports.blobs import (
    Blob,
    BlobHeaders,
    BlobName,
    Blobs,
    Condition,
    ContainerNotFound,
    Upload,
    always,
)
from lazulite.services import tracking
from lazulite.services.artifact_paths import is_shared
from lazulite.wire.body import FileResponse, receive
from lazulite.wire.http import Call, Route, status_of

_PATH = "/azureblob/{workspace_id}/{rest:path}"
_ACTIONS = {
    "GET": Action.READ,
    "HEAD": Action.READ,
    "PUT": Action.WRITE,
    "DELETE": Action.WRITE,
}
REPLACE = {"si": "replace"}  # of a signed URL: replace what is there, whatever the client asks
_STATUS = {azure.NotModified: 304, azure.ConditionNotMet: 412, azure.InvalidRange: 416}
_MAX_XML = 8 << 20  # bytes; the ids of 50 000 blocks take less
_MAX_MD5 = 4 << 20  # bytes of a range whose MD5 is told; Azure's limit


class Ask(NamedTuple):
    """One request to the façade."""

    call: Call
    request: Request
    name: BlobName  # of a container: its path is empty

    @property
    def blobs(self) -> Blobs:
        """Where the blobs are."""
        return self.call.services.files.blobs


Answer = Callable[[Ask], Awaitable[Response]]


def blob_routes() -> list[Route]:
    """Return the routes of the façade."""
    return [
        Route(method=method, path=_PATH, action=action, stream=_serve)
        for method, action in _ACTIONS.items()
    ]


async def _serve(call: Call, request: Request) -> Response:
    try:
        response = await _answer(call, request)
    except LazuliteError as error:
        response = _refusal(error, request.method)
    response.headers["x-ms-version"] = request.headers.get("x-ms-version", azure.VERSION)
    return response


async def _answer(call: Call, request: Request) -> Response:
    ask = Ask(call, request, _name_of(call))
    kind = "blob" if ask.name.path else call.query.get("restype", "blob")
    operation = (request.method, kind, call.query.get("comp", ""))
    answer = _OPERATIONS.get(operation)
    if answer is None:
        raise Unsupported(f"{' '.join(operation).strip()} of Blob Storage is not served here")
    if ask.name.path and _ACTIONS[request.method] is Action.WRITE and call.principal.run:
        await anyio.to_thread.run_sync(_check_run, ask)
    if answer is not _create_container:
        await anyio.to_thread.run_sync(_ensure_container, ask)
    return await answer(ask)


def _name_of(call: Call) -> BlobName:
    row, rest = call.params["workspace_id"], call.params["rest"]
    if not (row.isascii() and row.isdecimal() and len(row) < 19):
        raise NotFound(f"there is no workspace {row[:80]!r}")
    first, _, below = rest.partition("/")
    if ".blob." in first:  # the end of the host name that the client made of the account's name
        rest = below
    container, _, path = rest.partition("/")
    return BlobName(int(row), container, path)


def _check_run(ask: Ask) -> None:
    file = StoragePath(ask.name.container, ask.name.path)
    tracking.check_file(ask.call.services, ask.call.here, file, ask.call.principal)


def _ensure_container(ask: Ask) -> None:
    """Let a datastore have its container although nothing was ever put into it."""
    row, container, _ = ask.name
    if ask.blobs.has(row, container):
        return
    try:
        ask.call.services.store.read(lambda tx: tx.datastores.get(row, container))
    except NotFound:
        raise ContainerNotFound(
            f"container '{container}' does not exist in workspace {row}; create its datastore"
        ) from None
    ask.call.services.files.root(row, container)


async def _create_container(ask: Ask) -> Response:
    def create() -> None:
        ask.call.services.store.read(lambda tx: tx.workspaces.by_id(ask.name.workspace))
        ask.blobs.create(ask.name.workspace, ask.name.container)

    await anyio.to_thread.run_sync(create)
    return Response(status_code=201)


async def _show_container(ask: Ask) -> Response:
    del ask  # it exists: that was made sure before
    return Response(headers={"x-ms-lease-state": "available", "x-ms-lease-status": "unlocked"})


async def _list(ask: Ask) -> Response:
    query = azure.read_query(ask.call.query)
    include = frozenset(ask.call.query.get("include", "").split(","))

    def render() -> bytes:
        page = ask.blobs.page(ask.name.workspace, ask.name.container, query)
        return azure.encode_page(ask.name.container, query, page, include)

    content = await anyio.to_thread.run_sync(render)
    return Response(content, media_type="application/xml")


async def _head(ask: Ask) -> Response:
    blob = await anyio.to_thread.run_sync(ask.blobs.head, ask.name)
    azure.read_condition(ask.request.headers, writes=False)(blob)
    return Response(headers=azure.encode_headers(blob, azure.Span(0, blob.size, partial=False)))


async def _get(ask: Ask) -> Response:
    blob, file = await anyio.to_thread.run_sync(ask.blobs.open, ask.name)
    try:
        return await _send(ask, blob, file)
    except BaseException:
        file.close()
        raise


async def _send(ask: Ask, blob: Blob, file: BinaryIO) -> Response:
    headers = ask.request.headers
    azure.read_condition(headers, writes=False)(blob)
    span = azure.read_span(headers, blob.size)
    told = azure.encode_headers(blob, span)
    status = 206 if span.partial else 200
    if headers.get("x-ms-range-get-content-md5") == "true" and span.partial:
        told["content-md5"] = await anyio.to_thread.run_sync(_md5_of, file, span)
    return FileResponse(file, span.start, span.size, status, told)


def _md5_of(file: BinaryIO, span: azure.Span) -> str:
    if span.size > _MAX_MD5:
        raise InvalidInput(f"the MD5 of a range is told up to {_MAX_MD5} bytes, not {span.size}")
    file.seek(span.start)
    digest = hashlib.md5(file.read(span.size), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


async def _put(ask: Ask) -> Response:
    headers = ask.request.headers
    if (kind := headers.get("x-ms-blob-type", "BlockBlob")) != "BlockBlob":
        raise Unsupported(f"blobs of type {kind[:40]!r} are not kept; upload a BlockBlob")
    _refuse_wrapping(ask.request)
    if "x-ms-copy-source" in headers:
        raise Unsupported("copying from a URL is not served here; upload the content")
    upload = Upload(
        headers=azure.read_headers(headers),
        condition=_condition(ask),
        digests=_md5_said(ask.request),
        shared=is_shared(ask.name.container, ask.name.path),
    )
    blob = await receive(lambda body: ask.blobs.put(ask.name, body, upload), ask.request)
    return _written(blob, 201)


async def _put_block(ask: Ask) -> Response:
    _refuse_wrapping(ask.request)
    block = ask.call.query.get("blockid", "")
    if not block:
        raise InvalidInput("a block needs its id: add blockid to the URL", path="blockid")
    said = _md5_said(ask.request)
    await receive(lambda body: ask.blobs.put_block(ask.name, block, body, said), ask.request)
    return Response(status_code=201)


async def _commit(ask: Ask) -> Response:
    headers = ask.request.headers
    blocks = azure.read_blocks(await _small_body(ask.request))
    plain = azure.read_headers({k: v for k, v in headers.items() if k != "content-type"})
    shared = is_shared(ask.name.container, ask.name.path)
    upload = Upload(headers=plain, condition=_condition(ask), shared=shared)
    blob = await receive(lambda _: ask.blobs.commit(ask.name, blocks, upload), ask.request)
    return _written(blob, 201)


async def _set_metadata(ask: Ask) -> Response:
    metadata = azure.read_metadata(ask.request.headers)
    return await _describe(ask, lambda now: msgspec.structs.replace(now, metadata=metadata))


async def _set_properties(ask: Ask) -> Response:
    new = azure.read_headers({k: v for k, v in ask.request.headers.items() if k != "content-type"})
    return await _describe(ask, lambda now: msgspec.structs.replace(new, metadata=now.metadata))


async def _describe(ask: Ask, change: Callable[[BlobHeaders], BlobHeaders]) -> Response:
    condition = azure.read_condition(ask.request.headers, writes=True)
    blob = await anyio.to_thread.run_sync(ask.blobs.describe, ask.name, change, condition)
    return _written(blob, 200)


async def _delete(ask: Ask) -> Response:
    condition = azure.read_condition(ask.request.headers, writes=True)
    await anyio.to_thread.run_sync(ask.blobs.delete, ask.name, condition)
    return Response(status_code=202)


_OPERATIONS: dict[tuple[str, str, str], Answer] = {
    ("HEAD", "blob", ""): _head,
    ("GET", "blob", ""): _get,
    ("PUT", "blob", ""): _put,
    ("PUT", "blob", "block"): _put_block,
    ("PUT", "blob", "blocklist"): _commit,
    ("PUT", "blob", "metadata"): _set_metadata,
    ("PUT", "blob", "properties"): _set_properties,
    ("DELETE", "blob", ""): _delete,
    ("PUT", "container", ""): _create_container,
    ("GET", "container", ""): _show_container,
    ("HEAD", "container", ""): _show_container,
    ("GET", "container", "list"): _list,
}


def _md5_said(request: Request) -> dict[str, str]:
    said = request.headers.get("content-md5")
    return {"md5": said} if said else {}


def _condition(ask: Ask) -> Condition:
    """Return under which condition a blob may be written."""
    if "sig" in ask.call.query and ask.call.query.get("si") == REPLACE["si"]:
        return always
    return azure.read_condition(ask.request.headers, writes=True)


def _refuse_wrapping(request: Request) -> None:
    """Refuse content in a wrapping that would be stored as if it were the content."""
    if "x-ms-structured-body" in request.headers:
        raise Unsupported("CRC64 of content is not checked here; use validate_content=True")


async def _small_body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_XML:
            raise TooLarge(f"the list of blocks is over {_MAX_XML >> 20} MB: use larger blocks")
    return bytes(body)


def _written(blob: Blob, status: int) -> Response:
    told = {
        "etag": blob.etag,
        "last-modified": azure.http_date(blob.modified),
        "x-ms-request-server-encrypted": "false",
    }
    if blob.headers.md5:
        told["content-md5"] = blob.headers.md5
    return Response(status_code=status, headers=told)


def _refusal(error: LazuliteError, method: str) -> Response:
    status = next(
        (code for kind, code in _STATUS.items() if isinstance(error, kind)), status_of(error)
    )
    content = b"" if method == "HEAD" or status == 304 else azure.encode_error(error)
    headers = {"x-ms-error-code": azure.code_of(error)}
    return Response(content, status, headers, media_type="application/xml" if content else None)
