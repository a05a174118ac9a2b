"""What came of suggestions, persons who agreed that their own phrases are learnt, and mails that models learn from."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

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

# Mails as they were sent, without personal data of the kinds that detectors find. ``answer`` is the suggestion by which
# the mail was told, ``mail`` a digest of the session's name (of the answer, if it had none): each mail is kept once.
# ``person`` is the user whom the answer was for. ``consent``: models may learn from it. ``groups``: those that a reader
# of the answer needs, all of them.
compose_sent = sa.Table(
    "compose_sent",
    metadata,
    key("tenant"),
    key("id"),
    text("answer"),
    text("owner"),
    optional("person"),
    text("mail"),
    optional("subject"),
    optional("recipient"),
    text("text"),
    sa.Column("consent", sa.Boolean, nullable=False, server_default=sa.false()),
    json("groups", "[]"),
    time("at"),
    sa.Index(None, "tenant", "mail"),
    sa.Index(None, "tenant", "answer"),
)
