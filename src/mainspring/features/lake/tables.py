"""The manifest of the lake's files."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.features.lake.exports.tables import (
    lake_export_answers,
    lake_export_copies,
    lake_export_files,
    lake_exports,
)
from mainspring.features.lake.features_table.tables import (
    lake_feature_changes,
    lake_feature_rows,
    lake_feature_vectors,
)
from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# A file counts for readers from the commit that adds its row until the one that makes it ``dead``. The row of a dead
# file stays until the file is removed.
lake_files = sa.Table(
    "lake_files",
    metadata,
    key("tenant"),
    key("id"),
    # raw, clean, ready or dropped.
    text("zone"),
    # Of the raw zone: the kind of the events. Of the ready zone: the build.
    optional("kind"),
    text("date"),
    # Those whose questions are in it: readers need all of these.
    json("groups", "[]"),
    # Empty: the folder ``lake`` of the home.
    optional("root"),
    text("path"),
    count("rows"),
    count("bytes"),
    time("first_at"),
    time("last_at"),
    time("created_at"),
    sa.Column("dead", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "tenant", "zone", "kind", "date"),
)

# Builds of the ready zone. ``report`` is the funnel; it names answers and has no text.
lake_builds = sa.Table(
    "lake_builds",
    metadata,
    key("tenant"),
    key("id"),
    text("state"),
    json("options", "{}"),
    json("report", "{}"),
    optional("error"),
    time("created_at"),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "created_at"),
)

# Events (``what``: event) that have no row of the raw zone, and answers without an interaction, since something of them
# cannot be read. ``error`` is a word of ours.
lake_set_aside = sa.Table(
    "lake_set_aside",
    metadata,
    key("tenant"),
    key("what"),
    key("id"),
    optional("error"),
    count("tries"),
    time("since"),
    time("retry_at"),
    sa.Index(None, "retry_at"),
)

__all__ = (
    "lake_builds",
    "lake_export_answers",
    "lake_export_copies",
    "lake_export_files",
    "lake_exports",
    "lake_feature_changes",
    "lake_feature_rows",
    "lake_feature_vectors",
    "lake_files",
    "lake_set_aside",
)
