"""INSERT ... ON CONFLICT DO UPDATE, built once per dialect: building one costs more than a row."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from lazulite.store.columns import insert

_made: dict[tuple[str, sa.Table], Any] = {}


def upsert(
    db: sa.Connection, table: sa.Table, key: tuple[str, ...], rows: list[dict[str, Any]]
) -> None:
    """Store rows; one whose key is there already gets the new values of its other columns.

    Args:
        db: in a transaction.
        table: it has a unique constraint on the key.
        key: names of columns.
        rows: each with the same columns, in every call.
    """
    if not rows:
        return
    which = db.dialect.name, table
    if which not in _made:
        statement = insert(db, table)
        changed = {name: statement.excluded[name] for name in rows[0] if name not in key}
        index = [table.c[name] for name in key]
        _made[which] = statement.on_conflict_do_update(index_elements=index, set_=changed)
    db.execute(_made[which], rows)
