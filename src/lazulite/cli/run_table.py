"""Tables of runs: which columns they have, and what their cells say. It asks no server."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from lazulite.cli.output import Column
from lazulite.cli.words import ago, status_style
from lazulite.client.summaries import WAYS, best_way
from lazulite.domain.errors import InvalidInput
from lazulite.domain.usage import PREFIX

METRICS = 4  # columns of metrics, where nobody chose them
WIDE = 6  # runs beside each other; more of them stand below each other
ACROSS = 10  # columns of what differs, where runs stand below each other
ROWS = 200  # of a table; data has all
LONG = 40  # characters of a cell or head
_AROUND = 60  # characters of a filter before and after a wrong place


class Metric(NamedTuple):
    """A column: a metric, and which of its values."""

    key: str
    way: str

    @property
    def head(self) -> str:
        """What stands over it: which value it is, in the way that counts for this metric."""
        way = best_way(self.key) if self.way == "best" else self.way
        return f"{short(self.key)} ({way})"


class Chosen(NamedTuple):
    """What a list of runs shows of each besides what it is."""

    metrics: Sequence[Metric]
    params: Sequence[str]
    tags: Sequence[str]
    usual: bool = False  # nobody chose these metrics


def read_metric(text: str) -> Metric:
    """Read `KEY` or `KEY:WAY`; a key may have colons."""
    key, colon, way = text.rpartition(":")
    return Metric(key, way) if colon and key and way in WAYS else Metric(text, "best")


def usual(found: Sequence[dict[str, Any]]) -> list[Metric]:
    """Return the metrics that most runs have; those of machines, which all have, are left out."""
    counts: dict[str, int] = {}
    for run in found:
        for key in run["metrics"]:
            if not key.startswith(PREFIX):
                counts[key] = counts.get(key, 0) + 1
    keys = sorted(counts, key=lambda key: (-counts[key], key))[:METRICS]
    return [Metric(key, "best") for key in keys]


def columns(chosen: Chosen) -> list[Column]:
    """Return the columns of a list of runs; a narrow terminal spares what nobody asked for."""
    now = datetime.now(UTC)
    texts = [("params", key) for key in chosen.params] + [("tags", key) for key in chosen.tags]
    return [
        Column("Run", "id"),
        Column("Name", lambda run: short(run["name"])),
        Column("Status", "status", status_style),
        Column("Started", lambda run: ago(run["start_time"] / 1000, now), spare=True),
        *(Column(one.head, partial(_metric, one), spare=chosen.usual) for one in chosen.metrics),
        *(Column(short(key), partial(_text, part, key)) for part, key in texts),
    ]


def bests(found: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> None:
    """Give each row of metrics that differ `best`: the ids of the runs that are best in it."""
    for row in rows:
        part, _, key = row["what"].partition(".")
        values = {run["id"]: row[run["id"]] for run in found}
        real = {one: v for one, v in values.items() if isinstance(v, float) and v == v}
        several = sum(value is not None for value in values.values()) > 1
        if part == "metrics" and real and several:
            best = (min if best_way(key) == "min" else max)(real.values())
            row["of"] = best_way(key)
            row["best"] = [one for one, value in real.items() if value == best]


def compared(
    found: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Column]]:
    """Return the table of a comparison: few runs beside each other, many below each other."""
    if len(found) <= WIDE:
        names = [run["name"] for run in found]
        by = "name" if len(set(names)) == len(names) else "id"
        heads = [Column(short(run[by]), partial(_marked, run["id"])) for run in found]
        return list(rows[:ROWS]), [Column("What", _what), *heads]
    shown = rows[:ACROSS]
    lines = [
        {"id": run["id"], "name": short(run["name"])}
        | {_what(row): _marked(run["id"], row) for row in shown}
        for run in found[:ROWS]
    ]
    heads = [Column(_what(row).partition(".")[2], _what(row)) for row in shown]
    return lines, [Column("Run", "id"), Column("Name", "name"), *heads]


def left_out(found: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> str:
    """Say what a comparison has more than its table shows; nothing if that is all."""
    more = len(rows) - (ROWS if len(found) <= WIDE else ACROSS)
    return f"{more} more differ: -o json has all" if more > 0 else ""


def pointed(error: InvalidInput, text: str) -> InvalidInput:
    """Return the error of a filter with the wrong place shown below it."""
    at = error.facts.get("at")
    if not isinstance(at, int) or error.path != "filter" or "\n" in text:
        return error
    start = max(0, at - _AROUND)
    part = text[start : at + _AROUND]
    dots = "…" if start else ""
    where = " " * (len(dots) + at - start)
    return InvalidInput(f"{error.message}\n  {dots}{part}\n  {where}^", path=error.path)


def short(text: str) -> str:
    """Return a text that fits a cell."""
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def number(value: object) -> object:
    """Return a number in six digits, anything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else value


def _metric(one: Metric, run: dict[str, Any]) -> object:
    part = "metrics" if one.way == "last" else one.way
    return number(run.get(part, {}).get(one.key))


def _text(part: str, key: str, run: dict[str, Any]) -> str:
    return short(run[part].get(key) or "")


def _what(row: dict[str, Any]) -> str:
    return f"{short(row['what'])} ({row['of']})" if "of" in row else short(row["what"])


def _marked(run: str, row: dict[str, Any]) -> str:
    value = number(row.get(run))
    text = "" if value is None else short(str(value))
    return f"{text} *" if run in row.get("best", ()) else text
