"""The audit chain, and erasures that were asked for."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# One chain a tenant (the empty tenant: acts of the server itself). ``hash`` covers the row and ``previous``, ``seal``
# is the hash under the key ``key_id``. Times are Unix microseconds: whole numbers are written alike everywhere.
audit = sa.Table(
    "audit",
    metadata,
    key("tenant"),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    text("action"),
    text("actor"),
    text("object"),
    text("trace_id"),
    text("details"),
    text("previous"),
    text("hash"),
    text("key_id"),
    text("seal"),
    sa.Index(None, "tenant", "at_us"),
)

# Where each chain ends. Rows up to ``trimmed`` were dropped by the retention of the log, whose last hash is
# ``trimmed_hash``. ``secret`` is the tenant's part of the key.
audit_heads = sa.Table(
    "audit_heads",
    metadata,
    key("tenant"),
    count("seq"),
    text("hash"),
    count("trimmed"),
    text("trimmed_hash"),
    text("secret"),
    optional("seal"),
)

# Requests for erasure. ``subject`` is empty once nothing is left to be done; ``receipt`` never names it.
erasures = sa.Table(
    "erasures",
    metadata,
    key("tenant"),
    key("id"),
    text("kind"),
    text("subject"),
    text("digest"),
    text("state"),
    text("actor"),
    text("trace_id"),
    time("requested_at"),
    time("done_at", nullable=True),
    json("receipt", "{}"),
    sa.Index(None, "state", "requested_at"),
)
