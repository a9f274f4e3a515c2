"""The history of metrics: whole, page by page, or in few points."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.domain.run import Point, Summary
from lazulite.ports.listed import Listed
from lazulite.store import rollup
from lazulite.store.keys import key_ids
from lazulite.store.points import NAN
from lazulite.store.sampling import sampled
from lazulite.store.tables import jobs
from lazulite.store.tracking_tables import keys, latest_metrics, metrics

_m = metrics.c
_HISTORY = (
    sa.select(_m.step, _m.time, _m.value)
    .where(_m.run == sa.bindparam("run"), _m.key == sa.bindparam("key"))
    .order_by(_m.step, _m.time, _m.value)
    .limit(sa.bindparam("limit"))
)
_HISTORY_AFTER = _HISTORY.where(
    sa.tuple_(_m.step, _m.time, _m.value)
    > sa.tuple_(sa.bindparam("step"), sa.bindparam("time"), sa.bindparam("value"))
)
_l = latest_metrics.c
_SUMMARIES = (
    sa.select(jobs.c.name, keys.c.name, _l.last, _l.min, _l.max, _l.first)
    .join_from(jobs, latest_metrics, _l.run == jobs.c.id)
    .join(keys, keys.c.id == _l.key)
)
_COUNT = sa.select(sa.func.count()).select_from(metrics).where(_m.run == sa.bindparam("run"))


class SqlMetrics:
    """`ports.tracking.Metrics` in one transaction of either database."""

    __slots__ = ("_db",)

    def __init__(self, db: sa.Connection) -> None:
        self._db = db

    def history(self, run: int, key: str, limit: int, after: str | None) -> Listed[Point]:
        """Return one page of the points of a metric."""
        row = key_ids(self._db, [key]).get(key)
        if row is None:
            return Listed([], None)
        values: dict[str, Any] = {"run": run, "key": row, "limit": limit + 1}
        query = _HISTORY
        if after is not None:
            query = _HISTORY_AFTER
            values |= zip(("step", "time", "value"), _position(after), strict=True)
        rows = self._db.execute(query, values).all()
        shown = rows[:limit]
        points = [Point(key, math.nan if v == NAN else v, time, step) for step, time, v in shown]
        more = len(rows) > len(shown) and shown
        return Listed(points, "{}:{}:{!r}".format(*shown[-1]) if more else None)

    def count(self, run: int) -> int:
        """Count the points of a run."""
        return int(self._db.execute(_COUNT, {"run": run}).scalar_one())

    def summaries(
        self, workspace: int, runs: Sequence[str], names: Sequence[str] | None, limit: int
    ) -> list[tuple[str, str, Summary]]:
        """Return what is known of the metrics of runs."""
        query = _SUMMARIES.where(jobs.c.workspace == workspace, jobs.c.name.in_(runs))
        if names is not None:
            query = query.where(_l.key.in_(key_ids(self._db, names).values()))
        rows = self._db.execute(query.limit(limit))
        return [(run, key, Summary(*values)) for run, key, *values in rows]

    def sampled(
        self, run: int, key: str, steps: tuple[int | None, int | None], limit: int
    ) -> list[Point]:
        """Return a part of a metric in few points."""
        return sampled(self._db, run, key, steps, limit)

    def is_long(self, run: int, key: str) -> bool:
        """Say whether `roll` would save work."""
        row = key_ids(self._db, [key]).get(key)
        return row is not None and rollup.is_worth_it(self._db, run, row)

    def roll(self, run: int, key: str) -> bool:
        """Prepare a metric for `sampled`, a bit; return whether there is more to do."""
        row = key_ids(self._db, [key]).get(key)
        return row is not None and rollup.roll(self._db, run, row)


def _position(token: str) -> Iterable[float]:
    parts = token.split(":")
    try:
        step, time, value = int(parts[0]), int(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        step = time = 1 << 64
        value = 0.0
    if max(abs(step), abs(time)) >= 1 << 63 or value != value or len(parts) != 3:
        raise InvalidInput(
            f"page_token {token[:60]!r} is not one of this history: pass on what the last page had",
            path="page_token",
        )
    return step, time, value
