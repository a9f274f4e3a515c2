"""The language of searches: MLflow's filters and a superset of them, as a tree. It runs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TypeAlias

import msgspec


class Entity(StrEnum):
    """What a name in a filter belongs to."""

    METRIC = "metrics"
    PARAM = "params"
    TAG = "tags"
    ATTRIBUTE = "attributes"
    DATASET = "datasets"
    METADATA = "metadata"  # of traces, as what follows
    SPAN = "span"
    FEEDBACK = "feedback"
    EXPECTATION = "expectation"


class Aggregate(StrEnum):
    """Which of a metric's values is meant."""

    LAST = "last"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    BEST = "best"  # max, or min where the metric's name says that less is better


class Op(StrEnum):
    """How an operand is compared."""

    EQ = "="
    NE = "!="
    GT = ">"
    GE = ">="
    LT = "<"
    LE = "<="
    LIKE = "LIKE"
    ILIKE = "ILIKE"
    IN = "IN"
    NOT_IN = "NOT IN"
    NULL = "IS NULL"
    NOT_NULL = "IS NOT NULL"


Value: TypeAlias = str | float


class Operand(msgspec.Struct, frozen=True):
    """What is compared, or sorted by."""

    entity: Entity
    key: str  # of an attribute: its one spelling
    of: Aggregate = Aggregate.LAST


class Compare(msgspec.Struct, frozen=True):
    """One comparison."""

    operand: Operand
    op: Op
    values: tuple[Value, ...] = ()  # one; any number for IN; none for IS NULL
    at: int = 0  # where it stands in the text


class Every(msgspec.Struct, frozen=True):
    """All of them hold."""

    terms: tuple[Condition, ...]


class Some(msgspec.Struct, frozen=True):
    """At least one of them holds."""

    terms: tuple[Condition, ...]


class Not(msgspec.Struct, frozen=True):
    """It does not hold."""

    term: Condition


Condition: TypeAlias = Compare | Every | Some | Not


class Order(msgspec.Struct, frozen=True):
    """One term of an order; what has no value comes last either way."""

    operand: Operand
    descending: bool = False


def comparisons(condition: Condition) -> Iterator[Compare]:
    """Yield every comparison in a condition."""
    if isinstance(condition, Compare):
        yield condition
    elif isinstance(condition, Not):
        yield from comparisons(condition.term)
    else:
        for term in condition.terms:
            yield from comparisons(term)


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A whole question: what to find, in which order, from where on."""

    condition: Condition | None = None
    orders: tuple[Order, ...] = ()
    limit: int = 1000
    after: str | None = None  # the token that the page before ended with
