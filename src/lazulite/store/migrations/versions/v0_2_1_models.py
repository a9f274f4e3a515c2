"""Logged models and the registry.

Revision: 0003, of release 0.2.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger()
JSON = sa.LargeBinary()


def upgrade() -> None:
    _logged_models()
    _model_metrics()
    _run_models()
    _registered_models()


def _ref(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=name, ondelete="CASCADE")


def _id() -> sa.Column[int]:
    return sa.Column("id", ROW, autoincrement=True, nullable=False)


def _row(name: str) -> sa.Column[int]:
    return sa.Column(name, ROW, autoincrement=False, nullable=False)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, TEXT, nullable=null)


def _times() -> list[sa.Column[int]]:
    return [sa.Column(name, TIME, nullable=False) for name in ("created_at", "modified_at")]


def _json(name: str) -> sa.Column[bytes]:
    return sa.Column(name, JSON, nullable=True)


def _logged_models() -> None:
    op.create_table(
        "logged_models",
        _id(),
        _row("workspace"),
        _row("experiment"),
        _text("model"),
        _text("name"),
        _text("model_type", null=True),
        _text("source_run", null=True),
        _text("status"),
        _json("tags"),
        _json("params"),
        *_times(),
        sa.PrimaryKeyConstraint("id", name="pk_logged_models"),
        sa.UniqueConstraint("workspace", "model", name="uq_logged_models_workspace_model"),
        _ref("logged_models", "workspace", "workspaces"),
        _ref("logged_models", "experiment", "experiments"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_logged_models_experiment", "logged_models", ["experiment", "id"])


def _model_metrics() -> None:
    key = ("model", "key", "run", "step", "time", "value")
    op.create_table(
        "model_metrics",
        _row("model"),
        _whole("key"),
        _row("run"),
        _whole("step"),
        _whole("time"),
        sa.Column("value", sa.Double(), nullable=False),
        _text("dataset", null=True),
        _text("digest", null=True),
        sa.PrimaryKeyConstraint(*key, name="pk_model_metrics"),
        _ref("model_metrics", "model", "logged_models"),
        _ref("model_metrics", "run", "jobs"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_model_metrics_run", "model_metrics", ["run"])


def _run_models() -> None:
    op.create_table(
        "run_models",
        _row("run"),
        _row("model"),
        sa.Column("output", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run", "model", "output", name="pk_run_models"),
        _ref("run_models", "run", "jobs"),
        _ref("run_models", "model", "logged_models"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_models_model", "run_models", ["model"])


def _registered_models() -> None:
    op.create_table(
        "registered_models",
        _id(),
        _row("workspace"),
        _text("name"),
        _text("description"),
        _json("tags"),
        _json("aliases"),
        *_times(),
        sa.PrimaryKeyConstraint("id", name="pk_registered_models"),
        sa.UniqueConstraint("workspace", "name", name="uq_registered_models_workspace_name"),
        _ref("registered_models", "workspace", "workspaces"),
    )
