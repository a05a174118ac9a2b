"""The key that a replaced key stands for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.add_column("keys", sa.Column("identity", sa.Text(), server_default="", nullable=False))
