"""Conversations and their items."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that made it (see ``Principal.person``), ``groups`` are that key's.
conversations = sa.Table(
    "conversations",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    json("metadata", "{}"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "owner"),
    sa.Index(None, "updated_at"),
)

# ``body`` is the item as a client reads it. ``answer_id`` is the answer that it came with (empty: a client added it).
conversation_items = sa.Table(
    "conversation_items",
    metadata,
    key("tenant"),
    key("conversation_id"),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    text("id"),
    optional("answer_id"),
    json("body", "{}"),
    time("at"),
    sa.Index(None, "tenant", "answer_id"),
    sa.Index(None, "tenant", "conversation_id", "id"),
)
