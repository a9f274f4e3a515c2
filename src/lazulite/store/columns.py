"""Column types and clauses that mean the same on SQLite and PostgreSQL. It knows no table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from lazulite.domain.errors import InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# "C" so that both databases order text by its bytes, whatever the locale of the cluster is
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
RowId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only INTEGER is SQLite's row id
Micros = sa.BigInteger  # microseconds since 1970-01-01 UTC

Row: TypeAlias = "sa.Row[*tuple[Any, ...]]"  # text: SQLAlchemy 2.0 counts the parameters

encode = msgspec.json.Encoder().encode


class Json(sa.LargeBinary):
    """JSON as bytes, encoded by us: neither database has to parse it, and any text fits."""

    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> None:  # both drivers take and give bytes
        """Give the bytes to the driver as they are."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> None:
        """Take the bytes from the driver as they are."""


class ListOf(sa.types.TypeDecorator[Sequence[Any]]):
    """A whole list as one parameter, so that one prepared statement serves lists of any length.

    SQLite gets JSON (it has no arrays, and a limit of parameters), PostgreSQL an array.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, item: sa.types.TypeEngine[Any]) -> None:
        super().__init__()
        self.item = item

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """Say what the driver is given."""
        array = dialect.name == "postgresql"
        return dialect.type_descriptor(sa.ARRAY(self.item) if array else sa.Text())

    def process_bind_param(self, value: Sequence[Any] | None, dialect: sa.Dialect) -> Any:
        """Encode the list."""
        if value is None or dialect.name == "postgresql":
            return value
        return encode(value).decode()


class among(FunctionElement[bool]):  # noqa: N801 - SQLAlchemy's way of naming a function
    """`among(column, "name")`: the column's value is in the list given as parameter `name`."""

    type = sa.Boolean()
    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], name: str) -> None:
        super().__init__(column, sa.bindparam(name, type_=_list_for(column)))

    def self_group(self, against: object = None) -> among:  # noqa: ARG002
        """Stand bare in AND: SQLAlchemy would add ` = 1`, and SQLite then use no index."""
        return self


class within(among):  # noqa: N801 - as `among`
    """`within(column, values)`: the column's value is in the list given here and now."""

    inherit_cache = True

    def __init__(self, column: sa.ColumnElement[Any], values: Sequence[Any]) -> None:
        listed = sa.bindparam("values", list(values), type_=_list_for(column), unique=True)
        FunctionElement.__init__(self, column, listed)


def _list_for(column: sa.ColumnElement[Any]) -> ListOf:
    return ListOf(sa.BigInteger() if isinstance(column.type, sa.Integer) else sa.Text())


@compiles(among)
def _among(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled SQL


@compiles(among, "postgresql")
def _among_array(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, values = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} = ANY ({values})"


def micros(moment: datetime) -> int:
    """Return an aware time as microseconds since 1970 UTC, exactly."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def moment(us: int) -> datetime:
    """Return the time of `micros`."""
    return EPOCH + timedelta(microseconds=us)


def row_id_after(text: str | None) -> int | None:
    """Read the paging key of lists that are ordered by row id.

    Raises:
        InvalidInput: no list of ours gave this text.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput(
            f"paging token {text[:40]!r} is not one of this list: follow `nextLink` unchanged",
            path="$skip",
        )
    return int(text)


def insert(db: sa.Connection, table: sa.Table) -> Any:
    """Return an INSERT that knows `on_conflict_do_...`, in the dialect of the connection.

    The two dialects' classes are alike in what we use, but share no base that says so.
    """
    if db.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)
