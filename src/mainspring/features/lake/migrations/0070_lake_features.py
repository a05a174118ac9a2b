"""The feature table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0069"


def upgrade() -> None:
    op.create_table(
        "lake_feature_changes",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "entity", "id", "event_id", "name", name=op.f("pk_lake_feature_changes")),
    )
    for columns in (["tenant", "entity", "id", "at"], ["tenant", "answer_id"]):
        name = f"ix_lake_feature_changes_{'_'.join(columns)}"
        op.create_index(op.f(name), "lake_feature_changes", columns)
    op.create_table(
        "lake_feature_vectors",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("answer_id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("embedder", sa.Text(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", "answer_id", name=op.f("pk_lake_feature_vectors")),
    )
    op.create_index(op.f("ix_lake_feature_vectors_tenant_answer_id"), "lake_feature_vectors", ["tenant", "answer_id"])
    op.create_table(
        "lake_feature_rows",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("entity", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("features", sa.Text(), server_default="{}", nullable=False),
        sa.Column("embedder", sa.Text(), server_default="", nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=True),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "entity", "id", name=op.f("pk_lake_feature_rows")),
    )
