"""Prompts: their names, their versions, and where their labels pointed when."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, key, metadata, optional, text, time

# ``latest`` is the highest number that a version ever had: numbers are given once.
prompts = sa.Table("prompts", metadata, key("tenant"), key("name"), time("created_at"), count("latest"))

# A version is never changed. A deleted version keeps its row without text, so that records that name it stay clear.
prompt_versions = sa.Table(
    "prompt_versions",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    text("messages"),
    text("variables"),
    text("sha256"),
    optional("note"),
    optional("author"),
    time("created_at"),
    time("deleted_at", nullable=True),
)

# Every move of a label; the one with the highest revision is where it points (no version: nowhere).
prompt_moves = sa.Table(
    "prompt_moves",
    metadata,
    key("tenant"),
    key("name"),
    key("label"),
    sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
    text("kind"),
    sa.Column("version", sa.BigInteger, nullable=True),
    optional("note"),
    optional("author"),
    time("at"),
)
