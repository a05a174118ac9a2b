"""Trials, their units of traffic, and the answers of those that may still get outcomes."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``definition`` is a ``Trial``'s. ``status`` is ``running`` or ``ended``. ``weights`` are those of its arms in the
# tenant's traffic, ``weighed_from`` is the position of events since when; ``sticky`` is the route's.
trials = sa.Table(
    "trials",
    metadata,
    key("tenant"),
    key("name"),
    json("definition", "{}"),
    text("route"),
    text("status"),
    json("weights", "{}"),
    text("sticky"),
    sa.Column("began", sa.BigInteger, nullable=False),
    sa.Column("weighed_from", sa.BigInteger, nullable=False),
    optional("winner"),
    json("dropped", "{}"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "status"),
)

# ``id`` is a digest of the session's or the user's name, or of the answer's id. ``position`` is that of its first
# answer. ``measured`` are [sum, count] of each measure, in the definition's order. ``moved``: it was seen in two arms.
trial_units = sa.Table(
    "trial_units",
    metadata,
    key("tenant"),
    key("trial"),
    key("id"),
    sa.Column("position", sa.BigInteger, nullable=False),
    text("arm"),
    time("at"),
    count("answers"),
    json("measured", "[]"),
    sa.Column("moved", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "tenant", "trial", "position"),
)

# Answers of units whose window is open.
trial_answers = sa.Table(
    "trial_answers",
    metadata,
    key("tenant"),
    key("trial"),
    key("answer"),
    text("unit"),
    time("at"),
    sa.Index(None, "tenant", "answer"),
    sa.Index(None, "at"),
)
