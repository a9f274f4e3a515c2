"""Tables of runs, without a server."""

from __future__ import annotations

import io
import math
from typing import Any

import pytest

from lazulite.cli import run_curves
from lazulite.cli.output import table
from lazulite.cli.run_table import (
    ACROSS,
    LONG,
    Metric,
    bests,
    compared,
    left_out,
    pointed,
    read_metric,
    usual,
)
from lazulite.client.runs import differing
from lazulite.domain.errors import InvalidInput


def a_run(name: str, **metrics: float) -> dict[str, Any]:
    best = dict(metrics)
    return {"id": name, "name": f"run {name}", "params": {}, "tags": {}, "metrics": best}


def comparison(found: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    rows = differing(found, everything=False)
    bests(found, rows)
    out = io.StringIO()
    table(*compared(found, rows), out)
    return rows, out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("acc", Metric("acc", "best")),
        ("acc:first", Metric("acc", "first")),
        ("val:acc", Metric("val:acc", "best")),
        ("val:acc:min", Metric("val:acc", "min")),
        (":max", Metric(":max", "best")),
    ],
)
def test_a_metric_is_read_with_its_way(text: str, metric: Metric) -> None:
    assert read_metric(text) == metric


def test_the_head_says_which_value_it_is() -> None:
    assert [Metric(key, "best").head for key in ("acc", "loss")] == ["acc (max)", "loss (min)"]
    assert Metric("acc", "last").head == "acc (last)"
    assert len(Metric("k" * 200, "last").head) < LONG + 10


def test_the_metrics_of_machines_are_no_columns() -> None:
    found = [a_run("a", acc=1.0, rare=1.0), a_run("b", acc=2.0)]
    found[0]["metrics"]["system/cpu_utilization_percentage"] = 1.0
    assert [one.key for one in usual(found)] == ["acc", "rare"]


def test_the_best_of_each_row_is_marked() -> None:
    found = [a_run("a", acc=0.5, loss=1.0), a_run("b", acc=0.9, loss=2.0), a_run("c", acc=0.9)]
    _, lines = comparison(found)
    assert lines[2].split() == ["metrics.acc", "(max)", "0.5", "0.9", "*", "0.9", "*"]
    assert lines[3].split() == ["metrics.loss", "(min)", "1", "*", "2"]


def test_what_one_run_alone_has_is_not_best() -> None:
    rows, _ = comparison([a_run("a", acc=0.5), a_run("b")])
    assert "best" not in rows[0]


def test_nan_beside_nan_is_no_difference() -> None:
    rows, _ = comparison([a_run("a", acc=math.nan), a_run("b", acc=math.nan)])
    assert rows == []


def test_runs_of_one_name_stand_below_their_ids() -> None:
    found = [{**a_run(name, acc=acc), "name": "check"} for name, acc in (("a", 0.1), ("b", 0.2))]
    _, lines = comparison(found)
    assert lines[0].split() == ["What", "a", "b"]


def test_nan_is_never_best() -> None:
    rows, _ = comparison([a_run("a", acc=math.nan), a_run("b", acc=0.1)])
    assert rows[0]["best"] == ["b"]


def test_many_runs_stand_below_each_other() -> None:
    found = [a_run(f"r{n}", **{f"m{k}": float(n + k) for k in range(30)}) for n in range(100)]
    rows, lines = comparison(found)
    assert len(lines) == 102
    assert lines[0].count("(max)") == ACROSS
    assert lines[-1].count("*") == ACROSS
    assert left_out(found, rows) == f"{30 - ACROSS} more differ: -o json has all"


def test_thousands_of_metrics_stay_a_table_of_hundreds() -> None:
    found = [a_run(f"r{n}", **{f"m{k}": float(n + k) for k in range(12_000)}) for n in range(2)]
    rows, lines = comparison(found)
    assert (len(rows), len(lines)) == (12_000, 202)
    assert left_out(found, rows).startswith("11800 more")


def test_the_wrong_place_of_a_long_filter_stays_in_sight() -> None:
    text = "metrics.a > 1 AND " * 20 + "oops"
    error = pointed(InvalidInput("wrong", path="filter", at=360), text)
    _, shown, mark = error.message.splitlines()
    assert shown[mark.index("^") :] == "oops"
    assert len(shown) < 130


@pytest.mark.parametrize("error", [InvalidInput("x"), InvalidInput("x", path="order_by", at=1)])
def test_other_errors_stay(error: InvalidInput) -> None:
    assert pointed(error, "text") is error


def test_a_curve_is_drawn_with_its_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    values = {"first": 0.0, "min": 0.0, "max": 7.0, "last": 7.0}
    row = {"metric": "m", **values, "points": [[0, 0.0], [1, None], [2, 7.0]]}
    shown, heads = run_curves.table([row], drawn=True)
    out = io.StringIO()
    table(shown, heads, out)
    assert out.getvalue().splitlines()[2].endswith("▁ █")
