"""How many answers an experiment that is over has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    done = sa.Column("done", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    op.add_column("experiments", done)
