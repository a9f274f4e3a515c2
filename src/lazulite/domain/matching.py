"""Whether a thing at hand is what a condition asks for: for lists short enough to be read whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from lazulite.domain.search import Compare, Condition, Every, Not, Op, Operand, Order, Some, Value

Lookup: TypeAlias = Callable[[Operand], Value | None]


def matches(condition: Condition | None, look: Lookup) -> bool:
    """Tell whether a thing is what a condition asks for; `look` gives its values."""
    if condition is None:
        return True
    if isinstance(condition, Every):
        return all(matches(term, look) for term in condition.terms)
    if isinstance(condition, Some):
        return any(matches(term, look) for term in condition.terms)
    if isinstance(condition, Not):
        return not matches(condition.term, look)
    return _compare(condition, look(condition.operand))


def in_order(
    items: Sequence[Any], orders: Sequence[Order], look: Callable[[Any], Lookup]
) -> list[Any]:
    """Return items by several orders; what has no value comes last either way."""
    found = list(items)
    for order in reversed(orders):
        values = [(look(item)(order.operand), item) for item in found]
        known = [(value, item) for value, item in values if value is not None]
        known.sort(key=lambda pair: _rank(pair[0]), reverse=order.descending)
        found = [item for _, item in known] + [item for value, item in values if value is None]
    return found


def _rank(value: Value) -> tuple[int, Value]:
    return (isinstance(value, str), value)


def _compare(c: Compare, value: Value | None) -> bool:
    if c.op in (Op.NULL, Op.NOT_NULL):
        return (value is None) is (c.op is Op.NULL)
    if value is None:
        return False
    if c.op in (Op.IN, Op.NOT_IN):
        return (value in c.values) is (c.op is Op.IN)
    wanted = c.values[0]
    if c.op in (Op.LIKE, Op.ILIKE):
        return _like(str(value), str(wanted), re.IGNORECASE if c.op is Op.ILIKE else 0)
    if isinstance(wanted, float):
        number = _number(value)
        return number is not None and _ORDERED[c.op](number, wanted)
    return _ORDERED[c.op](str(value), wanted)


def _number(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _like(text: str, pattern: str, flags: int) -> bool:
    parts = [{"%": ".*", "_": "."}.get(c, re.escape(c)) for c in re.sub("%+", "%", pattern)]
    return re.fullmatch("".join(parts), text, flags | re.DOTALL) is not None


_ORDERED: dict[Op, Callable[[Any, Any], bool]] = {
    Op.EQ: lambda a, b: a == b,
    Op.NE: lambda a, b: a != b,
    Op.GT: lambda a, b: a > b,
    Op.GE: lambda a, b: a >= b,
    Op.LT: lambda a, b: a < b,
    Op.LE: lambda a, b: a <= b,
}
