"""Smart Compose: what came of suggestions, and own phrases by consent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0077"
down_revision = "0075"


def upgrade() -> None:
    op.create_table(
        "compose_shown",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("mail", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("characters", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("saved", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("told_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_compose_shown")),
    )
    op.create_index(op.f("ix_compose_shown_tenant_at"), "compose_shown", ["tenant", "at"])
    op.create_index(op.f("ix_compose_shown_tenant_owner_person"), "compose_shown", ["tenant", "owner", "person"])
    op.create_index(op.f("ix_compose_shown_at"), "compose_shown", ["at"])
    op.create_table(
        "compose_people",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("consent", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner", "person", name=op.f("pk_compose_people")),
    )
    op.create_table(
        "compose_texts",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "owner", "person", "digest", name=op.f("pk_compose_texts")),
    )
