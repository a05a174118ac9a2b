"""Experiments and their results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    _experiments()
    _experiment_results()
    _experiment_sources()


def _experiments() -> None:
    op.create_table(
        "experiments",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data_set", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), server_default="{}", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("total", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), server_default="null", nullable=False),
        sa.Column("metadata", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_experiments")),
    )
    op.create_index(op.f("ix_experiments_tenant_kind_id"), "experiments", ["tenant", "kind", "id"])
    op.create_index(op.f("ix_experiments_tenant_parent"), "experiments", ["tenant", "parent"])
    op.create_index(op.f("ix_experiments_tenant_state"), "experiments", ["tenant", "state"])


def _experiment_results() -> None:
    op.create_table(
        "experiment_results",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("responder", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.Column("cluster", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", sa.Text(), server_default="{}", nullable=False),
        sa.Column("reuse", sa.Text(), server_default="", nullable=False),
        sa.Column("body", sa.Text(), server_default="{}", nullable=False),
        sa.Column("scores", sa.Text(), server_default="{}", nullable=False),
        sa.Column("reasons", sa.Text(), server_default="{}", nullable=False),
        sa.Column("person", sa.Text(), server_default="", nullable=False),
        sa.Column("answer_id", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "experiment", "responder", "place", name=op.f("pk_experiment_results")),
    )
    op.create_index(op.f("ix_experiment_results_tenant_answer_id"), "experiment_results", ["tenant", "answer_id"])
    op.create_index(op.f("ix_experiment_results_tenant_person"), "experiment_results", ["tenant", "person"])
    op.create_index(op.f("ix_experiment_results_tenant_reuse"), "experiment_results", ["tenant", "reuse"])


def _experiment_sources() -> None:
    op.create_table(
        "experiment_sources",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("experiment", sa.Text(), nullable=False),
        sa.Column("example_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "experiment", "example_id", name=op.f("pk_experiment_sources")),
    )
