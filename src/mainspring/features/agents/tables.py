"""Agents that are made over HTTP."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# The newest version of a name is served. ``owner`` is the identity of the key that wrote it, ``groups`` are that key's.
agent_versions = sa.Table(
    "agent_versions",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    json("definition", "{}"),
    optional("note"),
    text("owner"),
    json("groups", "[]"),
    time("created_at"),
)
