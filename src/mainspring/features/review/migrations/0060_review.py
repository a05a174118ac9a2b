"""Review queues, their items, and labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    op.create_table(
        "review_queues",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("seen", sa.Text(), server_default="{}", nullable=False),
        sa.Column("entered", sa.Text(), server_default="{}", nullable=False),
        sa.Column("dropped", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_review_queues")),
        sa.UniqueConstraint("tenant", "name", name=op.f("uq_review_queues_tenant_name")),
    )
    op.create_table(
        "review_versions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("definition", sa.Text(), server_default="{}", nullable=False),
        sa.Column("guideline", sa.Text(), server_default="", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "queue_id", "version", name=op.f("pk_review_versions")),
    )
    _items()
    _labels()


def _items() -> None:
    op.create_table(
        "review_items",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("stratum", sa.Text(), nullable=False),
        sa.Column("probability", sa.Double(), nullable=True),
        sa.Column("turn", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("needs", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("given", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), server_default="{}", nullable=False),
        sa.Column("answered_at", sa.Double(), nullable=False),
        sa.Column("added_at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("delivered_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_review_items")),
        sa.UniqueConstraint("tenant", "queue_id", "answer_id", name=op.f("uq_review_items_tenant_queue_id_answer_id")),
    )
    where = ["tenant", "queue_id", "state", "turn"]
    op.create_index(op.f("ix_review_items_tenant_queue_id_state_turn"), "review_items", where)
    op.create_index(op.f("ix_review_items_tenant_answer_id"), "review_items", ["tenant", "answer_id"])


def _labels() -> None:
    op.create_table(
        "review_labels",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("queue_id", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.Double(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("scores", sa.Text(), server_default="{}", nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=True),
        sa.Column("errors", sa.Text(), server_default="[]", nullable=False),
        sa.Column("edited", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("adjudicated", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=True),
        sa.Column("event_id", sa.Text(), server_default="", nullable=False),
        sa.Column("taken_at", sa.Double(), nullable=False),
        sa.Column("given_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_review_labels")),
        sa.UniqueConstraint("tenant", "item_id", "by", name=op.f("uq_review_labels_tenant_item_id_by")),
    )
    op.create_index(op.f("ix_review_labels_tenant_queue_id_state"), "review_labels", ["tenant", "queue_id", "state"])
    op.create_index(op.f("ix_review_labels_tenant_by_state"), "review_labels", ["tenant", "by", "state"])
    op.create_index(op.f("ix_review_labels_tenant_answer_id"), "review_labels", ["tenant", "answer_id"])
