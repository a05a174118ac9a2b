"""Facts about persons, their consent, and marks of what they had forgotten."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key (see ``Principal.person``), ``person`` the user that the key's application names
# (empty: the owner). ``groups`` are those that the owner had. ``session_id`` is not empty for what is remembered in one
# session only. ``slot`` names what can have one value only ("home"). A superseded fact is the history of the one that
# it names. ``vector`` is a float16 array by ``embedder``.
memories = sa.Table(
    "memories",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    text("person"),
    json("groups", "[]"),
    optional("session_id"),
    text("kind"),
    optional("slot"),
    text("text"),
    text("origin"),
    optional("answer_id"),
    time("at"),
    time("created_at"),
    time("updated_at"),
    time("expires_at", nullable=True),
    optional("superseded_by"),
    time("superseded_at", nullable=True),
    count("uses"),
    optional("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=True),
    sa.Index(None, "tenant", "owner", "person"),
    sa.Index(None, "tenant", "answer_id"),
    sa.Index(None, "expires_at"),
)

# ``consent`` is ``granted`` or ``refused``. ``salt`` belongs to the digests of this person's forgotten facts.
memory_people = sa.Table(
    "memory_people",
    metadata,
    key("tenant"),
    key("owner"),
    key("person"),
    text("consent"),
    text("salt"),
    time("changed_at"),
)

memory_forgotten = sa.Table(
    "memory_forgotten",
    metadata,
    key("tenant"),
    key("owner"),
    key("person"),
    key("digest"),
    time("at"),
)
