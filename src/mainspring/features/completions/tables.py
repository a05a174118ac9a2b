"""Which answers are stored completions. Their texts are those of the answers' events."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, text, time

stored_completions = sa.Table(
    "stored_completions",
    metadata,
    key("tenant"),
    key("id"),
    text("key_id"),
    text("model"),
    time("at"),
    json("metadata", "{}"),
    sa.Index(None, "tenant", "key_id", "id"),
)
