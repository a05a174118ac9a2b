"""Channels of the desk: conversations, what came in, and what waits to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0057"
down_revision = "0056"


def upgrade() -> None:
    op.create_table(
        "desk_threads",
        *_texts("tenant", "session_id", "channel", "person"),
        _text("address", "{}"),
        _time("updated_at"),
        sa.PrimaryKeyConstraint("tenant", "session_id", name=op.f("pk_desk_threads")),
    )
    op.create_index(op.f("ix_desk_threads_tenant_channel_person"), "desk_threads", ["tenant", "channel", "person"])
    op.create_table(
        "desk_inbound",
        *_texts("tenant", "channel", "external_id", "session_id"),
        _text("text", ""),
        *_texts("state", "answer_id", "trace_id"),
        _count("attempts"),
        _time("next_at"),
        _time("at"),
        sa.PrimaryKeyConstraint("tenant", "channel", "external_id", name=op.f("pk_desk_inbound")),
    )
    op.create_index(op.f("ix_desk_inbound_state_next_at"), "desk_inbound", ["state", "next_at"])
    op.create_index(op.f("ix_desk_inbound_tenant_session_id"), "desk_inbound", ["tenant", "session_id"])
    op.create_index(op.f("ix_desk_inbound_at"), "desk_inbound", ["at"])
    op.create_table(
        "desk_outbound",
        *_texts("tenant", "id", "channel", "session_id", "text"),
        _count("automatic"),
        _count("attempts"),
        _time("next_at"),
        _time("at"),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_desk_outbound")),
    )
    op.create_index(op.f("ix_desk_outbound_next_at"), "desk_outbound", ["next_at"])
    op.create_index(op.f("ix_desk_outbound_tenant_session_id"), "desk_outbound", ["tenant", "session_id"])
    op.create_table(
        "desk_mails",
        *_texts("tenant", "message_id", "session_id"),
        _time("at"),
        sa.PrimaryKeyConstraint("tenant", "message_id", name=op.f("pk_desk_mails")),
    )
    op.create_index(op.f("ix_desk_mails_tenant_session_id"), "desk_mails", ["tenant", "session_id"])


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names]


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)


def _time(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)
