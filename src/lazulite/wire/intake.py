"""What requests may take of the server: memory for their bodies, threads for their work.

See docs/adr/0014. Bodies that are too large for memory are in `body`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from lazulite.domain.errors import TooLarge, TooSlow
from lazulite.wire.http import Route
from lazulite.wire.line import Bounds, Line

T = TypeVar("T")

FREE = 64 << 10  # bytes of a body that need no place in memory: a connection buffers as much
LARGE = 1 << 20  # bytes of a body from which on one is worked on at a time
SILENCE = 30.0  # seconds in which something must come
RATE = 1 << 10  # bytes a second that a body must bring, beside SILENCE
JSON_RATE = 256 << 10  # those of a body that is held in memory meanwhile
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What all requests together may take."""

    memory: int = 64 * _MIB  # bytes of JSON bodies
    writers: int = 64  # requests of those who log that are worked on
    queue: int = 1024  # and that wait
    patience: float = 20.0  # seconds that a request waits, for memory or to be written


class Intake:
    """The bounds of one server."""

    def __init__(self, limits: Limits) -> None:
        """Let everybody in."""
        self._memory = Line(
            Bounds(capacity=limits.memory, waiting=limits.queue, patience=limits.patience),
            "the server holds as many large requests as fit its memory",
        )
        self._writes = Line(
            Bounds(capacity=limits.writers, waiting=limits.queue, patience=limits.patience),
            "more is logged at once than the database takes",
        )
        self._writers = anyio.CapacityLimiter(limits.writers)
        self._large = anyio.CapacityLimiter(1)

    async def take(
        self, scope: Scope, receive: Receive, route: Route, work: Callable[[bytes], T]
    ) -> T:
        """Read the body of a request, and run `work` on it in a thread.

        Raises:
            TooLarge: the body is over the limit of its route.
            TooManyRequests: there is no memory for it now, or too many wait already.
            TooSlow: it does not come.
            ClientDisconnect: the caller went away.
        """
        announced = _announced(scope, route.limit)
        body = _Arriving(patient(receive, JSON_RATE), route.limit)
        if await body.fits(FREE):
            return await self._work(route, body.whole(), work)
        memory = min(announced, self._memory.capacity)
        await self._memory.enter(lambda: hash((scope["path"], announced, *body.parts)), memory)
        try:
            await body.fits(route.limit)
            return await self._work(route, body.whole(), work)
        finally:
            self._memory.leave(memory)

    async def _work(self, route: Route, body: bytes, work: Callable[[bytes], T]) -> T:
        if len(body) > LARGE:
            return await anyio.to_thread.run_sync(work, body, limiter=self._large)
        if not route.logs:
            return await anyio.to_thread.run_sync(work, body)
        await self._writes.enter(lambda: hash((route.path, body)))
        try:
            return await anyio.to_thread.run_sync(work, body, limiter=self._writers)
        finally:
            self._writes.leave()


class _Arriving:
    """A body, part by part."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.parts: list[bytes] = []
        self._receive = receive
        self._limit = limit
        self._size = 0
        self._more = True

    async def fits(self, size: int) -> bool:
        """Take what comes until it is over `size` bytes; return whether it never is."""
        while self._more and self._size <= size:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            self._more = message.get("more_body", False)
            self.parts.append(message.get("body", b""))
            self._size += len(self.parts[-1])
            if self._size > self._limit:
                raise _too_large(self._limit)
        return self._size <= size

    def whole(self) -> bytes:
        """Give all that came, and keep none of it."""
        body = b"".join(self.parts)
        self.parts.clear()
        return body


def patient(receive: Receive, rate: int = RATE) -> Receive:
    """Return a `receive` that gives up on a sender who is too slow.

    Only the time in which the server waits for the sender counts.

    Raises:
        TooSlow: nothing came for `SILENCE`, or less than `rate` beyond it.
    """
    spent = came = 0.0

    async def receive_in_time() -> Message:
        nonlocal spent, came
        began = asyncio.get_running_loop().time()
        left = min(SILENCE, SILENCE + came / rate - spent)
        try:
            async with asyncio.timeout(max(0.0, left)):
                message = await receive()
        except TimeoutError:
            raise TooSlow(
                f"the body of the request came too slowly, {came:.0f} bytes of it are here: "
                "send it again"
            ) from None
        spent += asyncio.get_running_loop().time() - began
        came += len(message.get("body", b""))
        return message

    return receive_in_time


def _announced(scope: Scope, limit: int) -> int:
    """Return how many bytes will come at most."""
    announced = Headers(scope=scope).get("content-length", "")
    size = int(announced) if announced.isdigit() else limit
    if size > limit:
        raise _too_large(limit)
    return size


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the request body is over {limit / _MIB:g} MB, which is the limit here")
