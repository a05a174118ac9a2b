"""Workspaces of source code and their files."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that made it (see ``Principal.person``), ``groups`` are that key's. ``shared``:
# all keys of the tenant in these groups may use it. ``version`` counts changes of files; ``removed`` is its value at
# the latest removal of one.
code_workspaces = sa.Table(
    "code_workspaces",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    json("groups", "[]"),
    text("name"),
    count("shared"),
    count("version"),
    count("removed"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "owner", "name"),
)

# ``sha256`` is that of the file as it was sent; ``text`` has no secrets. ``outline`` are its symbols and imports.
# ``version`` is the workspace's at its last change.
code_files = sa.Table(
    "code_files",
    metadata,
    key("tenant"),
    key("workspace_id"),
    key("path"),
    text("sha256"),
    optional("language"),
    optional("text"),
    json("outline", "{}"),
    count("version"),
    time("updated_at"),
    sa.Index(None, "tenant", "workspace_id", "version"),
)
