"""Points of metrics as rows, and the row per metric that searches read. See ADR 0011."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import sqlalchemy as sa

from lazulite.domain.run import Point
from lazulite.store.columns import insert
from lazulite.store.tracking_tables import latest_metrics

NAN = math.inf  # how a NaN is stored: infinities never are

_Stored: TypeAlias = tuple[int, int, float]  # step, time, value: the order of points

_INSERT_SQLITE = "INSERT OR IGNORE INTO metrics (run, key, step, time, value) VALUES (?,?,?,?,?)"
_INSERT_POSTGRES = (
    "INSERT INTO metrics (run, key, step, time, value) SELECT * FROM unnest("
    "%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::float8[]) ON CONFLICT DO NOTHING"
)


def add_points(
    db: sa.Connection, run: tuple[int, int], points: Sequence[Point], ids: Mapping[str, int]
) -> None:
    """Store points of a run; those that are there already stay as they are.

    Args:
        db: in a transaction.
        run: row ids of the run and of its experiment.
        points: any number.
        ids: row id of each key.
    """
    add_points_of(db, [(run, points)], ids)


def add_points_of(
    db: sa.Connection,
    runs: Iterable[tuple[tuple[int, int], Sequence[Point]]],
    ids: Mapping[str, int],
) -> None:
    """Store points of many runs in as few statements as of one; see `add_points`."""
    stored: list[tuple[int, int, int, int, float]] = []
    summaries: list[dict[str, Any]] = []
    for run, points in runs:
        rows = [(run[0], ids[k], s, t, NAN if v != v else v) for k, v, t, s in points]
        stored += rows
        by_key: dict[int, list[_Stored]] = {}
        for _, key, step, time, value in rows:
            by_key.setdefault(key, []).append((step, time, value))
        summaries += [_summary(run, key, found) for key, found in sorted(by_key.items())]
    if not stored:
        return
    if db.dialect.name == "postgresql":
        db.exec_driver_sql(_INSERT_POSTGRES, tuple(map(list, zip(*stored, strict=True))))
    else:
        db.exec_driver_sql(_INSERT_SQLITE, stored)
    db.execute(_upsert(db), summaries)


def _summary(run: tuple[int, int], key: int, found: Sequence[_Stored]) -> dict[str, Any]:
    first, last = min(found), max(found)
    real = [value for _, _, value in found if value != NAN]
    return {
        "run": run[0],
        "key": key,
        "experiment": run[1],
        "last": _real(last[2]),
        "last_step": last[0],
        "last_time": last[1],
        "min": min(real, default=None),
        "max": max(real, default=None),
        "first": _real(first[2]),
        "first_step": first[0],
        "first_time": first[1],
    }


def _real(value: float) -> float | None:
    return None if value == NAN else value


def _upsert(db: sa.Connection) -> Any:
    """Return the INSERT that merges a summary of new points into what is there."""
    made = _UPSERTS.get(db.dialect.name)
    if made is not None:
        return made
    old, statement = latest_metrics.c, insert(db, latest_metrics)
    new = statement.excluded
    later = _after(new, old, "last")
    earlier = _after(old, new, "first")
    lower = sa.or_(old.min.is_(None), new.min < old.min)
    higher = sa.or_(old.max.is_(None), new.max > old.max)
    terms: list[tuple[Any, tuple[str, ...]]] = [(lower, ("min",)), (higher, ("max",))]
    terms += [(later, ("last", "last_step", "last_time"))]
    terms += [(earlier, ("first", "first_step", "first_time"))]
    values: dict[Any, Any] = {
        c: sa.case((term, new[c]), else_=old[c]) for term, columns in terms for c in columns
    }
    values[old.rolled] = sa.case((new.first_step < old.rolled, new.first_step), else_=old.rolled)
    made = statement.on_conflict_do_update(index_elements=[old.run, old.key], set_=values)
    _UPSERTS[db.dialect.name] = made
    return made


_UPSERTS: dict[str, Any] = {}


def _after(a: Any, b: Any, which: str) -> sa.ColumnElement[bool]:
    """Say that point `a` comes after point `b`, NaN being after every number."""
    places = [
        sa.tuple_(c[f"{which}_step"], c[f"{which}_time"], sa.func.coalesce(c[which], NAN))
        for c in (a, b)
    ]
    return places[0] > places[1]
