"""The table that the chunks of a collection lie in, and one that is being filled or to be dropped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("stored_in", "building"):
        op.add_column("collections", sa.Column(name, sa.Text(), server_default="", nullable=False))
