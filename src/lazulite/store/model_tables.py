"""The tables of logged models and of the registry. Versions of models are rows of `assets`."""

from __future__ import annotations

import sqlalchemy as sa

from lazulite.store.columns import Json, Micros, RowId, Text
from lazulite.store.tables import metadata


def _ref(column: str, table: str, *, key: bool = False) -> sa.Column[int]:
    parent = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(column, RowId, parent, nullable=False, primary_key=key, autoincrement=False)


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, primary_key=True, autoincrement=False)


logged_models = sa.Table(
    "logged_models",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    _ref("workspace", "workspaces"),
    _ref("experiment", "experiments"),
    sa.Column("model", Text, nullable=False),  # its id on the wire
    sa.Column("name", Text, nullable=False),
    sa.Column("model_type", Text, nullable=True),
    sa.Column("source_run", Text, nullable=True),
    sa.Column("status", Text, nullable=False),
    sa.Column("tags", Json, nullable=True),
    sa.Column("params", Json, nullable=True),
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("modified_at", Micros, nullable=False),
    sa.UniqueConstraint("workspace", "model"),
    sqlite_autoincrement=True,
)
sa.Index("ix_logged_models_experiment", logged_models.c.experiment, logged_models.c.id)

model_metrics = sa.Table(
    "model_metrics",
    metadata,
    _ref("model", "logged_models", key=True),
    _key("key"),
    _ref("run", "jobs", key=True),
    _key("step"),
    _key("time"),
    sa.Column("value", sa.Double, primary_key=True),  # +infinity = NaN
    sa.Column("dataset", Text, nullable=True),
    sa.Column("digest", Text, nullable=True),
    sqlite_with_rowid=False,
)
sa.Index("ix_model_metrics_run", model_metrics.c.run)

run_models = sa.Table(
    "run_models",
    metadata,
    _ref("run", "jobs", key=True),
    _ref("model", "logged_models", key=True),
    sa.Column("output", sa.Boolean(create_constraint=False), primary_key=True),
    sa.Column("step", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
sa.Index("ix_run_models_model", run_models.c.model)

registered_models = sa.Table(
    "registered_models",
    metadata,
    sa.Column("id", RowId, primary_key=True, autoincrement=True),
    _ref("workspace", "workspaces"),
    sa.Column("name", Text, nullable=False),
    sa.Column("description", Text, nullable=False),
    sa.Column("tags", Json, nullable=True),
    sa.Column("aliases", Json, nullable=True),  # alias to version
    sa.Column("created_at", Micros, nullable=False),
    sa.Column("modified_at", Micros, nullable=False),
    sa.Column("last_number", sa.BigInteger, server_default="0", nullable=False),
    sa.UniqueConstraint("workspace", "name"),
)
