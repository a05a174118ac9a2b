"""Jobs of training and the versions that they make."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0072"
down_revision = "0071"


def upgrade() -> None:
    _jobs()
    _versions()
    op.create_table(
        "training_events",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "job", "id", name=op.f("pk_training_events")),
    )
    op.create_table(
        "training_sources",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "job", name=op.f("pk_training_sources")),
    )
    op.create_index(op.f("ix_training_sources_tenant_job"), "training_sources", ["tenant", "job"])


def _jobs() -> None:
    op.create_table(
        "training_jobs",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("tenant", "id", "recipe", "name")),
        sa.Column("base", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), server_default="", nullable=False),
        sa.Column("asked", sa.Text(), server_default="{}", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("metadata", sa.Text(), server_default="{}", nullable=False),
        sa.Column("error", sa.Text(), server_default="null", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("seconds", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("deaths", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        sa.Column("started_at", sa.Double(), nullable=True),
        sa.Column("ended_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_training_jobs")),
    )
    op.create_index(op.f("ix_training_jobs_tenant_state"), "training_jobs", ["tenant", "state"])
    op.create_index(op.f("ix_training_jobs_tenant_digest"), "training_jobs", ["tenant", "digest"])
    op.create_index(op.f("ix_training_jobs_state"), "training_jobs", ["state"])


def _versions() -> None:
    op.create_table(
        "training_versions",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("state", "makes", "recipe", "job")),
        sa.Column("export", sa.Text(), server_default="", nullable=False),
        sa.Column("base", sa.Text(), server_default="", nullable=False),
        sa.Column("made", sa.Text(), server_default="{}", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.Column("asked", sa.Text(), server_default="{}", nullable=False),
        sa.Column("groups", sa.Text(), server_default="[]", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("stale", sa.Text(), server_default="", nullable=False),
        sa.Column("served", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("stale_at", sa.Double(), nullable=True),
        sa.Column("withdrawn_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "name", "number", name=op.f("pk_training_versions")),
    )
    op.create_index(op.f("ix_training_versions_tenant_job"), "training_versions", ["tenant", "job"])
    op.create_index(op.f("ix_training_versions_tenant_export"), "training_versions", ["tenant", "export"])
    op.create_index(op.f("ix_training_versions_served"), "training_versions", ["served"])
