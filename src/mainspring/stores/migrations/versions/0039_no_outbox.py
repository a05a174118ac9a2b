"""No index of events that are not published: nothing published them, so that it held every event."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.drop_index("ix_events_unpublished", "events")
