"""Read filters and orders. An error says at which character it is.

filter     := all (OR all)*                 all := one (AND one)*
one        := NOT one | '(' filter ')' | operand comparison
operand    := [last|min|max|first|best] '(' name ')' | name
comparison := (= != > >= < <= LIKE ILIKE) value | [NOT] IN '(' value, ... ')' | IS [NOT] NULL
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from lazulite.domain.errors import InvalidInput
from lazulite.domain.search import (
    Aggregate,
    Compare,
    Condition,
    Entity,
    Every,
    Not,
    Op,
    Operand,
    Order,
    Some,
    Value,
)
from lazulite.formats.mlflow.names import DATASET_KEYS, SPAN_KEYS, Kind, Names
from lazulite.formats.mlflow.tokens import Token, Tokens

MAX_TERMS = 200  # comparisons of one filter
MAX_NESTING = 40
MAX_ORDERS = 10

_COMPARING = frozenset({Op.EQ, Op.NE, Op.GT, Op.GE, Op.LT, Op.LE})
_AGGREGATES = frozenset(of.value for of in Aggregate)
_EQUALITY = frozenset({Op.EQ, Op.NE})
_LIKE = frozenset({Op.LIKE, Op.ILIKE})
_SYMBOLS = {"=": Op.EQ, "==": Op.EQ, "<>": Op.NE} | {op.value: op for op in _COMPARING}
_KINDS = {
    Entity.METRIC: Kind.NUMBER,
    **dict.fromkeys((Entity.PARAM, Entity.FEEDBACK, Entity.EXPECTATION), Kind.EITHER),
}
_VALUES = {Kind.TEXT: "text in quotes", Kind.NUMBER: "a number", Kind.TIME: "a time"}


def parse_filter(text: str, names: Names) -> Condition | None:
    """Read a filter; None for an empty one.

    Raises:
        InvalidInput: it is not one; `at` is the index of the first wrong character.
    """
    if not text or text.isspace():
        return None
    return _Parser(Tokens(text, "filter"), names).whole()


def parse_orders(texts: Sequence[str], names: Names) -> tuple[Order, ...]:
    """Read an order: `name`, or `name ASC`, or `name DESC`, each.

    Raises:
        InvalidInput: one of them is not.
    """
    if len(texts) > MAX_ORDERS:
        raise InvalidInput(f"order_by has {len(texts)} terms: use at most {MAX_ORDERS}")
    return tuple(_Parser(Tokens(text, "order_by"), names).order() for text in texts)


class _Parser:
    """Reads one text, term by term."""

    def __init__(self, tokens: Tokens, names: Names) -> None:
        self._tokens = tokens
        self._names = names
        self._terms = 0

    def whole(self) -> Condition:
        """Read a filter to its end."""
        found = self._some(0)
        if (left := self._tokens.peek()) is not None:
            self._fail(left, f"expected AND, OR or the end, not {left.text[:60]!r}")
        return found

    def order(self) -> Order:
        """Read a term of an order to its end."""
        operand, _ = self._operand()
        descending = self._tokens.take_word("DESC")
        if not descending:
            self._tokens.take_word("ASC")
        if (left := self._tokens.peek()) is not None:
            self._fail(left, f"expected ASC, DESC or the end, not {left.text[:60]!r}")
        return Order(operand, descending)

    def _some(self, depth: int) -> Condition:
        if depth > MAX_NESTING:
            self._fail(self._tokens.peek(), f"it is nested deeper than {MAX_NESTING} levels")
        terms = [self._every(depth)]
        while self._tokens.take_word("OR"):
            terms.append(self._every(depth))
        return terms[0] if len(terms) == 1 else Some(tuple(terms))

    def _every(self, depth: int) -> Condition:
        terms = [self._one(depth)]
        while self._tokens.take_word("AND"):
            terms.append(self._one(depth))
        return terms[0] if len(terms) == 1 else Every(tuple(terms))

    def _one(self, depth: int) -> Condition:
        negations = 0
        while self._tokens.take_word("NOT"):
            negations += 1
        if self._tokens.take("("):
            found = self._some(depth + 1)
            self._expect(")")
        else:
            found = self._compare()
        return Not(found) if negations % 2 else found

    def _compare(self) -> Compare:
        self._terms += 1
        at = self._tokens.peek()
        if self._terms > MAX_TERMS:
            self._fail(at, f"it has more than {MAX_TERMS} comparisons")
        operand, kind = self._operand()
        op = self._op()
        if op in (Op.NULL, Op.NOT_NULL):
            values: tuple[Value, ...] = ()
        elif op in (Op.IN, Op.NOT_IN):
            values = self._list(kind, op)
        else:
            values = (self._value(kind, op),)
        return Compare(operand, op, values, at.at if at else 0)

    def _operand(self) -> tuple[Operand, Kind]:
        token = self._tokens.next("a name such as metrics.accuracy")
        word = token.text.lower()
        if token.kind == "word" and word in _AGGREGATES and self._tokens.take("("):
            inner = self._tokens.next("the name of a metric")
            operand, kind = self._name(inner)
            if operand.entity is not Entity.METRIC:
                self._fail(inner, f"{word}() takes a metric, not {inner.text[:60]!r}")
            self._expect(")")
            return Operand(Entity.METRIC, operand.key, Aggregate(word)), kind
        return self._name(token)

    def _name(self, token: Token) -> tuple[Operand, Kind]:
        if token.kind not in ("word", "quoted"):
            self._fail(token, f"expected a name such as metrics.accuracy, not {token.text[:60]!r}")
        prefix, key = token.prefix, token.key
        if prefix is None:
            return self._attribute(token, key)
        entity = self._names.entities.get(prefix.lower())
        if entity is None:
            known = ", ".join(sorted(set(self._names.entities.values())))
            self._fail(token, f"Invalid entity type {prefix[:60]!r}: known are {known}")
        if not key:
            self._fail(token, f"a name must follow {prefix}.")
        if entity is Entity.ATTRIBUTE:
            return self._attribute(token, key)
        if entity is Entity.DATASET and key not in DATASET_KEYS:
            self._fail(token, f"Invalid dataset key {key[:60]!r}: use {sorted(DATASET_KEYS)}")
        if entity is Entity.SPAN:
            key = self._span_key(token, key)
        return Operand(entity, key), _KINDS.get(entity, Kind.TEXT)

    def _span_key(self, token: Token, key: str) -> str:
        name = key.removeprefix("attributes.").strip('`"')
        is_attribute = key.startswith("attributes.") and name != ""
        if not is_attribute and key not in SPAN_KEYS:
            known = ", ".join(SPAN_KEYS)
            self._fail(token, f"Invalid span attribute {key[:60]!r}: use {known} or attributes.KEY")
        return f"attributes.{name}" if is_attribute else key

    def _attribute(self, token: Token, key: str) -> tuple[Operand, Kind]:
        found = self._names.attributes.get(key)
        if found is None:
            known = ", ".join(sorted({a.name for a in self._names.attributes.values()}))
            self._fail(token, f"Invalid attribute key {key[:60]!r}: known are {known}")
        return Operand(Entity.ATTRIBUTE, found.name), found.kind

    def _op(self) -> Op:
        token = self._tokens.next("a comparison")
        if token.kind == "op" and token.text in _SYMBOLS:
            return _SYMBOLS[token.text]
        word = token.text.upper() if token.kind == "word" else ""
        if word == "IS":
            negated = self._tokens.take_word("NOT")
            if not self._tokens.take_word("NULL"):
                self._fail(self._tokens.peek(), "expected NULL after IS")
            return Op.NOT_NULL if negated else Op.NULL
        if word == "NOT" and self._tokens.take_word("IN"):
            return Op.NOT_IN
        if word in (Op.IN, Op.LIKE, Op.ILIKE):
            return Op(word)
        raise self._tokens.wrong(
            token,
            f"expected a comparison (= != > >= < <= LIKE ILIKE IN IS), not {token.text[:60]!r}",
        )

    def _list(self, kind: Kind, op: Op) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value(kind, op)]
        while self._tokens.take(","):
            values.append(self._value(kind, op))
        self._expect(")")
        return tuple(values)

    def _value(self, kind: Kind, op: Op) -> Value:
        token = self._tokens.next("a value")
        if token.kind == "string":
            value = _time(token.key) if kind is Kind.TIME else token.key
            if kind is Kind.NUMBER or value is None:
                self._fail(token, f"expected {_VALUES[kind]}, not {token.text[:60]}")
            if op in _COMPARING - _EQUALITY and kind in (Kind.TEXT, Kind.EITHER):
                self._fail(token, f"{op.value} compares numbers, and {token.text[:60]} is text")
            return value
        if token.kind == "number":
            if kind is Kind.TEXT or op in _LIKE:
                self._fail(token, f"expected text in quotes, not {token.text[:60]}")
            return float(token.text)
        raise self._tokens.wrong(
            token, f"expected a quoted text or a number, not {token.text[:60]!r}"
        )

    def _expect(self, mark: str) -> None:
        if not self._tokens.take(mark):
            self._fail(self._tokens.peek(), f"expected {mark!r}")

    def _fail(self, token: Token | None, why: str) -> NoReturn:
        raise self._tokens.wrong(token, why)


def _time(text: str) -> float | None:
    """Return a date, or a date and time, as milliseconds since 1970; UTC unless it says more."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = found if found.tzinfo else found.replace(tzinfo=UTC)
    return aware.timestamp() * 1000
