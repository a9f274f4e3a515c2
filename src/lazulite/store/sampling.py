"""A curve in few points: the lowest and the highest of each part of it, so that no peak is lost."""

from __future__ import annotations

import math
from typing import Any

import sqlalchemy as sa

from lazulite.domain.run import Point
from lazulite.store import rollup
from lazulite.store.keys import key_ids
from lazulite.store.points import NAN
from lazulite.store.tracking_tables import metrics

_m = metrics.c
_LOWEST, _HIGHEST = -(2**62), 2**62  # steps beyond them are shown at the ends
_OF = (
    _m.run == sa.bindparam("run"),
    _m.key == sa.bindparam("key"),
    _m.step.between(sa.bindparam("low"), sa.bindparam("high")),
)
_FEW = (
    sa.select(_m.step, _m.time, _m.value)
    .where(*_OF)
    .order_by(_m.step, _m.time, _m.value)
    .limit(sa.bindparam("limit"))
)
_LAST = (
    sa.select(_m.step, _m.time, _m.value)
    .where(*_OF)
    .order_by(_m.step.desc(), _m.time.desc(), _m.value.desc())
    .limit(1)
)
# one search of the index for each part, so that nothing is grouped or sorted
_PARTS = """
WITH RECURSIVE part (low, high) AS (
  SELECT CAST(:low AS bigint), :low + :width - 1
  UNION ALL SELECT low + :width, high + :width FROM part WHERE high < :high
)
"""
_BEST = """
SELECT step, time, value FROM metrics
WHERE run = :run AND key = :key AND step BETWEEN part.low AND part.high AND value <> :nan
ORDER BY value {way} LIMIT 1
"""
_SQLITE = """
{parts} SELECT m.step, m.time, m.value FROM part
JOIN metrics m ON m.run = :run AND m.key = :key AND (m.step, m.time, m.value) = ({best})
"""
_POSTGRES = "{parts} SELECT best.* FROM part CROSS JOIN LATERAL ({best}) best"


def sampled(
    db: sa.Connection, run: int, key: str, steps: tuple[int | None, int | None], limit: int
) -> list[Point]:
    """Return a metric between two steps in at most `limit` points (a few more at the ends).

    Args:
        db: in a transaction.
        run: row id.
        key: the metric.
        steps: the first and the last; None = as far as there are points.
        limit: at least 4.
    """
    row = key_ids(db, [key]).get(key)
    if row is None:
        return []
    low, high = (_bound(steps[0], _LOWEST), _bound(steps[1], _HIGHEST))
    which: dict[str, Any] = {"run": run, "key": row, "low": low, "high": high}
    found = [tuple(r) for r in db.execute(_FEW, {**which, "limit": limit + 1})]
    if len(found) > limit:
        last = tuple(db.execute(_LAST, which).one())
        ends = (found[0][0], last[0])
        found = sorted({found[0], last, *_few(db, which, ends, max(1, (limit - 2) // 2))})
    return [Point(key, math.nan if v == NAN else v, time, step) for step, time, v in found]


def _few(
    db: sa.Connection, which: dict[str, Any], steps: tuple[int, int], parts: int
) -> list[tuple[int, int, float]]:
    """Return the extremes of the parts between two steps: from blocks, and what is in none."""
    first, last = steps
    width = (last - first) // parts + 1
    blocks = rollup.blocks(db, which["run"], which["key"], steps)
    if len(blocks) < parts:
        return _extremes(db, which, steps, width)
    points = rollup.extremes(blocks, first, width)
    for rest in ((first, blocks[0].first - 1), (blocks[-1].last + 1, last)):
        if rest[0] <= rest[1]:
            points += _extremes(db, which, rest, width)
    return points


def _extremes(
    db: sa.Connection, which: dict[str, Any], steps: tuple[int, int], width: int
) -> list[tuple[int, int, float]]:
    values = {**which, "low": steps[0], "high": steps[1], "width": width, "nan": NAN}
    query = _POSTGRES if db.dialect.name == "postgresql" else _SQLITE
    best = [_BEST.format(way=way) for way in ("ASC", "DESC")]
    ways = [sa.text(query.format(parts=_PARTS, best=one)) for one in best]
    return [tuple(row) for way in ways for row in db.execute(way, values)]


def _bound(step: int | None, default: int) -> int:
    return default if step is None else max(_LOWEST, min(_HIGHEST, step))
