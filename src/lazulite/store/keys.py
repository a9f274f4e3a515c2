"""Names of metrics, params and tags, stored once: other tables have their row ids."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from lazulite.domain.errors import InvalidInput
from lazulite.store.columns import among, insert
from lazulite.store.tracking_tables import keys

NO_KEY = -1  # what no row has

_FIND = sa.select(keys.c.name, keys.c.id).where(among(keys.c.name, "names"))


def key_ids(db: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the row ids of those names that are known."""
    wanted = list(names)
    if not wanted:
        return {}
    return {name: row for name, row in db.execute(_FIND, {"names": wanted})}  # noqa: C416 - typed


def ensure_keys(db: sa.Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the row ids of names, made where they are new.

    Raises:
        InvalidInput: one has a NUL, which neither database can look up.
    """
    wanted = sorted(set(names))  # in one order, so that two writers do not lock each other
    if odd := next((name for name in wanted if "\0" in name), None):
        raise InvalidInput(f"{odd[:100]!r} has a NUL character, which no name can have; rename it")
    found = key_ids(db, wanted)
    if new := [{"name": name} for name in wanted if name not in found]:
        db.execute(insert(db, keys).on_conflict_do_nothing(), new)
        found |= key_ids(db, [row["name"] for row in new])
    return found
