"""What was approved of the tools of other servers, and what waits for a person."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import key, metadata, optional, time

# ``approved`` is the digest of what a person (or the first connection) approved, empty: nothing. ``waiting`` is the
# digest of what the server says now, if that is another one (empty: it waits for nobody), with its ``description``.
mcp_tools = sa.Table(
    "mcp_tools",
    metadata,
    key("server"),
    key("tool"),
    optional("approved"),
    optional("waiting"),
    optional("description"),
    time("at"),
)
