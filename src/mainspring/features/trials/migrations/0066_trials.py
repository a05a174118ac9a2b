"""Online experiments: trials, units of traffic, and the answers of those."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    _trial_answers()
    _trial_units()
    _trials()


def _trial_answers() -> None:
    op.create_table(
        "trial_answers",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "trial", "answer", name=op.f("pk_trial_answers")),
    )
    op.create_index(op.f("ix_trial_answers_at"), "trial_answers", ["at"])
    op.create_index(op.f("ix_trial_answers_tenant_answer"), "trial_answers", ["tenant", "answer"])


def _trial_units() -> None:
    op.create_table(
        "trial_units",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("trial", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("arm", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("answers", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("measured", sa.Text(), server_default="[]", nullable=False),
        sa.Column("moved", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "trial", "id", name=op.f("pk_trial_units")),
    )
    op.create_index(op.f("ix_trial_units_tenant_trial_position"), "trial_units", ["tenant", "trial", "position"])


def _trials() -> None:
    op.create_table(
        "trials",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", sa.Text(), server_default="{}", nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("weights", sa.Text(), server_default="{}", nullable=False),
        sa.Column("sticky", sa.Text(), nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("weighed_from", sa.BigInteger(), nullable=False),
        sa.Column("winner", sa.Text(), server_default="", nullable=False),
        sa.Column("dropped", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name", name=op.f("pk_trials")),
    )
    op.create_index(op.f("ix_trials_status"), "trials", ["status"])
