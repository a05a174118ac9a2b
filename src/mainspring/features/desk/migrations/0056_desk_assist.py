"""What assists the people of the desk: summaries, hints and suggested answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"


def upgrade() -> None:
    op.create_table(
        "desk_assists",
        _text("tenant"),
        _text("case_id"),
        _text("basis", ""),
        _text("summary", ""),
        _text("method", ""),
        _text("hints", "[]"),
        _text("facts", "[]"),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "case_id", name=op.f("pk_desk_assists")),
    )
    op.create_table(
        "desk_suggestions",
        _text("tenant"),
        _text("id"),
        _text("case_id"),
        _text("basis", ""),
        _text("text"),
        _text("source"),
        _text("citations", "[]"),
        _text("decision", ""),
        _text("sent", ""),
        _text("decided_by", ""),
        sa.Column("made_at", sa.Double(), nullable=False),
        sa.Column("decided_at", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_desk_suggestions")),
    )
    op.create_index(op.f("ix_desk_suggestions_tenant_case_id"), "desk_suggestions", ["tenant", "case_id"])


def _text(name: str, default: str | None = None) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)
