"""The audit chain, erasures, whom answers were for, and the consent of keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("action", "actor", "object", "trace_id", "details")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("previous", "hash", "key_id", "seal")),
        sa.PrimaryKeyConstraint("tenant", "seq", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_tenant_at_us"), "audit", ["tenant", "at_us"])
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("trimmed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("trimmed_hash", sa.Text(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("seal", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "erasures",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("kind", "subject", "digest", "state", "actor")),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Double(), nullable=False),
        sa.Column("done_at", sa.Double(), nullable=True),
        sa.Column("receipt", sa.Text(), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_erasures")),
    )
    op.create_index(op.f("ix_erasures_state_requested_at"), "erasures", ["state", "requested_at"])
    op.add_column("events", sa.Column("person", sa.Text(), server_default="", nullable=False))
    named = sa.text("person != ''")
    op.create_index("ix_events_person", "events", ["tenant", "person"], sqlite_where=named, postgresql_where=named)
    op.add_column("keys", sa.Column("consent", sa.Boolean(), server_default=sa.false(), nullable=False))
    # Answers of before say whom they were for in their facts alone.
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        told, bare = "(facts::jsonb ->> 'user')", "facts::jsonb ? 'user'"
    else:
        told, bare = "json_extract(facts, '$.user')", "json_extract(facts, '$.user') IS NOT NULL"
    op.execute(f"UPDATE events SET person = {told} WHERE kind = 'answer' AND {bare}")  # noqa: S608
