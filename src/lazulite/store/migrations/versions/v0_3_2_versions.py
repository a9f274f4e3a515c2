"""The highest version number that a model's name ever had.

Revision: 0006, of release 0.3.0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    last = sa.Column("last_number", sa.BigInteger(), server_default="0", nullable=False)
    op.add_column("registered_models", last)
