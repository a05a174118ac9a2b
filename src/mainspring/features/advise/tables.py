"""Advice."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``spec`` is what was asked for. ``state`` is queued, running, completed, failed or cancelled; ``stage`` is where its
# work stands and ``number`` counts its moves. ``notes`` are what stages left for the next: names, ids and figures, and
# no texts. ``steps`` are its moves, oldest first. ``groups`` are needed to see it, ``owner`` is the identity of the key
# that asked for it.
advice = sa.Table(
    "advice",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    text("data_set"),
    sa.Column("version", sa.BigInteger, nullable=False),
    json("spec", "{}"),
    text("state"),
    text("stage"),
    count("number"),
    json("notes", "{}"),
    json("steps", "[]"),
    optional("error"),
    json("groups", "[]"),
    text("key_id"),
    text("owner"),
    json("report", "null"),
    json("metadata", "{}"),
    time("created_at"),
    time("updated_at"),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "state"),
    sa.Index(None, "tenant", "owner"),
)
