"""Files that come in parts, and the parts that are there."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import blob, count, key, metadata, text, time

uploads = sa.Table(
    "uploads",
    metadata,
    key("tenant"),
    key("id"),
    text("key_id"),
    text("groups"),
    text("filename"),
    text("purpose"),
    count("bytes"),
    text("status"),
    time("created_at"),
    time("expires_at"),
    # Seconds after which the resulting file expires (null: never), and the file once it is made.
    sa.Column("file_expires_s", sa.BigInteger, nullable=True),
    text("file_id", nullable=True),
    sa.Index(None, "expires_at"),
)

upload_parts = sa.Table(
    "upload_parts",
    metadata,
    key("tenant"),
    key("upload_id"),
    key("id"),
    blob("sha256"),
    count("bytes"),
    time("created_at"),
    sa.Index(None, "sha256"),
)
