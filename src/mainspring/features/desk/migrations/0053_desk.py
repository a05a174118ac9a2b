"""Cases of the support desk, what is said in them, and the people who work on them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0053"
down_revision = "0052"


def upgrade() -> None:
    op.create_table(
        "desk_cases",
        _text("tenant"),
        _text("id"),
        _count("serial"),
        _text("number"),
        _text("opening"),
        _text("kind"),
        _text("status"),
        _text("queue"),
        _text("topic", ""),
        _count("priority"),
        _text("language", ""),
        _text("subject"),
        _text("reason", ""),
        _text("body", ""),
        _text("customer", ""),
        _text("refs", "{}"),
        _text("owner"),
        _text("groups", "[]"),
        _text("person", ""),
        _text("session_id", ""),
        _text("session", ""),
        _count("attended"),
        _text("agent", ""),
        _text("run_id", ""),
        _text("trace_id", ""),
        _text("channel"),
        _text("address", "{}"),
        _text("assignee", ""),
        _text("assignee_name", ""),
        _text("resolution", ""),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("updated_at", sa.Double(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=True) for name in ("taken_at", "answered_at", "closed_at", "due_at")),
        _count("overdue"),
        _count("version"),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_desk_cases")),
    )
    for columns, unique in (
        (("tenant", "opening"), True),
        (("tenant", "number"), True),
        (("tenant", "status", "queue", "priority", "created_at"), False),
        (("tenant", "session"), False),
        (("tenant", "customer"), False),
        (("tenant", "person"), False),
        (("due_at",), False),
        (("closed_at",), False),
    ):
        op.create_index(op.f(f"ix_desk_cases_{'_'.join(columns)}"), "desk_cases", list(columns), unique=unique)
    _beside()


def _beside() -> None:
    op.create_table(
        "desk_messages",
        _text("tenant"),
        _text("id"),
        _text("case_id"),
        _text("author"),
        _text("by", ""),
        _text("by_name", ""),
        _text("text"),
        _text("trace_id", ""),
        sa.Column("at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_desk_messages")),
    )
    op.create_index(op.f("ix_desk_messages_tenant_case_id"), "desk_messages", ["tenant", "case_id"])
    op.create_table(
        "desk_people",
        _text("tenant"),
        _text("person"),
        _text("name"),
        _text("queues", "[]"),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "person", name=op.f("pk_desk_people")),
    )
    op.create_table(
        "desk_numbers",
        _text("tenant"),
        _count("last"),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_desk_numbers")),
    )


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False)
