"""The extremes of stretches of long curves.

Revision: 0007, of release 0.3.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("latest_metrics", sa.Column("rolled", sa.BigInteger(), nullable=True))
    whole = ("key", "first", "last")
    run = sa.ForeignKeyConstraint(
        ["run"], ["jobs.id"], name="fk_metric_blocks_run", ondelete="CASCADE"
    )
    op.create_table(
        "metric_blocks",
        sa.Column("run", ROW, autoincrement=False, nullable=False),
        *(sa.Column(n, sa.BigInteger(), autoincrement=False, nullable=False) for n in whole),
        *_extreme("low"),
        *_extreme("high"),
        run,
        sa.PrimaryKeyConstraint("run", "key", "first", name="pk_metric_blocks"),
        sqlite_with_rowid=False,
    )


def _extreme(name: str) -> list[sa.Column[float] | sa.Column[int]]:
    return [
        sa.Column(name, sa.Double(), nullable=True),
        sa.Column(f"{name}_step", sa.BigInteger(), autoincrement=False, nullable=True),
        sa.Column(f"{name}_time", sa.BigInteger(), autoincrement=False, nullable=True),
    ]
