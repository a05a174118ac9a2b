"""Arenas, their battles, votes and voters."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    _arena_battles()
    _arena_excluded()
    _arena_pairs()
    _arena_votes()
    _arenas()


def _arena_battles() -> None:
    op.create_table(
        "arena_battles",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("arena", sa.Text(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("left_model", sa.Text(), nullable=False),
        sa.Column("right_model", sa.Text(), nullable=False),
        sa.Column("left_answer", sa.Text(), server_default="", nullable=False),
        sa.Column("right_answer", sa.Text(), server_default="", nullable=False),
        sa.Column("left_trace", sa.Text(), server_default="", nullable=False),
        sa.Column("left_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("right_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("style", sa.Text(), server_default="{}", nullable=False),
        sa.Column("complete", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_arena_battles")),
    )
    op.create_index(op.f("ix_arena_battles_tenant_arena_voter"), "arena_battles", ["tenant", "arena", "voter"])


def _arena_excluded() -> None:
    op.create_table(
        "arena_excluded",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("arena", sa.Text(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("excluded_by", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "arena", "voter", name=op.f("pk_arena_excluded")),
    )


def _arena_pairs() -> None:
    op.create_table(
        "arena_pairs",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("arena", sa.Text(), nullable=False),
        sa.Column("left_model", sa.Text(), nullable=False),
        sa.Column("right_model", sa.Text(), nullable=False),
        sa.Column("shown", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("votes", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("points", sa.Double(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "arena", "left_model", "right_model", name=op.f("pk_arena_pairs")),
    )


def _arena_votes() -> None:
    op.create_table(
        "arena_votes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("arena", sa.Text(), nullable=False),
        sa.Column("battle", sa.Text(), nullable=False),
        sa.Column("voter", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), server_default="", nullable=False),
        sa.Column("left_model", sa.Text(), nullable=False),
        sa.Column("right_model", sa.Text(), nullable=False),
        sa.Column("left_answer", sa.Text(), nullable=False),
        sa.Column("right_answer", sa.Text(), nullable=False),
        sa.Column("winner", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("style", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_arena_votes")),
    )
    op.create_index(op.f("ix_arena_votes_tenant_arena_at"), "arena_votes", ["tenant", "arena", "at"])
    op.create_index(op.f("ix_arena_votes_tenant_arena_voter_at"), "arena_votes", ["tenant", "arena", "voter", "at"])
    op.create_index(op.f("ix_arena_votes_tenant_battle"), "arena_votes", ["tenant", "battle"])


def _arenas() -> None:
    op.create_table(
        "arenas",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_arenas")),
    )
