"""Artifacts of agents."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import key, metadata, text, time

# ``owner`` is the identity of the key that made it (see ``Principal.person``), ``once`` a digest of the idempotency key
# of the call that did.
artifacts = sa.Table(
    "artifacts",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    text("once"),
    text("name"),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    time("created_at"),
    sa.Index(None, "tenant", "owner", "created_at"),
    sa.Index(None, "tenant", "owner", "once", unique=True),
)
