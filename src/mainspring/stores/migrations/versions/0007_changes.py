"""At which version of its collection a document last changed, so that only what changed is read again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("documents", sa.Column("changed", sa.BigInteger, server_default="0", nullable=False))
    op.add_column("collections", sa.Column("removed", sa.BigInteger, server_default="0", nullable=False))
    op.create_index("ix_documents_tenant_collection_id_changed", "documents", ["tenant", "collection_id", "changed"])
