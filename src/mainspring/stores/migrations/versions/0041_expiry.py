"""When vector stores, files and batches' answers expire, how a file is cut, and batches of files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.add_column("collections", sa.Column("expires_days", sa.BigInteger(), nullable=True))
    op.add_column("collections", sa.Column("active_at", sa.Double(), nullable=True))
    op.add_column("documents", sa.Column("chunking", sa.Text(), server_default="", nullable=False))
    op.add_column("documents", sa.Column("error_code", sa.Text(), server_default="", nullable=False))
    op.add_column("files", sa.Column("expires_at", sa.Double(), nullable=True))
    op.add_column("batches", sa.Column("output_expires_s", sa.BigInteger(), nullable=True))
    op.create_table(
        "file_batches",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("members", sa.Text(), server_default="[]", nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "collection_id", "id", name=op.f("pk_file_batches")),
    )
