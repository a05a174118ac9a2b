"""What keys are limited to, and credentials of providers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0014"


def upgrade() -> None:
    for name in ("models", "collections", "regions"):
        op.add_column("keys", sa.Column(name, sa.Text(), nullable=False, server_default="[]"))
    op.create_table(
        "credentials",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "key_id", "wrapped", "secret")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("created_at", "updated_at")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_credentials")),
    )
