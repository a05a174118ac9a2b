"""Judges as data, with their measurements and the items that those read."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# Versions of a judge, numbered from 1; the newest counts. ``deleted``: the name is free again, and its versions stay
# for what was measured with them.
judge_definitions = sa.Table(
    "judge_definitions",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    text("definition"),
    sa.Column("deleted", sa.Boolean, nullable=False, server_default=sa.false()),
    time("created_at"),
)

# ``version`` is that of definition, members and models together: figures count for it alone. ``kind`` is ``measure``
# or ``estimate``. ``asked`` is what was asked for, ``figures`` what came of it (null: not yet).
judge_measurements = sa.Table(
    "judge_measurements",
    metadata,
    key("tenant"),
    key("id"),
    text("kind"),
    text("judge"),
    optional("version"),
    json("asked", "{}"),
    sa.Column("figures", sa.Text, nullable=True),
    count("items"),
    time("created_at"),
    sa.Column("finished_at", sa.Double, nullable=True),
    sa.Index(None, "tenant", "judge", "kind"),
)

# ``item`` is the judged text as JSON until the measurement ends, then empty. ``source`` is the answer that it is of
# (empty: of a file). ``task`` says which of the figures it is for. ``score`` is the judgement as JSON (null: not yet).
judge_items = sa.Table(
    "judge_items",
    metadata,
    key("tenant"),
    key("measurement"),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    optional("source"),
    text("item"),
    sa.Column("score", sa.Text, nullable=True),
    time("created_at"),
    sa.Index(None, "tenant", "source"),
)
