"""Bodies that are too large for memory: read in a worker thread, sent from a file."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import BinaryIO, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

CHUNK = 1 << 20  # bytes handed over at once
AHEAD = 4 << 20  # bytes of one body that may wait for its thread
AT_ONCE = 64  # uploads that hold a thread; further ones wait, everything else goes on

T = TypeVar("T")
_uploads: RunVar[anyio.CapacityLimiter] = RunVar("uploads")


class Body:
    """The body of a request as a stream for the worker thread that `receive` runs.

    The loop fills it while the thread works on what came before, so that the socket does not wait
    for the disk; when `AHEAD` bytes are waiting, the caller is made to wait.
    """

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._parts: deque[bytes] = deque()
        self._size = 0  # bytes in _parts
        self._over = False  # nothing will come any more
        self._whole = False  # and everything came: nobody went away, nothing was cancelled
        self._change = threading.Condition()
        self._room = asyncio.Event()  # of the loop that fills
        self._loop = asyncio.get_running_loop()

    async def fill(self, request: Request) -> None:
        """Take in the body of `request`, to its end or until the caller goes away."""
        try:
            async for part in request.stream():
                self._room.clear()
                with self._change:
                    self._parts.append(part)
                    self._size += len(part)
                    full = self._size > AHEAD
                    self._change.notify()
                if full:
                    await self._room.wait()
            self._whole = True
        except ClientDisconnect:
            return  # the thread is told, below
        finally:
            with self._change:
                self._over = True
                self._change.notify()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, what is at hand without a size; none only at the end.

        Raises:
            ClientDisconnect: the caller went away before the end.
        """
        limit = CHUNK if size < 0 else min(size, CHUNK)
        with self._change:
            self._change.wait_for(lambda: self._over or self._size >= limit)
            if self._over and not self._whole:
                raise ClientDisconnect
            was_full = self._size > AHEAD
            data = self._take(limit)
            has_room = was_full and self._size <= AHEAD
        if has_room:
            self._loop.call_soon_threadsafe(self._room.set)
        return data

    def _take(self, limit: int) -> bytes:
        taken, left = [], limit
        while left and self._parts:
            part = self._parts.popleft()
            if len(part) > left:
                self._parts.appendleft(part[left:])
                part = part[:left]
            taken.append(part)
            left -= len(part)
        self._size -= limit - left
        return taken[0] if len(taken) == 1 else b"".join(taken)


async def receive(work: Callable[[Body], T], request: Request) -> T:
    """Run `work`, which reads the request's body, in a worker thread of those for uploads."""
    limiter = _uploads.get(None)
    if limiter is None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        _uploads.set(limiter)
    body = Body()
    filling = asyncio.create_task(body.fill(request))
    try:
        return await anyio.to_thread.run_sync(work, body, limiter=limiter)
    finally:
        filling.cancel()


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
