"""Arenas, their battles without a vote, votes, and the voters that were excluded.

No table holds a text: questions and answers stay with the events of the answers.
"""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``definition`` is an ``Arena``'s.
arenas = sa.Table(
    "arenas",
    metadata,
    key("tenant"),
    key("name"),
    json("definition", "{}"),
    time("created_at"),
    time("updated_at"),
)

# ``question`` is the digest of what was asked. ``style`` is by how much the left answer has more of each quality.
# ``complete``: both models answered.
arena_battles = sa.Table(
    "arena_battles",
    metadata,
    key("tenant"),
    key("id"),
    text("arena"),
    text("voter"),
    time("at"),
    text("question"),
    optional("category"),
    text("left_model"),
    text("right_model"),
    optional("left_answer"),
    optional("right_answer"),
    optional("left_trace"),
    count("left_tokens"),
    count("right_tokens"),
    json("style", "{}"),
    sa.Column("complete", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "tenant", "arena", "voter"),
)

# ``id`` is made of the arena, the voter, the question and the two models: a second vote on the same is none.
# ``score`` is 1 if the left answer won, 0 if the right one did, .5 for neither.
arena_votes = sa.Table(
    "arena_votes",
    metadata,
    key("tenant"),
    key("id"),
    text("arena"),
    text("battle"),
    text("voter"),
    time("at"),
    text("question"),
    optional("category"),
    text("left_model"),
    text("right_model"),
    text("left_answer"),
    text("right_answer"),
    text("winner"),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("seconds", sa.Double, nullable=False),
    json("style", "{}"),
    sa.Index(None, "tenant", "arena", "at"),
    sa.Index(None, "tenant", "arena", "voter", "at"),
    sa.Index(None, "tenant", "battle"),
)

# How often two models met on these sides: what the choice of the next pair rests on. Erasure of votes leaves it.
arena_pairs = sa.Table(
    "arena_pairs",
    metadata,
    key("tenant"),
    key("arena"),
    key("left_model"),
    key("right_model"),
    count("shown"),
    count("votes"),
    sa.Column("points", sa.Double, nullable=False, server_default="0"),
)

arena_excluded = sa.Table(
    "arena_excluded",
    metadata,
    key("tenant"),
    key("arena"),
    key("voter"),
    text("reason"),
    text("excluded_by"),
    time("at"),
)
