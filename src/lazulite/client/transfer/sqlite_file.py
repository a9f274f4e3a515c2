"""Reads tables of a foreign SQLite file: the one place beside the store with SQL, see ADR 0012."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from lazulite.domain.errors import InvalidInput

_LONGEST = 64 << 20  # bytes of one value; MLflow's longest texts have 16 MB
_WAIT = 30.0  # seconds for a writer to let go of the file


class SqliteFile:
    """A copy of a file, made in one step, so that a server may go on writing to it."""

    def __init__(self, path: Path) -> None:
        """Copy the file, which is opened to be read only.

        Raises:
            InvalidInput: it cannot be read.
        """
        self._path = path
        self._copy = TemporaryDirectory(prefix="lazulite-import-")
        try:
            self._db = _copied(path, Path(self._copy.name) / "copy.db")
            tables = self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            self._columns = {table: self._columns_of(table) for (table,) in tables.fetchall()}
        except sqlite3.Error as error:
            self._copy.cleanup()
            raise self._broken(error) from None

    def has(self, table: str) -> bool:
        """Tell whether it has a table."""
        return table in self._columns

    def index(self, table: str, column: str) -> None:
        """Make rows of the copy findable by a column, if it has that."""
        if column in self._columns.get(table, ()):
            name = f"lz_{table}_{column}"
            try:
                self._db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})")
            except sqlite3.Error as error:
                raise self._broken(error) from None

    def rows(
        self, table: str, *columns: str, order: str | None = None, **where: object
    ) -> Iterator[Sequence[Any]]:
        """Yield columns of a table, NULL for one that it has not; nothing if there is no table.

        Every name must be a literal of the caller's.
        """
        has = self._columns.get(table)
        if not has or not has.issuperset(where):
            return iter(())
        picked = ", ".join(f'"{c}"' if c in has else f"NULL AS {c}" for c in columns)
        query = f"SELECT {picked} FROM {_where(table, where)}"  # noqa: S608 - literals
        return self._all(f"{query} ORDER BY {order}" if order else query, tuple(where.values()))

    def count(self, table: str, **where: object) -> int:
        """Count rows of a table; none if there is no table."""
        if not self._columns.get(table, set()).issuperset(where):
            return 0
        query = f"SELECT COUNT(*) FROM {_where(table, where)}"  # noqa: S608 - literals
        return sum(row[0] for row in self._all(query, tuple(where.values())))

    def close(self) -> None:
        """Delete the copy."""
        self._db.close()
        self._copy.cleanup()

    def _columns_of(self, table: str) -> set[str]:
        rows = self._db.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return {row[0] for row in rows}

    def _all(self, query: str, values: Sequence[object]) -> Iterator[Sequence[Any]]:
        try:
            yield from self._db.execute(query, tuple(values))
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def _broken(self, error: sqlite3.Error) -> InvalidInput:
        return InvalidInput(f"{self._path} cannot be read as a SQLite file: {error}")


def _where(table: str, where: dict[str, object]) -> str:
    terms = " AND ".join(f"{column} = ?" for column in where)
    return f"{table} WHERE {terms}" if where else table


def _copied(path: Path, copy: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.resolve()))}?mode=ro"
    made = sqlite3.connect(copy)
    try:
        source = sqlite3.connect(uri, uri=True, timeout=_WAIT)
        try:
            source.backup(made)
        finally:
            source.close()
        made.execute("PRAGMA synchronous = OFF")
        made.execute("PRAGMA trusted_schema = OFF")  # its columns may be computed
        made.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
    except sqlite3.Error:
        made.close()
        raise
    made.text_factory = lambda text: text.decode(errors="replace")
    return made
