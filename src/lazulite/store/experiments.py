"""Experiments: names that jobs share, stored once. They come to be with their first job."""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.store.columns import insert
from lazulite.store.tables import experiments

_FIND = sa.select(experiments.c.id).where(
    experiments.c.workspace == sa.bindparam("workspace"), experiments.c.name == sa.bindparam("name")
)


def experiment_id(db: sa.Connection, workspace: int, name: str) -> int:
    """Return the row id of an experiment, made if it is new."""
    key = {"workspace": workspace, "name": name}
    found: int | None = db.execute(_FIND, key).scalar()
    if found is not None:
        return found
    made = insert(db, experiments).values(key).on_conflict_do_nothing().returning(experiments.c.id)
    new: int | None = db.execute(made).scalar()
    return new or int(db.execute(_FIND, key).scalar_one())
