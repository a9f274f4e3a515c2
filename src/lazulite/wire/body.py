"""Bodies that are too large for memory: read in a worker thread, sent from a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import BinaryIO, TypeVar

import anyio
import anyio.to_thread
from anyio import from_thread
from anyio.lowlevel import RunVar
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

CHUNK = 1 << 20  # bytes handed over at once
AT_ONCE = 64  # uploads that hold a thread; further ones wait, everything else goes on

T = TypeVar("T")
_uploads: RunVar[anyio.CapacityLimiter] = RunVar("uploads")


class Body:
    """The body of a request as a stream for the worker thread that `receive` runs."""

    def __init__(self, request: Request) -> None:
        """Take over the body of `request`."""
        self._parts = aiter(request.stream())
        self._ready = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, what is at hand without a size; none only at the end.

        Raises:
            ClientDisconnect: the caller went away before the end.
        """
        data = self._ready or from_thread.run(self._gather)
        cut = len(data) if size < 0 else size
        self._ready = data[cut:]
        return data[:cut]

    async def _gather(self) -> bytes:
        parts, size = [], 0
        async for part in self._parts:
            parts.append(part)
            size += len(part)
            if size >= CHUNK:
                break
        return b"".join(parts)


async def receive(work: Callable[[Body], T], request: Request) -> T:
    """Run `work`, which reads the request's body, in a worker thread of those for uploads."""
    limiter = _uploads.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _uploads.set(limiter)
    return await anyio.to_thread.run_sync(work, Body(request), limiter=limiter)


class FileResponse(StreamingResponse):
    """Sends a part of an open file, and closes it whatever happens."""

    def __init__(
        self, file: BinaryIO, start: int, size: int, status: int, headers: Mapping[str, str]
    ) -> None:
        """Send `size` bytes from `start` on; they must be there."""
        super().__init__(_parts(file.fileno(), start, size), status, dict(headers))
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


async def _parts(descriptor: int, start: int, size: int) -> AsyncIterator[bytes]:
    while size:
        part = await anyio.to_thread.run_sync(os.pread, descriptor, min(size, CHUNK), start)
        if not part:
            return  # the file became shorter: the connection ends short, which the caller sees
        start += len(part)
        size -= len(part)
        yield part
