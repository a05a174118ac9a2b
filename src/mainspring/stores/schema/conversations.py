"""Sessions, their turns, and derived data."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, key, metadata, optional, text, time

turns = sa.Table(
    "turns",
    metadata,
    key("tenant"),
    key("session_id"),
    key("id"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    time("at"),
    text("trace_id"),
    text("role"),
    text("content_id"),
    text("extra"),
    sa.Index(None, "tenant", "trace_id"),
    sa.Index(None, "tenant", "content_id"),
)

# Conversations. ``session_id`` is the stored name (see ``serving.memory.layer.stored_name``), ``name`` the callers'
# name for it, ``title`` a person's, and ``owner`` the digest of its owner. ``revision`` changes when a turn is
# deleted: data derived from earlier turns is then no longer written. ``reserved`` tokens are set aside until
# ``reserved_until``.
sessions = sa.Table(
    "sessions",
    metadata,
    key("tenant"),
    key("session_id"),
    text("owner"),
    text("name"),
    time("created_at"),
    time("updated_at"),
    count("revision"),
    count("spent"),
    count("reserved"),
    time("reserved_until", nullable=True),
    optional("forked_from"),
    optional("title"),
    sa.Index(None, "tenant", "owner", "created_at", "session_id"),
)

# The summary of a session's turns up to and including ``upto``, as the serving room writes it.
session_summaries = sa.Table(
    "session_summaries",
    metadata,
    key("tenant"),
    key("session_id"),
    text("upto"),
    count("turns"),
    text("method"),
    text("notes"),
    time("made_at"),
)

# Embeddings of messages: little-endian float16, one row a message and embedder.
turn_vectors = sa.Table(
    "turn_vectors",
    metadata,
    key("tenant"),
    key("session_id"),
    key("id"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    key("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)
