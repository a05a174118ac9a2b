"""What was answered under an Idempotency-Key, for all processes of a database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.create_table(
        "repeats",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "name", "owner")),
        sa.Column("leased_until", sa.Double(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_repeats")),
    )
    op.create_index(op.f("ix_repeats_expires_at"), "repeats", ["expires_at"])
    op.create_table(
        "repeat_tags",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "tag", "name")),
        sa.PrimaryKeyConstraint("tenant", "tag", "name", name=op.f("pk_repeat_tags")),
    )
    op.create_index(op.f("ix_repeat_tags_tag"), "repeat_tags", ["tag"])
