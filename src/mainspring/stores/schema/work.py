"""Work that outlives the process that began it: jobs and batches."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# Work that outlives the process that began it. The holder of the lease works on the row until ``lease_until``.
jobs = sa.Table(
    "jobs",
    metadata,
    key("tenant"),
    key("id"),
    text("kind"),
    text("state"),
    sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("0")),
    json("payload", "{}"),
    optional("owner"),
    time("lease_until", nullable=True),
    count("attempts"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    optional("error"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "kind", "state", "priority", "created_at"),
)

# Many requests in one file: OpenAI's batches. ``scopes`` and ``groups`` are those of the key at its creation.
batches = sa.Table(
    "batches",
    metadata,
    key("tenant"),
    key("id"),
    text("key_id"),
    text("scopes"),
    text("groups"),
    text("endpoint"),
    text("input_file_id"),
    text("completion_window"),
    text("status"),
    json("metadata", "{}"),
    json("errors", "[]"),
    json("times", "{}"),
    count("total"),
    count("completed"),
    count("failed"),
    text("output_file_id", nullable=True),
    text("error_file_id", nullable=True),
    time("created_at"),
    time("expires_at"),
    # Seconds from their making after which the files of answers expire (null: never).
    sa.Column("output_expires_s", sa.BigInteger, nullable=True),
)

# The answered lines of running batches, each stored once.
batch_lines = sa.Table(
    "batch_lines",
    metadata,
    key("tenant"),
    key("batch_id"),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("succeeded", sa.Boolean, nullable=False),
    text("line"),
)

# Answers under an ``Idempotency-Key`` (null: the lease holder is still working), and their tags.
repeats = sa.Table(
    "repeats",
    metadata,
    key("tenant"),
    key("name"),
    text("owner"),
    time("leased_until"),
    sa.Column("value", sa.LargeBinary, nullable=True),
    time("expires_at"),
    sa.Index(None, "expires_at"),
)
repeat_tags = sa.Table("repeat_tags", metadata, key("tenant"), key("tag"), key("name"), sa.Index(None, "tag"))
