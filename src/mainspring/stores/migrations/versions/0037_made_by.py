"""What a key made is found by it."""

from __future__ import annotations

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.create_index(op.f("ix_keys_tenant_parent"), "keys", ["tenant", "parent"])
