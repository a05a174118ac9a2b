"""Exports, their files, the answers in them, and the copies that were handed out."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import blob, count, json, key, metadata, optional, text, time

# ``asked`` is the order, ``groups`` are those of the key that asked: readers need all of them. ``kept`` false: the
# files are deleted, and the row tells what was handed out. ``erasures`` are receipts.
lake_exports = sa.Table(
    "lake_exports",
    metadata,
    key("tenant"),
    key("id"),
    text("kind"),
    text("format"),
    text("name"),
    text("owner"),
    text("key_id"),
    json("groups", "[]"),
    json("asked", "{}"),
    text("status"),
    json("manifest", "{}"),
    json("erasures", "[]"),
    optional("error"),
    count("rows"),
    sa.Column("kept", sa.Boolean, nullable=False, server_default=sa.true()),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "status"),
)

lake_export_files = sa.Table(
    "lake_export_files",
    metadata,
    key("tenant"),
    key("export_id"),
    key("name"),
    blob("sha256"),
    count("bytes"),
)

# From an answer to the exports that it is in.
lake_export_answers = sa.Table(
    "lake_export_answers",
    metadata,
    key("tenant"),
    key("answer_id"),
    key("export_id"),
    sa.Index(None, "tenant", "export_id"),
)

# Files that left: each version of a file once, with the first key that took it.
lake_export_copies = sa.Table(
    "lake_export_copies",
    metadata,
    key("tenant"),
    key("export_id"),
    key("sha256"),
    text("name"),
    text("key_id"),
    time("at"),
)
