"""Groups of files, metadata of collections, names that are unique within a set of groups, and indexes of lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("files", sa.Column("groups", sa.Text(), server_default="[]", nullable=False))
    with op.batch_alter_table("collections") as table:
        table.add_column(sa.Column("metadata", sa.Text(), server_default="{}", nullable=False))
        table.add_column(sa.Column("description", sa.Text(), server_default="", nullable=False))
        table.drop_constraint(op.f("uq_collections_tenant_name"), type_="unique")
        table.create_unique_constraint(op.f("uq_collections_tenant_name_groups"), ["tenant", "name", "groups"])
    op.create_index(op.f("ix_documents_tenant_file_id"), "documents", ["tenant", "file_id"], unique=False)
    op.create_index(op.f("ix_events_tenant_at_id"), "events", ["tenant", "at", "id"], unique=False)
