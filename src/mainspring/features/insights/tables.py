"""Turns of customers, their conversations and topics, and entries of the FAQ.

Each row is in a ``space``: the digest of the groups that its asker had, which are in ``groups``. Topics are formed
within a space, so that none repeats what its readers may not see.
"""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``id`` is the answer's, ``conversation`` that of the row of ``insight_conversations``. The text stays with the event.
# ``vector`` is a float16 array by ``embedder``; null: the turn says too little for a topic. ``sentiment`` is in
# [-1, 1]. ``unsupported`` is the share of its answer's sentences. ``rating`` is ``up`` or ``down``.
insight_turns = sa.Table(
    "insight_turns",
    metadata,
    key("tenant"),
    key("id"),
    text("space"),
    json("groups", "[]"),
    text("conversation"),
    text("application"),
    time("at"),
    text("trace_id"),
    text("content_id"),
    optional("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=True),
    optional("topic"),
    sa.Column("sentiment", sa.Double, nullable=True),
    optional("status"),
    sa.Column("refused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("grounded", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("unsupported", sa.Double, nullable=True),
    optional("rating"),
    sa.Column("thanks", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("asks_back", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("escalated", sa.Boolean, nullable=False, server_default=sa.false()),
    count("tools_ok"),
    count("tools_failed"),
    sa.Index(None, "tenant", "conversation"),
    sa.Index(None, "tenant", "at"),
    sa.Index(None, "tenant", "topic"),
    sa.Index(None, "tenant", "trace_id"),
)

# ``id`` is made of the name of a session, or of the first answer's id. ``person`` is a digest of the user's name
# (empty: unknown). ``outcome`` is ``open``, ``resolved``, ``escalated``, ``abandoned`` or ``refused``; ``why`` is the
# rule. ``sentiment`` is the mean, ``course`` the last turn's minus the first one's. ``stale``: to be judged again.
insight_conversations = sa.Table(
    "insight_conversations",
    metadata,
    key("tenant"),
    key("id"),
    text("space"),
    json("groups", "[]"),
    optional("session_id"),
    text("application"),
    optional("person"),
    time("started_at"),
    time("ended_at"),
    count("turns"),
    optional("topic"),
    sa.Column("sentiment", sa.Double, nullable=True),
    sa.Column("course", sa.Double, nullable=True),
    text("outcome"),
    optional("why"),
    sa.Column("stale", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Index(None, "tenant", "started_at"),
    sa.Index(None, "tenant", "topic"),
    sa.Index(None, "tenant", "person"),
    sa.Index(None, "stale"),
)

# ``words`` are the most telling ones. ``named_by`` is ``words``, ``person`` or ``settings``. ``merged_into``
# names the topic that took this one's turns: its centroid still finds them.
insight_topics = sa.Table(
    "insight_topics",
    metadata,
    key("tenant"),
    key("id"),
    text("space"),
    json("groups", "[]"),
    text("name"),
    text("named_by"),
    json("words", "[]"),
    sa.Column("pinned", sa.Boolean, nullable=False, server_default=sa.false()),
    optional("merged_into"),
    text("embedder"),
    sa.Column("centroid", sa.LargeBinary, nullable=False),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "space"),
)

# ``status`` is ``draft``, ``approved`` or ``rejected``. ``answers`` are the ids of the answers that it was made of.
insight_faqs = sa.Table(
    "insight_faqs",
    metadata,
    key("tenant"),
    key("id"),
    text("space"),
    json("groups", "[]"),
    optional("topic"),
    text("question"),
    text("answer"),
    json("citations", "[]"),
    json("answers", "[]"),
    count("conversations"),
    text("status"),
    optional("decided_by"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "status"),
)
