"""What documents were found to hold when they were looked at, and whether searches may find them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column("documents", sa.Column("screening", sa.Text(), server_default="", nullable=False))
    op.add_column("documents", sa.Column("findings", sa.Text(), server_default="{}", nullable=False))
