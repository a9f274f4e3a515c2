"""The grammar of filters and orders: what it accepts, and where it says an error is."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazulite.domain.errors import InvalidInput
from lazulite.domain.search import (
    Aggregate,
    Compare,
    Entity,
    Every,
    Not,
    Op,
    Operand,
    Order,
    Some,
)
from lazulite.formats.mlflow.filter import MAX_NESTING, parse_filter, parse_orders
from lazulite.formats.mlflow.names import EXPERIMENTS, RUNS

ACC = Operand(Entity.METRIC, "acc")


def compare(text: str) -> Compare:
    found = parse_filter(text, RUNS)
    assert isinstance(found, Compare)
    return found


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_nothing_is_no_condition(text: str) -> None:
    assert parse_filter(text, RUNS) is None


@pytest.mark.parametrize(
    ("text", "entity", "key"),
    [
        ("metrics.acc = 1", Entity.METRIC, "acc"),
        ("metric.a-b/c:d = 1", Entity.METRIC, "a-b/c:d"),
        ('metrics."a b" = 1', Entity.METRIC, "a b"),
        ("metrics.`a.b c` = 1", Entity.METRIC, "a.b c"),
        ("`metrics`.`a` = 1", Entity.METRIC, "a"),
        ("metrics.1 = 1", Entity.METRIC, "1"),
        ("metrics.größe = 1", Entity.METRIC, "größe"),
        ("parameters.x = 'y'", Entity.PARAM, "x"),
        ("tag.mlflow.user = 'y'", Entity.TAG, "mlflow.user"),
        ("attr.status = 'y'", Entity.ATTRIBUTE, "status"),
        ("run_id = 'y'", Entity.ATTRIBUTE, "run_id"),
        ("created > 5", Entity.ATTRIBUTE, "start_time"),
        ("attributes.`Run name` = 'y'", Entity.ATTRIBUTE, "run_name"),
        ("`Run Name` = 'y'", Entity.ATTRIBUTE, "run_name"),
        ("dataset.name = 'y'", Entity.DATASET, "name"),
    ],
)
def test_every_spelling_of_a_name_is_understood(text: str, entity: Entity, key: str) -> None:
    assert compare(text).operand == Operand(entity, key)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("metrics.acc > -1.5e3", -1500.0),
        ("metrics.acc > .5", 0.5),
        ("metrics.acc > +2", 2.0),
        ("params.p = 'it''s'", "it's"),
        ("params.p = \"a 'quoted' word\"", "a 'quoted' word"),
        ("params.p = '😀 %'", "😀 %"),
        ("params.p = 3", 3.0),
        ("start_time > '1970-01-02'", 86_400_000.0),
        ("start_time > '1970-01-01T01:00:00+01:00'", 0.0),
    ],
)
def test_every_spelling_of_a_value_is_understood(text: str, value: object) -> None:
    assert compare(text).values == (value,)


@pytest.mark.parametrize("of", list(Aggregate))
def test_a_metric_has_aggregates(of: Aggregate) -> None:
    assert compare(f"{of.upper()}(metrics.acc) > 0").operand == Operand(Entity.METRIC, "acc", of)


def test_and_binds_closer_than_or_and_not_closest() -> None:
    a, b, c = (Compare(ACC, Op.GT, (float(n),), at) for n, at in ((1, 0), (2, 23), (3, 45)))
    text = "metrics.acc > 1 OR NOT metrics.acc > 2   AND metrics.acc > 3"
    assert parse_filter(text, RUNS) == Some((a, Every((Not(b), c))))


def test_parentheses_group_and_a_double_not_is_nothing() -> None:
    text = "(metrics.acc > 1 or metrics.acc > 2) and not not metrics.acc > 3"
    found = parse_filter(text, RUNS)
    assert isinstance(found, Every)
    assert [type(term) for term in found.terms] == [Some, Compare]


@pytest.mark.parametrize(
    ("text", "at", "why"),
    [
        ("metrics.acc >", 13, "expected a value, but it ends here"),
        ("metrics.acc", 11, "expected a comparison, but it ends here"),
        ("metrics.acc > 'x'", 14, "expected a number"),
        ("metrics.acc LIKE 'x'", 17, "expected a number"),
        ("params.x > 'a'", 11, "> compares numbers"),
        ("params.x LIKE 5", 14, "expected text in quotes"),
        ("status = RUNNING", 9, "expected a quoted text or a number"),
        ("status = 'a", 9, "a quote is not closed"),
        ("status = 'a' status = 'b'", 13, "expected AND, OR or the end"),
        ("metrics.acc > 1 AND (status = 'a'", 33, r"expected '\)'"),
        ("metrics.acc > 1 AND", 19, "expected a name"),
        ("foo = 'x'", 0, "Invalid attribute key 'foo': known are"),
        ("x.y = 'z'", 0, "Invalid entity type 'x': known are"),
        ("datasets.size = 'z'", 0, "Invalid dataset key 'size'"),
        ("metrics. = 3", 0, "a name must follow"),
        ("max(params.x) > 3", 4, r"max\(\) takes a metric"),
        ("start_time > 'soon'", 13, "expected a time"),
        ("run_id IN ()", 11, "expected a quoted text"),
        ("params.x IS 5", 12, "expected NULL"),
        ("'a' = metrics.acc", 0, "expected a name"),
        ("metrics.acc ~ 3", 12, "'~' is not expected here"),
        ("(" * 60, MAX_NESTING + 1, "nested deeper"),
        ("run_id='a' OR " * 201 + "run_id='a'", 2800, "more than 200 comparisons"),
    ],
)
def test_an_error_says_at_which_character_it_is(text: str, at: int, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"Invalid filter at character {at + 1} .*{why}") as got:
        parse_filter(text, RUNS)
    assert got.value.facts == {"at": at}


def test_a_filter_of_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidInput, match="longer than"):
        parse_filter("status = 'x' AND " * 60_000, RUNS)


def test_experiments_have_names_of_their_own() -> None:
    assert parse_filter("name LIKE 'a%' AND tags.x = 'y'", EXPERIMENTS)
    with pytest.raises(InvalidInput, match="Invalid entity type 'metrics'"):
        parse_filter("metrics.acc > 1", EXPERIMENTS)


def test_orders_are_read() -> None:
    texts = ["metrics.acc DESC", "start_time", "min(metrics.`x y`) asc"]
    assert parse_orders(texts, RUNS) == (
        Order(ACC, descending=True),
        Order(Operand(Entity.ATTRIBUTE, "start_time")),
        Order(Operand(Entity.METRIC, "x y", Aggregate.MIN)),
    )


@pytest.mark.parametrize("text", ["", "metrics.acc DOWN", "metrics.acc DESC DESC", "x", "'a'"])
def test_what_is_no_order_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="Invalid order_by at character"):
        parse_orders([text], RUNS)


@given(st.text(alphabet="metrics.acparAND OR()'`\"<>=!0.5 \\%é,NOTINLIKEIS", max_size=60))
def test_any_text_is_a_filter_or_a_clear_error(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse_filter(text, RUNS)
