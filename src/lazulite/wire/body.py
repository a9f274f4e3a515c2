"""Bodies that are too large for memory: read in a worker thread, sent from a file."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import BinaryIO, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from lazulite.domain.errors import TooSlow

CHUNK = 1 << 20  # bytes handed over at once
AHEAD = 4 << 20  # bytes of one body that may wait for its thread
FIRST = 256 << 10  # bytes of a file that are sent at once to a reader who may be slow
KNOWN = 16 << 20  # bytes after which it shows, as the sockets' buffers are full
QUICK = 0.1  # seconds in which a quick reader takes what is sent at once
LITTLE = 64 << 10  # bytes that are worth a thread
AT_ONCE = 64  # uploads that are worked on; further ones wait, everything else goes on
SLOW = 256  # uploads whose thread waits for the sender
PATIENCE = 0.2  # seconds that a thread waits before its place goes to another

T = TypeVar("T")


class Body:
    """The body of a request as a stream for the worker thread that `receive` runs.

    The loop fills it while the thread works on what came before, so that the socket does not wait
    for the disk; when `AHEAD` bytes are waiting, the caller is made to wait.
    """

    def __init__(self, places: Places | None = None) -> None:
        """Hold nothing yet; a thread that waits for the sender is out of `places`."""
        self._parts: deque[bytes] = deque()
        self._size = 0  # bytes in _parts
        self._over = False  # nothing will come any more
        self._whole = False  # and everything came: nobody went away, nothing was cancelled
        self._why: Exception | None = None  # or why not
        self._change = threading.Condition()
        self._room = asyncio.Event()  # of the loop that fills
        self._enough = asyncio.Event()  # LITTLE bytes or all are here
        self._loop = asyncio.get_running_loop()
        self._places = places

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
                if self._size >= LITTLE:
                    self._enough.set()
                if full:
                    await self._room.wait()
            self._whole = True
        except (ClientDisconnect, TooSlow) as error:
            self._why = error  # the thread is told, below
        finally:
            self.cut(self._why)

    def cut(self, why: Exception | None = None) -> None:
        """Let nothing come any more."""
        with self._change:
            if not self._over:
                self._over, self._why = True, why
            self._change.notify()
        self._enough.set()

    async def begun(self) -> None:
        """Wait until there is something to work on."""
        await self._enough.wait()

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, what is at hand without a size; none only at the end.

        Raises:
            ClientDisconnect: the caller went away before the end.
            TooSlow: the caller does not send it.
        """
        limit = CHUNK if size < 0 else min(size, CHUNK)
        if not self._wait(limit, PATIENCE) and self._places is not None:
            with self._places.left(self):
                self._wait(min(limit, LITTLE), None)
        with self._change:
            self._change.wait_for(lambda: self._over or self._size)
            if self._over and not self._whole:
                raise self._why or ClientDisconnect()
            was_full = self._size > AHEAD
            data = self._take(limit)
            has_room = was_full and self._size <= AHEAD
        if has_room:
            self._loop.call_soon_threadsafe(self._room.set)
        return data

    def _wait(self, size: int, patience: float | None) -> bool:
        """Wait for `size` bytes or the end; return whether it came in time."""
        with self._change:
            return self._change.wait_for(lambda: self._over or self._size >= size, patience)

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


class Places:
    """Where uploads are worked on. Whoever waits for a sender gives the place to another."""

    def __init__(self) -> None:
        """Have every place free."""
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self.threads = anyio.CapacityLimiter(AT_ONCE + SLOW)
        self._waiting: dict[Body, None] = {}  # that are out for their sender, longest first
        self._lock = threading.Lock()

    @asynccontextmanager
    async def taken(self, body: Body) -> AsyncIterator[None]:
        """Hold a place during the block."""
        await self._limiter.acquire_on_behalf_of(body)
        try:
            yield
        finally:
            self._limiter.release_on_behalf_of(body)

    @contextmanager
    def left(self, body: Body) -> Iterator[None]:
        """Be without the place during the block, in the thread that holds it."""
        anyio.from_thread.run_sync(self._limiter.release_on_behalf_of, body)
        try:
            self._stand_by(body)
            yield
        finally:
            with self._lock:
                self._waiting.pop(body, None)
            anyio.from_thread.run(self._limiter.acquire_on_behalf_of, body)

    def _stand_by(self, body: Body) -> None:
        with self._lock:
            self._waiting[body] = None
            longest = next(iter(self._waiting)) if len(self._waiting) > SLOW - 1 else None
        if longest is not None:
            longest.cut(TooSlow("too many uploads are slower than this one: send it again"))


_places: RunVar[Places] = RunVar("places")


async def receive(work: Callable[[Body], T], request: Request) -> T:
    """Run `work`, which reads the request's body, in a worker thread of those for uploads."""
    places = _places.get(None)
    if places is None:
        places = Places()
        _places.set(places)
    body = Body(places)
    filling = asyncio.create_task(body.fill(request))
    try:
        await body.begun()
        async with places.taken(body):
            return await anyio.to_thread.run_sync(work, body, limiter=places.threads)
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
    """Yield a part of a file piece by piece, small ones to a slow reader: they wait in memory."""
    loop, at_once, end = asyncio.get_running_loop(), FIRST, start + size
    known = start + KNOWN
    while start < end:
        part = await anyio.to_thread.run_sync(
            os.pread, descriptor, min(end - start, at_once), start
        )
        if not part:
            return  # the file became shorter: the connection ends short, which the caller sees
        start += len(part)
        began = loop.time()
        yield part
        yield b""  # returns when there is room for more
        at_once = CHUNK if start > known and loop.time() - began < QUICK else FIRST
