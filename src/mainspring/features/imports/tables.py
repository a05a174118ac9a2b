"""Imports and how far they are."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that began it, ``groups`` are that key's. ``digest`` is the sha256 of the file.
# ``position`` counts the records that are done. ``errors`` are the first faults of records, without their words.
imports = sa.Table(
    "imports",
    metadata,
    key("tenant"),
    key("id"),
    text("source"),
    optional("name"),
    optional("file_id"),
    optional("digest"),
    text("owner"),
    text("key_id"),
    json("groups", "[]"),
    optional("application"),
    sa.Column("consent", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("delete_file", sa.Boolean, nullable=False, server_default=sa.true()),
    text("status"),
    count("position"),
    count("slices"),
    json("counts", "{}"),
    json("errors", "[]"),
    optional("error"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "status"),
)
