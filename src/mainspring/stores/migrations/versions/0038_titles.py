"""What a person calls a session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    op.add_column("sessions", sa.Column("title", sa.Text(), server_default="", nullable=False))
