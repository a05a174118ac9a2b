"""Events that cannot become rows of the lake."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0081"
down_revision = "0079"


def upgrade() -> None:
    op.create_table(
        "lake_set_aside",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("retry_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "what", "id", name=op.f("pk_lake_set_aside")),
    )
    op.create_index(op.f("ix_lake_set_aside_retry_at"), "lake_set_aside", ["retry_at"])
