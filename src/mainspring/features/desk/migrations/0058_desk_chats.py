"""Chats on web pages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0058"
down_revision = "0057"


def upgrade() -> None:
    op.create_table(
        "desk_chats",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "session_id", "digest", "key_id")),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "session_id", name=op.f("pk_desk_chats")),
    )
    op.create_index(op.f("ix_desk_chats_digest"), "desk_chats", ["digest"], unique=True)
    op.create_index(op.f("ix_desk_chats_expires_at"), "desk_chats", ["expires_at"])
