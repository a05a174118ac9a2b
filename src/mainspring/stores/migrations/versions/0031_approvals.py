"""Calls of tools that wait for somebody's approval."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "approvals",
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in (
                *("tenant", "id", "groups", "status", "application", "tool", "call_id", "arguments", "sha256"),
                *("key_id", "trace_id"),
            )
        ),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=True),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_approvals")),
    )
    op.create_index(op.f("ix_approvals_tenant_status_expires_at"), "approvals", ["tenant", "status", "expires_at"])
    op.create_index(op.f("ix_approvals_tenant_trace_id"), "approvals", ["tenant", "trace_id"])
