"""Metrics of one run, with their curves in the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from shutil import get_terminal_size
from typing import Any

from lazulite.cli.output import Column
from lazulite.cli.run_table import ROWS, number, short
from lazulite.cli.sparkline import WIDTH, sparkline
from lazulite.client import runs
from lazulite.client.session import Session
from lazulite.domain.errors import NotFound
from lazulite.domain.usage import OWN

DRAWN = 50  # curves, each of which is a request; of more metrics only those named
NAMED = 20  # metrics that an error names
_NUMBERS = 60  # characters that the other columns take


def rows(found: dict[str, Any], keys: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row per metric of a run with summaries.

    Raises:
        NotFound: the run has no metric of one of these keys.
    """
    for key in keys:
        if key not in found["metrics"]:
            known = ", ".join(sorted(found["metrics"])[:NAMED]) or "none"
            raise NotFound(f"run '{found['id']}' has no metric '{key}'; it has: {known}")
    wanted = [key for key in keys or sorted(found["metrics"]) if key in found["metrics"]]
    return [
        {"metric": key, "last": _real(found["metrics"][key])}
        | {way: _real(found[way].get(key)) for way in ("first", "min", "max", "best")}
        for key in wanted
    ]


def points(session: Session, run: str, key: str) -> list[list[float | int | None]]:
    """Return a curve in few points: step and value, null for NaN."""
    found = runs.curve(session, run, key)
    return [[one["step"], _real(float(one["value"]))] for one in found]


def table(
    found: Sequence[dict[str, Any]], *, drawn: bool
) -> tuple[list[dict[str, Any]], list[Column]]:
    """Return the table of metrics, with curves where there is a terminal to draw them on."""
    longest = max((len(short(row["metric"])) for row in found), default=0)
    width = _width(longest + _NUMBERS)
    ways = ("first", "min", "max", "last")
    heads = [Column("Metric", lambda row: short(row["metric"]))]
    heads += [Column(way.capitalize(), _getter(way)) for way in ways]
    if drawn:
        heads.append(Column("Curve", lambda row: _line(row.get("points", []), width)))
    return list(found[:ROWS]), heads


def drawn(session: Session, run: str, metrics: Mapping[str, Any]) -> dict[str, object]:
    """Return the last values of a run's metrics in six digits, the first `DRAWN` with curves."""
    own = [key for key in metrics if not key.startswith(OWN)]
    width = _width(_NUMBERS)
    told: dict[str, object] = {key: _six(metrics[key]) for key in own}
    for key in own[:DRAWN]:
        curve = points(session, run, key)
        if len(curve) > 1:
            told[key] = f"{number(metrics[key])!s:<12} {_line(curve, width)}"
    return told


def _six(value: object) -> object:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _line(curve: Sequence[Sequence[float | int | None]], width: int) -> str:
    return sparkline([math.nan if value is None else value for _, value in curve], width)


def _width(others: int) -> int:
    return max(8, min(2 * WIDTH, get_terminal_size().columns - others))


def _getter(way: str) -> Any:
    return lambda row: number(row[way])


def _real(value: object) -> float | None:
    """Return a number that JSON has; MLflow's "NaN" is none."""
    if value is None:
        return None
    real = float(str(value))
    return real if math.isfinite(real) else None
