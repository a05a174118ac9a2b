"""Translations as people would have them."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# ``answer`` is the translation that was edited; ``owner`` is the identity of the key, ``person`` the user whom the
# answer was for (empty: nobody was named). ``digest`` is that of the source, to find it again. ``consent``: models may
# learn from it. ``groups``: those that a reader of the translation needs, all of them.
translate_edits = sa.Table(
    "translate_edits",
    metadata,
    key("tenant"),
    key("id"),
    text("answer"),
    text("owner"),
    optional("person"),
    text("source_language"),
    text("target_language"),
    text("digest"),
    text("source"),
    text("translation"),
    text("edit"),
    sa.Column("consent", sa.Boolean, nullable=False, server_default=sa.false()),
    json("groups", "[]"),
    time("at"),
    sa.Index(None, "tenant", "owner", "digest"),
    sa.Index(None, "tenant", "answer"),
)
