"""What came of suggestions, and persons who agreed that their own phrases are learnt."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, key, metadata, optional, text, time

# One row for each answer that had suggestions; no text of it. ``mail`` is a digest of the session's name. ``outcome``
# is empty, ``accepted``, ``dismissed`` or ``typed``; ``saved`` are characters that were not typed.
compose_shown = sa.Table(
    "compose_shown",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    optional("person"),
    optional("mail"),
    time("at"),
    count("characters"),
    sa.Column("confidence", sa.Double, nullable=False),
    optional("outcome"),
    count("saved"),
    time("told_at", nullable=True),
    sa.Index(None, "tenant", "at"),
    sa.Index(None, "tenant", "owner", "person"),
    sa.Index(None, "at"),
)

# ``consent`` is ``granted`` or ``refused``.
compose_people = sa.Table(
    "compose_people",
    metadata,
    key("tenant"),
    key("owner"),
    key("person"),
    text("consent"),
    time("changed_at"),
)

# What persons who agreed wrote, without personal data of the kinds that detectors find.
compose_texts = sa.Table(
    "compose_texts",
    metadata,
    key("tenant"),
    key("owner"),
    key("person"),
    key("digest"),
    text("text"),
    time("at"),
)
