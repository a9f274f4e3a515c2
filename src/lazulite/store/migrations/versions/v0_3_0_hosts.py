"""Where jobs ran, and what they used.

Revision: 0004, of release 0.3.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.LargeBinary()


def upgrade() -> None:
    op.create_table(
        "hosts",
        sa.Column("id", ROW, autoincrement=True, nullable=False),
        sa.Column("body", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hosts"),
        sa.UniqueConstraint("body", name="uq_hosts_body"),
    )
    op.add_column("jobs", sa.Column("host", ROW, nullable=True))
    op.add_column("jobs", sa.Column("usage", JSON, nullable=True))
