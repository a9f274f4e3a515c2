"""Comparisons of text that mean the same on both databases."""

from __future__ import annotations

import re

import sqlalchemy as sa

from lazulite.domain.search import Compare, Op
from lazulite.store.tracking_tables import HEAD


def like(
    dialect: str, column: sa.ColumnElement[str], pattern: str, *, insensitive: bool
) -> sa.ColumnElement[bool]:
    """Say that a text matches: `%` is anything, `_` one character, all else itself."""
    if dialect == "postgresql":
        literal = pattern.replace("\\", "\\\\")
        return column.ilike(literal) if insensitive else column.like(literal)
    if insensitive:  # SQLite's own LIKE, which folds ASCII letters only
        return column.like(pattern)
    return column.op("GLOB", is_comparison=True)(_glob(pattern))


def _glob(pattern: str) -> str:
    kept = re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", pattern)
    return kept.replace("%", "*").replace("_", "?")


def compare_text(dialect: str, table: sa.FromClause, c: Compare) -> sa.ColumnElement[bool]:
    """Return a comparison of a text that is split into `text` and `rest`."""
    text, rest = table.c.text, table.c.rest
    if c.op in (Op.LIKE, Op.ILIKE):
        whole = text + sa.func.coalesce(rest, "")
        return like(dialect, whole, str(c.values[0]), insensitive=c.op is Op.ILIKE)
    same = sa.or_(*(_is(text, rest, str(value)) for value in c.values))
    return same if c.op in (Op.EQ, Op.IN) else sa.not_(same)


def begins_as(table: sa.FromClause, c: Compare) -> sa.ColumnElement[bool]:
    """Return what the index on `text` alone can say of a comparison with whole texts."""
    return table.c.text.in_([str(value)[:HEAD] for value in c.values])


def _is(
    text: sa.ColumnElement[str], rest: sa.ColumnElement[str], value: str
) -> sa.ColumnElement[bool]:
    tail = value[HEAD:]
    ends = sa.func.coalesce(rest, "") == tail  # never NULL, so that it can be negated
    return sa.and_(text == value[:HEAD], ends)
