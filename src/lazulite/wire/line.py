"""A line for something bounded: in order of arrival, and who cannot wait is told when to come back.

It belongs to one event loop and needs no lock. See docs/adr/0014.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from lazulite.domain.errors import TooManyRequests

LONGEST = 60  # seconds, the furthest that anybody is sent away
RETURNS = 3  # times the patience, for whoever was sent away once
KEPT = 10_000  # bookings at most; the oldest go first
_SLOW = 0.1  # weight of the newest measure of the pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a line hands out, and who may wait for it."""

    capacity: int
    waiting: int  # requests that may wait; as many again may, if they were sent away before
    patience: float  # seconds


@dataclass(slots=True, eq=False)
class _Waiter:
    amount: int
    turn: asyncio.Future[None]


class Line:
    """Hands out up to `capacity` of something at a time."""

    def __init__(self, bounds: Bounds, what: str) -> None:
        """Hand out everything; `what` is how the sentence of a refusal begins."""
        self._bounds = bounds
        self._what = what
        self._free = bounds.capacity
        self._waiters: deque[_Waiter] = deque()
        self._booked: dict[int, float] = {}  # ticket: when the booking lapses; oldest first
        self._next = 0.0  # when the next booking may be
        self._left = 0.0  # when somebody left last, while others waited; 0 = nobody waited
        self._pace = 0.01  # seconds from one who leaves to the next

    @property
    def capacity(self) -> int:
        """How much there is to hand out."""
        return self._bounds.capacity

    async def enter(self, ticket: Callable[[], int], amount: int = 1) -> None:
        """Take `amount`, at most the capacity; give it back with `leave`.

        Args:
            ticket: makes the same number for a request that is sent again, another for any other.
            amount: how much.

        Raises:
            TooManyRequests: the line is full, or does not move.
        """
        if self._waiters or self._free < amount:
            await self._wait(ticket(), amount)
        else:
            self._free -= amount

    def leave(self, amount: int = 1) -> None:
        """Give back `amount`."""
        self._free += amount
        if self._waiters:
            now = asyncio.get_running_loop().time()
            if self._left:
                self._pace += _SLOW * (now - self._left - self._pace)
            self._left = now
            self._let_in()
        else:
            self._left = 0.0

    async def _wait(self, ticket: int, amount: int) -> None:
        returns = self._booked.pop(ticket, None) is not None
        if len(self._waiters) >= self._bounds.waiting * (2 if returns else 1):
            raise self._refused(ticket)
        waiter = _Waiter(amount, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            patience = self._bounds.patience * (RETURNS if returns else 1)
            await asyncio.wait((waiter.turn,), timeout=patience)
        except BaseException:
            self._give_up(waiter)
            raise
        if not waiter.turn.done():
            self._give_up(waiter)
            raise self._refused(ticket)

    def _give_up(self, waiter: _Waiter) -> None:
        if waiter.turn.done():
            self.leave(waiter.amount)
        else:
            self._waiters.remove(waiter)
            self._let_in()

    def _let_in(self) -> None:
        while self._waiters and self._waiters[0].amount <= self._free:
            waiter = self._waiters.popleft()
            self._free -= waiter.amount
            waiter.turn.set_result(None)

    def _refused(self, ticket: int) -> TooManyRequests:
        """Book a place: one of two that get free, as newcomers want some too."""
        now = asyncio.get_running_loop().time()
        self._next = min(max(now, self._next) + 2 * self._pace, now + LONGEST)
        after = max(1, math.ceil(self._next - now))
        self._booked[ticket] = now + after + LONGEST
        while len(self._booked) > KEPT or next(iter(self._booked.values())) < now:
            del self._booked[next(iter(self._booked))]
        sentence = f"{self._what}: send the same again in {after} s"
        return TooManyRequests(sentence, retry_after=after)
