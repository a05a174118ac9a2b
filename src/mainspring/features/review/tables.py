"""Review queues, the answers that wait in them, and people's labels. No text of a request or an answer is in these
tables: it stays with the events."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# Counts of answers by stratum: all that the rule has ``seen``, those that ``entered``, and those ``dropped`` for want
# of room. What it asks is the row of ``review_versions`` of its ``version``.
review_queues = sa.Table(
    "review_queues",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    json("seen", "{}"),
    json("entered", "{}"),
    json("dropped", "{}"),
    text("created_by"),
    time("created_at"),
    time("updated_at"),
    sa.UniqueConstraint("tenant", "name"),
)

# All that a queue ever asked: its definition as JSON, and its guideline in Markdown. Labels name their version.
review_versions = sa.Table(
    "review_versions",
    metadata,
    key("tenant"),
    key("queue_id"),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    json("definition", "{}"),
    optional("guideline"),
    text("created_by"),
    time("created_at"),
)

# ``state`` is ``open``, ``adjudicate`` (its labels disagree) or ``done``. ``probability`` is that with which the rule
# takes an answer of this ``stratum``; null: a person put it here. ``turn`` counts the items of its stratum: the first
# of each come first. ``needs`` labels; ``given`` counts those there are. ``result`` is the verdict of all of them, as
# JSON, once it is done; ``delivered_at`` is when the queue's data set got it.
review_items = sa.Table(
    "review_items",
    metadata,
    key("tenant"),
    key("id"),
    text("queue_id"),
    text("answer_id"),
    text("trace_id"),
    text("application"),
    text("stratum"),
    sa.Column("probability", sa.Double, nullable=True),
    count("turn"),
    sa.Column("needs", sa.Integer, nullable=False, server_default=sa.text("1")),
    count("given"),
    text("state"),
    json("result", "{}"),
    time("answered_at"),
    time("added_at"),
    time("done_at", nullable=True),
    time("delivered_at", nullable=True),
    sa.UniqueConstraint("tenant", "queue_id", "answer_id"),
    sa.Index(None, "tenant", "queue_id", "state", "turn"),
    sa.Index(None, "tenant", "answer_id"),
)

# ``state`` is ``assigned`` or ``leased`` (until ``lease_until``), ``skipped`` or ``given``. ``by`` is a person.
# ``scores`` are by criterion, in [0, 1]. Its comment and corrected answer are in the event ``event_id``.
review_labels = sa.Table(
    "review_labels",
    metadata,
    key("tenant"),
    key("id"),
    text("queue_id"),
    text("item_id"),
    text("answer_id"),
    text("by"),
    text("state"),
    time("lease_until", nullable=True),
    sa.Column("version", sa.Integer, nullable=False, server_default=sa.text("1")),
    json("scores", "{}"),
    sa.Column("approved", sa.Boolean, nullable=True),
    json("errors", "[]"),
    sa.Column("edited", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("adjudicated", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("seconds", sa.Double, nullable=True),
    optional("event_id"),
    time("taken_at"),
    time("given_at", nullable=True),
    sa.UniqueConstraint("tenant", "item_id", "by"),
    sa.Index(None, "tenant", "queue_id", "state"),
    sa.Index(None, "tenant", "by", "state"),
    sa.Index(None, "tenant", "answer_id"),
)
