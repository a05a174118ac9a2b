"""Attributes and access lists of documents, the sources that they come from, and chunks to forget."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name, default in (
        ("attributes", "{}"),
        ("groups", "[]"),
        ("read_groups", "[]"),
        ("source_id", ""),
        ("mark", ""),
        ("recipe", ""),
    ):
        op.add_column("documents", sa.Column(name, sa.Text(), nullable=False, server_default=default))
    op.add_column("documents", sa.Column("modified_at", sa.Double(), nullable=True))
    op.create_table(
        "sources",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("synced_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "collection_id", "id", name=op.f("pk_sources")),
        sa.UniqueConstraint(
            "tenant",
            "collection_id",
            "kind",
            "location",
            name=op.f("uq_sources_tenant_collection_id_kind_location"),
        ),
    )
    op.create_table(
        "stale_chunks",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("below", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "collection_id", "document_id", "below", name=op.f("pk_stale_chunks")),
    )
