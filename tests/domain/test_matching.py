"""Conditions on things at hand mean what they mean in the database."""

from __future__ import annotations

import pytest

from lazulite.domain.matching import in_order, matches
from lazulite.domain.search import Operand, Value
from lazulite.formats.mlflow.filter import parse_filter, parse_orders
from lazulite.formats.mlflow.names import RUNS

VALUES: dict[str, Value] = {"acc": 0.9, "lr": "0.1", "team": "Blue_%", "run_name": "one"}


def look(operand: Operand) -> Value | None:
    return VALUES.get(operand.key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "metrics.acc > 0.5 AND metrics.acc <= 0.9",
        "metrics.acc = 0.5 OR run_name = 'one'",
        "NOT metrics.acc < 0.5",
        "metrics.acc >= 0.9 AND metrics.acc != 1",
        "params.lr < 0.5",
        "params.lr = '0.1'",
        "params.lr IN ('0.1', '2')",
        "params.lr NOT IN ('2')",
        "params.none IS NULL AND params.lr IS NOT NULL",
        "tags.team LIKE 'Blue%'",
        "tags.team ILIKE 'blue__'",
        "NOT tags.team LIKE 'blue%'",
    ],
)
def test_what_holds_is_found(text: str) -> None:
    assert matches(parse_filter(text, RUNS), look)


@pytest.mark.parametrize(
    "text",
    [
        "metrics.none != 1",
        "tags.team LIKE 'Blue'",
        "tags.team LIKE '(%'",
        "params.lr > 0.5",
        "params.none = 'x'",
        "run_name = 'two' AND metrics.acc > 0",
    ],
)
def test_what_does_not_hold_is_not(text: str) -> None:
    assert not matches(parse_filter(text, RUNS), look)


def test_a_text_that_is_no_number_is_neither_more_nor_less() -> None:
    condition = parse_filter("params.x > 0 OR params.x <= 0", RUNS)
    assert not matches(condition, lambda _: "tree")


def test_what_has_no_value_comes_last_either_way() -> None:
    items = [{"acc": 2.0}, {}, {"acc": 1.0}]
    for way, wanted in (("ASC", [1.0, 2.0, None]), ("DESC", [2.0, 1.0, None])):
        orders = parse_orders([f"metrics.acc {way}"], RUNS)
        found = in_order(items, orders, lambda item: lambda operand: item.get(operand.key))
        assert [item.get("acc") for item in found] == wanted
