"""Responses in the background, from their acceptance to their end. Their texts are with the answers."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import key, metadata, optional, text, time

# ``id`` is the answer's. ``beat_at`` is when the process that makes it last said so. ``code`` is that of a failure.
background_responses = sa.Table(
    "background_responses",
    metadata,
    key("tenant"),
    key("id"),
    text("key_id"),
    text("model"),
    text("status"),
    optional("code"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    time("created_at"),
    time("beat_at"),
    sa.Index(None, "tenant", "status"),
)
