"""Budgets: their definitions, what was spent in each period, what running requests set aside; the tier of a key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("keys", sa.Column("tier", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "budgets",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("window", sa.Text(), nullable=False),
        sa.Column("limit_nanousd", sa.BigInteger(), nullable=True),
        sa.Column("limit_tokens", sa.BigInteger(), nullable=True),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_budgets")),
        sa.UniqueConstraint(
            "tenant", "scope", "subject", "window", "hard", name=op.f("uq_budgets_tenant_scope_subject_window_hard")
        ),
    )
    op.create_table(
        "budget_periods",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("spent_nanousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("spent_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved_nanousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("reserved_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("crossed_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "budget_id", "period", name=op.f("pk_budget_periods")),
    )
    op.create_table(
        "reservations",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("budget_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("nanousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "budget_id", "id", name=op.f("pk_reservations")),
    )
    op.create_index(op.f("ix_reservations_id"), "reservations", ["id"])
    op.create_index(op.f("ix_reservations_expires_at"), "reservations", ["expires_at"])
