"""Data sets, their versions and rows.

A row belongs to the versions from ``since`` up to but not including ``until`` (null: all later ones), so that a version
costs what it changes.
"""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``newest`` is the number of the latest version, 0: none yet. ``tags`` are names of versions. ``rows`` counts the rows
# of all versions, ``places`` the rows that ever had a place. ``draft`` names the version that is being written, until
# ``draft_until``. A deleted set keeps its name, so that numbers are never given twice. ``kind``: ``evals`` for those of
# OpenAI's evals, which lists leave out.
data_sets = sa.Table(
    "data_sets",
    metadata,
    key("tenant"),
    key("name"),
    optional("kind"),
    optional("description"),
    text("created_by"),
    time("created_at"),
    time("updated_at"),
    count("newest"),
    json("tags", "{}"),
    count("rows"),
    count("places"),
    optional("draft"),
    time("draft_until", nullable=True),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
)

# ``groups`` are needed to read it. ``shares`` are those of its splits, with their seed; {}: it was not split.
data_set_versions = sa.Table(
    "data_set_versions",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("number", sa.BigInteger, primary_key=True),
    time("created_at"),
    text("created_by"),
    optional("note"),
    count("examples"),
    count("added"),
    count("changed"),
    count("removed"),
    count("erased"),
    text("fingerprint"),
    json("groups", "[]"),
    json("shares", "{}"),
)

# ``body`` is the example as JSON, ``digest`` its sha256, ``place`` its order in the set. ``signature`` are the minimum
# hashes of its words, which find near-duplicates.
data_set_rows = sa.Table(
    "data_set_rows",
    metadata,
    key("tenant"),
    key("name"),
    key("id"),
    sa.Column("since", sa.BigInteger, primary_key=True),
    sa.Column("until", sa.BigInteger, nullable=True),
    count("place"),
    text("digest"),
    text("body"),
    optional("person"),
    optional("trace_id"),
    optional("cluster"),
    optional("split"),
    sa.Column("signature", sa.LargeBinary, nullable=True),
    sa.Index(None, "tenant", "name", "place"),
    sa.Index(None, "tenant", "person"),
    sa.Index(None, "tenant", "trace_id"),
)

# The events, documents and collections that rows were made of.
data_set_sources = sa.Table(
    "data_set_sources",
    metadata,
    key("tenant"),
    key("source"),
    key("name"),
    key("id"),
    sa.Index(None, "tenant", "name", "id"),
)
