"""Long curves in blocks, whose extremes are known, so that few points of them need no scan.

A block is `BLOCK` points, and those of its last step. Blocks are made when somebody looks at a long
curve, and not right any more from the step of a late point on: who stores points moves
`latest_metrics.rolled` back to it. See ADR 0016.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from lazulite.store.points import NAN
from lazulite.store.tracking_tables import latest_metrics, metric_blocks, metrics

BLOCK = 2048  # points
WORTH = 64 * BLOCK  # points that are not in blocks, from which on making them is worth a write
AT_ONCE = 64  # blocks made in one transaction: some 50 ms
MOST = 16 * BLOCK  # points of a block; a step that has more is not passed
_START, _HIGHEST = -(2**63), 2**62  # steps; none is before, and none beyond in a block

_m, _b, _l = metrics.c, metric_blocks.c, latest_metrics.c
_OF = (_m.run == sa.bindparam("run"), _m.key == sa.bindparam("key"))
_FROM = _m.step >= sa.bindparam("start")
_STATE = (
    sa.select(_l.rolled)
    .where(_l.run == sa.bindparam("run"), _l.key == sa.bindparam("key"))
    .with_for_update()
)
_MINE = (_b.run == sa.bindparam("run"), _b.key == sa.bindparam("key"))
_RIGHT = (
    sa.select(metric_blocks)
    .join(latest_metrics, sa.and_(_l.run == _b.run, _l.key == _b.key))
    .where(*_MINE, _b.last < _l.rolled, _b.low.is_not(None))
    .where(_b.first >= sa.bindparam("low"), _b.last <= sa.bindparam("high"))
    .order_by(_b.first)
)
_END = (
    sa.select(sa.func.max(_b.last) + 1)
    .join(latest_metrics, sa.and_(_l.run == _b.run, _l.key == _b.key))
    .where(*_MINE, _b.last < _l.rolled)
)
_NEXT = (
    sa.select(_m.step)
    .where(*_OF, _FROM)
    .order_by(_m.step, _m.time, _m.value)
    .limit(1)
    .offset(sa.bindparam("offset"))
)
_BEST = (
    sa.select(_m.value, _m.step, _m.time)
    .where(*_OF, _FROM, _m.step <= sa.bindparam("end"), _m.value != NAN)
    .limit(1)
)
_LOW, _HIGH = _BEST.order_by(_m.value), _BEST.order_by(_m.value.desc())


class Block(NamedTuple):
    """A row of `metric_blocks`."""

    run: int
    key: int
    first: int
    last: int
    low: float  # NULL = every value is NaN
    low_step: int
    low_time: int
    high: float
    high_step: int
    high_time: int


def blocks(db: sa.Connection, run: int, key: int, steps: tuple[int, int]) -> list[Block]:
    """Return the blocks inside of two steps that are right and have a number in them."""
    which = {"run": run, "key": key, "low": steps[0], "high": steps[1]}
    return [Block(*row) for row in db.execute(_RIGHT, which)]


def extremes(found: Iterable[Block], first: int, width: int) -> list[tuple[int, int, float]]:
    """Return the lowest and the highest point (step, time, value) of each part of some blocks.

    Args:
        found: blocks, in order.
        first: the step where the first part begins.
        width: steps of a part; a block belongs to the part where it begins.
    """
    lows: dict[int, Block] = {}
    highs: dict[int, Block] = {}
    for block in found:
        part = (block.first - first) // width
        low, high = lows.setdefault(part, block), highs.setdefault(part, block)
        if block.low < low.low:
            lows[part] = block
        if block.high > high.high:
            highs[part] = block
    points = [(b.low_step, b.low_time, b.low) for b in lows.values()]
    return points + [(b.high_step, b.high_time, b.high) for b in highs.values()]


def is_worth_it(db: sa.Connection, run: int, key: int) -> bool:
    """Say whether a curve has many points that are in no block."""
    which = {"run": run, "key": key}
    end = db.execute(_END, which).scalar()
    start = _START if end is None else end
    return _step(db, {**which, "start": start}, WORTH) is not None


def roll(db: sa.Connection, run: int, key: int) -> bool:
    """Make the next blocks of a curve; return whether there is more to do."""
    which: dict[str, Any] = {"run": run, "key": key}
    state = db.execute(_STATE, which).first()
    if state is None:
        return False
    stale = _b.last >= (_START if state.rolled is None else state.rolled)
    db.execute(metric_blocks.delete().where(*_MINE, stale), which)
    start = db.execute(_END, which).scalar()
    if start is None:
        start = _step(db, {**which, "start": _START}, 0)
    made: list[Block] = []
    while start is not None and len(made) < AT_ONCE:
        block = _block(db, which, start)
        if block is None:
            break
        made.append(block)
        start = block.last + 1
    if made:
        db.execute(metric_blocks.insert(), [block._asdict() for block in made])
    if start != state.rolled:
        rolled = latest_metrics.update().where(_l.run == run, _l.key == key)
        db.execute(rolled.values(rolled=start))
    return len(made) == AT_ONCE


def _step(db: sa.Connection, which: dict[str, Any], number: int) -> int | None:
    """Return the step of a point, by how many of those from `start` on are before it."""
    step: int | None = db.execute(_NEXT, {**which, "offset": number}).scalar()
    return step


def _block(db: sa.Connection, which: dict[str, Any], start: int) -> Block | None:
    """Return the block that begins at a step, if it has enough points, and not too many."""
    here = {**which, "start": start}
    end, beyond = (_step(db, here, number) for number in (BLOCK - 1, BLOCK))
    if end is None or beyond is None or end > _HIGHEST:
        return None
    if end == beyond and _step(db, here, MOST) in (None, end):
        return None
    best = [db.execute(query, {**here, "end": end}).first() for query in (_LOW, _HIGH)]
    values = [tuple(row) if row else (None, None, None) for row in best]
    return Block(which["run"], which["key"], start, end, *values[0], *values[1])
