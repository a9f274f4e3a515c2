"""Lines: in order, bounded, and nobody who was told to come back is turned away for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from lazulite.domain.errors import TooManyRequests
from lazulite.wire.line import LONGEST, Bounds, Line


def a_line(capacity: int = 1, waiting: int = 2, patience: float = 20.0) -> Line:
    return Line(Bounds(capacity=capacity, waiting=waiting, patience=patience), "it is full")


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())  # type: ignore[arg-type]

    run.__name__ = run.__qualname__ = test.__name__
    return run


def waiting(line: Line, ticket: int = 0, amount: int = 1) -> asyncio.Task[None]:
    return asyncio.create_task(line.enter(lambda: ticket, amount))


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@in_a_loop
async def test_what_is_free_is_handed_out_at_once() -> None:
    line = a_line(capacity=3)
    await line.enter(lambda: 0, 2)
    await line.enter(lambda: 0, 1)
    late = waiting(line)
    await turn()
    assert not late.done()
    line.leave(1)
    await late


@in_a_loop
async def test_the_first_to_come_is_the_first_to_get() -> None:
    line = a_line(capacity=4, waiting=9)
    await line.enter(lambda: 0, 4)
    large, small = waiting(line, amount=3), waiting(line, amount=1)
    await turn()
    line.leave(2)
    await turn()
    assert not small.done()  # it would fit, and would keep the large one waiting for ever
    line.leave(2)
    await asyncio.gather(large, small)


@in_a_loop
async def test_who_finds_the_line_full_is_told_when_to_come_back() -> None:
    line = a_line(waiting=1)
    await line.enter(lambda: 0)
    held = waiting(line)
    await turn()
    with pytest.raises(TooManyRequests, match="it is full: send the same again in 1 s") as caught:
        await line.enter(lambda: 1)
    assert caught.value.facts["retry_after"] == 1
    line.leave()
    await held


@in_a_loop
async def test_who_waits_too_long_is_sent_away_and_takes_nothing() -> None:
    line = a_line(patience=0.01)
    await line.enter(lambda: 0)
    with pytest.raises(TooManyRequests):
        await line.enter(lambda: 1)
    line.leave()
    await line.enter(lambda: 2)


@in_a_loop
async def test_who_goes_away_gives_up_the_turn() -> None:
    line = a_line()
    await line.enter(lambda: 0)
    gone, next_one = waiting(line), waiting(line)
    await turn()
    gone.cancel()
    line.leave()
    await next_one
    line.leave()
    await line.enter(lambda: 3)


@in_a_loop
async def test_who_goes_away_when_the_turn_has_come_gives_it_on() -> None:
    line = a_line()
    await line.enter(lambda: 0)
    gone, next_one = waiting(line), waiting(line)
    await turn()
    line.leave()  # the turn of the one who goes, who does not know yet
    gone.cancel()
    await next_one


@in_a_loop
async def test_who_was_sent_away_has_room_that_newcomers_have_not() -> None:
    line = a_line(waiting=1)
    await line.enter(lambda: 0)
    first = waiting(line, 1)
    await turn()
    with pytest.raises(TooManyRequests):
        await line.enter(lambda: 2)
    again = waiting(line, 2)
    await turn()
    with pytest.raises(TooManyRequests):
        await line.enter(lambda: 3)
    assert not again.done()
    line.leave()
    await first
    line.leave()
    await again


@in_a_loop
async def test_those_who_are_sent_away_together_do_not_come_back_together() -> None:
    line = a_line(waiting=1)
    line._pace = 2.0  # seconds; measured, when there is time
    await line.enter(lambda: 0)
    held = waiting(line)
    await turn()
    told = []
    for ticket in range(1, 40):
        with pytest.raises(TooManyRequests) as caught:
            await line.enter(lambda: ticket)  # noqa: B023
        told.append(caught.value.facts["retry_after"])
    assert told[:4] == [4, 8, 12, 16]
    assert max(told) == LONGEST  # type: ignore[type-var]
    line.leave()
    await held
