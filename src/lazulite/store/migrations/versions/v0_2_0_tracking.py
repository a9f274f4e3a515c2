"""Tracking: what runs log.

Revision: 0002, of release 0.2.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.BigInteger()
JSON = sa.LargeBinary()


def upgrade() -> None:
    for name in ("created_at", "modified_at", "deleted_at"):
        op.add_column("experiments", sa.Column(name, TIME, nullable=True))
    op.create_index("ix_jobs_created", "jobs", ["experiment", "created", "id"])
    op.create_index("ix_jobs_workspace", "jobs", ["workspace", "created", "id"])
    _names()
    _metrics()
    _texts()
    _datasets()


def _ref(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}"
    return sa.ForeignKeyConstraint([column], [f"{parent}.id"], name=name, ondelete="CASCADE")


def _row(name: str) -> sa.Column[int]:
    return sa.Column(name, ROW, autoincrement=False, nullable=False)


def _whole(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)


def _real(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=True)


def _names() -> None:
    op.create_table(
        "keys",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_keys"),
        sa.UniqueConstraint("name", name="uq_keys_name"),
    )
    op.create_table(
        "experiment_tags",
        _row("experiment"),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("experiment", "key", name="pk_experiment_tags"),
        _ref("experiment_tags", "experiment", "experiments"),
        sqlite_with_rowid=False,
    )


def _metrics() -> None:
    op.create_table(
        "metrics",
        _row("run"),
        _whole("key"),
        _whole("step"),
        _whole("time"),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("run", "key", "step", "time", "value", name="pk_metrics"),
        _ref("metrics", "run", "jobs"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "latest_metrics",
        _row("run"),
        _whole("key"),
        _whole("experiment"),
        _real("last"),
        _whole("last_step"),
        _whole("last_time"),
        _real("min"),
        _real("max"),
        _real("first"),
        _whole("first_step"),
        _whole("first_time"),
        sa.PrimaryKeyConstraint("run", "key", name="pk_latest_metrics"),
        _ref("latest_metrics", "run", "jobs"),
        sqlite_with_rowid=False,
    )
    for which in ("last", "min", "max"):
        columns = ["experiment", "key", which, "run"]
        op.create_index(f"ix_latest_metrics_{which}", "latest_metrics", columns)


def _texts() -> None:
    for table, extra in (("params", [_real("number")]), ("run_tags", [])):
        op.create_table(
            table,
            _row("run"),
            _whole("key"),
            _whole("experiment"),
            sa.Column("text", TEXT, nullable=False),
            sa.Column("rest", TEXT, nullable=True),
            *extra,
            sa.PrimaryKeyConstraint("run", "key", name=f"pk_{table}"),
            _ref(table, "run", "jobs"),
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{table}_text", table, ["experiment", "key", "text"])
    is_number = sa.text("number IS NOT NULL")
    op.create_index(
        "ix_params_number",
        "params",
        ["experiment", "key", "number"],
        sqlite_where=is_number,
        postgresql_where=is_number,
    )


def _datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        _row("experiment"),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("body", JSON, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_datasets"),
        sa.UniqueConstraint(
            "experiment", "name", "digest", name="uq_datasets_experiment_name_digest"
        ),
        _ref("datasets", "experiment", "experiments"),
    )
    op.create_table(
        "run_datasets",
        _row("run"),
        _row("dataset"),
        sa.Column("context", TEXT, nullable=True),
        sa.Column("tags", JSON, nullable=True),
        sa.PrimaryKeyConstraint("run", "dataset", name="pk_run_datasets"),
        _ref("run_datasets", "run", "jobs"),
        _ref("run_datasets", "dataset", "datasets"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_run_datasets_dataset", "run_datasets", ["dataset"])
