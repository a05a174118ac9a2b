"""The groups that a reader of an edit needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0082"
down_revision = "0081"


def upgrade() -> None:
    op.add_column("translate_edits", sa.Column("groups", sa.Text(), server_default="[]", nullable=False))
