"""Experiments and their results."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``kind`` is ``experiment`` or ``run`` (of OpenAI's evals, whose eval is ``parent``). ``owner`` is the identity of the
# key that asked for it, ``groups`` are needed to see it. ``spec`` is what was asked for. ``state`` is queued, running,
# completed, failed or cancelled. ``report`` and ``done``, its number of answers, are written at
# its end.
experiments = sa.Table(
    "experiments",
    metadata,
    key("tenant"),
    key("id"),
    text("kind"),
    optional("parent"),
    text("name"),
    text("data_set"),
    sa.Column("version", sa.BigInteger, nullable=False),
    text("fingerprint"),
    json("spec", "{}"),
    text("state"),
    optional("error"),
    count("total"),
    count("done"),
    json("groups", "[]"),
    text("key_id"),
    text("owner"),
    json("report", "null"),
    json("metadata", "{}"),
    time("created_at"),
    time("updated_at"),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "kind", "id"),
    sa.Index(None, "tenant", "parent"),
    sa.Index(None, "tenant", "state"),
)

# ``responder`` is the number of one of the experiment's. ``place`` is the example's place in its set, ``cluster`` and
# ``tags`` are the example's. ``tokens`` are those of the answer, ``seconds`` what it took. ``reuse`` is the digest of
# the responder's state and the request (empty: not to be reused). ``body`` is the answer as JSON, ``scores`` are by
# scorer: null where it had nothing to say.
experiment_results = sa.Table(
    "experiment_results",
    metadata,
    key("tenant"),
    key("experiment"),
    sa.Column("responder", sa.BigInteger, primary_key=True),
    sa.Column("place", sa.BigInteger, primary_key=True),
    text("example_id"),
    optional("cluster"),
    json("tags", "{}"),
    optional("reuse"),
    json("body", "{}"),
    json("scores", "{}"),
    json("reasons", "{}"),
    optional("person"),
    optional("answer_id"),
    optional("error"),
    count("cost_nanousd"),
    count("tokens"),
    time("seconds", nullable=True),
    time("at"),
    sa.Index(None, "tenant", "reuse"),
    sa.Index(None, "tenant", "person"),
    sa.Index(None, "tenant", "answer_id"),
)

# OpenAI's evals. ``config`` is the data source's configuration, ``criteria`` are its graders.
evals = sa.Table(
    "evals",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    json("config", "{}"),
    json("criteria", "[]"),
    json("metadata", "{}"),
    json("groups", "[]"),
    text("owner"),
    time("created_at"),
)

# The events that the examples of results were made of.
experiment_sources = sa.Table(
    "experiment_sources",
    metadata,
    key("tenant"),
    key("source"),
    key("experiment"),
    key("example_id"),
)
