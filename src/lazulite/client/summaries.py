"""Metrics of many runs at once: last, least, most, first and best value. It reads no curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from lazulite.client import runs as tracked
from lazulite.client.session import Session
from lazulite.domain.run import is_smaller_better

WAYS = ("best", "last", "min", "max", "first")
_TOGETHER = 20  # runs of one request: they may have 12 000 metrics each
_NAMED = 500  # runs of one request that names the metrics, and of one filter


def best_way(key: str) -> str:
    """Say which of a metric's values is its best."""
    return "min" if is_smaller_better(key) else "max"


def add(session: Session, found: Sequence[dict[str, Any]], keys: Iterable[str] | None) -> None:
    """Give each run `best`, `min`, `max` and `first`: by key, as `metrics` has the last values.

    Args:
        session: the workspace.
        found: flat runs, which are changed.
        keys: of which metrics; None = all.
    """
    named = None if keys is None else sorted(set(keys))
    size = _TOGETHER if named is None else _NAMED
    for at in range(0, len(found), size):
        part = found[at : at + size]
        told = _ask(session, [run["id"] for run in part], named)
        for run in part:
            of = told.get(run["id"], {})
            for way in ("min", "max", "first"):
                run[way] = {key: _number(values[way]) for key, values in of.items()}
            run["best"] = {key: run[best_way(key)][key] for key in of}


def several(session: Session, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return runs by their ids, flat, in their order.

    Raises:
        NotFound: there is none of that id.
    """
    by_name: dict[str, dict[str, Any]] = {}
    for at in range(0, len(names), _NAMED):
        listed = ", ".join(_quoted(name) for name in names[at : at + _NAMED])
        found = tracked.search(session, f"run_id IN ({listed})", deleted=None)
        by_name.update((run["id"], run) for run in found)
    for name in names:
        if name not in by_name:
            raise tracked.missing(name)
    return [by_name[name] for name in names]


def _ask(session: Session, names: list[str], keys: list[str] | None) -> Any:
    body = {"runs": names, "keys": keys}
    return session.connection.json("POST", session.own("runs/summaries"), body, repeat=True)["runs"]


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
