"""Variants: candidates, what applications use, and how they came to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0074"
down_revision = "0072"


def upgrade() -> None:
    _variants()
    _places()
    _moves()


def _variants() -> None:
    op.create_table(
        "variants",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default="{}", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("subjects", sa.Text(), server_default="[]", nullable=False),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_variants")),
    )
    op.create_index(op.f("ix_variants_tenant_application"), "variants", ["tenant", "application"])


def _places() -> None:
    op.create_table(
        "variant_places",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("currents", sa.Text(), server_default="[]", nullable=False),
        sa.Column("candidate", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="", nullable=False),
        sa.Column("share", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "application", name=op.f("pk_variant_places")),
    )
    op.create_index(op.f("ix_variant_places_changed_at"), "variant_places", ["changed_at"])


def _moves() -> None:
    op.create_table(
        "variant_moves",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("candidate", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("share", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("before", sa.Text(), server_default="[]", nullable=False),
        sa.Column("after", sa.Text(), server_default="[]", nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "application", "number", name=op.f("pk_variant_moves")),
    )
