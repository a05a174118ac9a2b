"""Tool calls that wait for approval."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import key, metadata, optional, text, time

# ``arguments`` are emptied when the call was handed out, denied, or not decided in time; ``sha256`` stays.
approvals = sa.Table(
    "approvals",
    metadata,
    key("tenant"),
    key("id"),
    text("groups"),
    text("status"),
    text("application"),
    text("tool"),
    text("call_id"),
    text("arguments"),
    text("sha256"),
    text("key_id"),
    text("trace_id"),
    time("created_at"),
    time("expires_at"),
    time("decided_at", nullable=True),
    optional("decided_by"),
    optional("note"),
    sa.Index(None, "tenant", "status", "expires_at"),
    sa.Index(None, "tenant", "trace_id"),
)
