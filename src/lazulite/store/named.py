"""Tables whose rows have a name in a workspace. Names compare without case, as Azure's do."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lazulite.domain.errors import NotFound
from lazulite.ports.store import Listed, Page
from lazulite.store.columns import Row, insert


class Named:
    """The queries of one such table: it has the columns `workspace` and `key`."""

    def __init__(self, table: sa.Table, noun: str, replaced: tuple[str, ...]) -> None:
        """Prepare the queries.

        Args:
            table: the table.
            noun: what a row is, for errors.
            replaced: columns that a new row of the same name changes.
        """
        self._table = table
        self._noun = noun
        self._replaced = replaced
        self._of = table.c.workspace == sa.bindparam("workspace")
        self.has_name = sa.and_(self._of, table.c.key == sa.bindparam("key"))
        self._get = sa.select(table).where(self.has_name)
        self._delete = sa.delete(table).where(self.has_name)

    def put(self, db: sa.Connection, row: dict[str, Any]) -> Row:
        """Create or replace; a replaced one keeps its row, its spelling and its creation."""
        change = insert(db, self._table)
        change = change.on_conflict_do_update(
            index_elements=["workspace", "key"],
            set_={column: change.excluded[column] for column in self._replaced},
        ).returning(*self._table.c)
        return db.execute(change, row).one()

    def get(
        self, db: sa.Connection, workspace: int, name: str, query: sa.Select[Any] | None = None
    ) -> Row:
        """Return the row of that name, or what `query` says of it.

        Raises:
            NotFound: there is none.
        """
        asked = self._get if query is None else query
        row = db.execute(asked, {"workspace": workspace, "key": name.casefold()}).first()
        if row is None:
            raise self._unknown(name)
        return row

    def page(self, db: sa.Connection, workspace: int, page: Page) -> Listed[Row]:
        """Return one page, by name."""
        key = self._table.c.key
        query = sa.select(self._table).where(self._of).order_by(key).limit(page.limit + 1)
        if page.after is not None:
            query = query.where(key > page.after)
        rows = db.execute(query, {"workspace": workspace}).all()
        shown = list(rows[: page.limit])
        return Listed(shown, shown[-1].key if len(rows) > len(shown) and shown else None)

    def delete(self, db: sa.Connection, workspace: int, name: str) -> None:
        """Delete the row of that name.

        Raises:
            NotFound: there is none.
        """
        which = {"workspace": workspace, "key": name.casefold()}
        if db.execute(self._delete, which).rowcount == 0:
            raise self._unknown(name)

    def _unknown(self, name: str) -> NotFound:
        return NotFound(
            f"{self._noun} '{name}' does not exist in this workspace: create it, or check the name"
        )
