"""Runs of agents and their steps."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that began it (see ``Principal.person``); ``groups`` and ``scopes`` are that
# key's. ``person`` and ``session_id`` are those of the request, ``trace_id`` is its answer's. ``wanted`` is what a
# running one should do: pause or cancel. Somebody waits for the answer of an ``attended`` one: nobody else takes it up.
runs = sa.Table(
    "runs",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    text("key_id"),
    json("groups", "[]"),
    json("scopes", "[]"),
    optional("person"),
    optional("session_id"),
    optional("trace_id"),
    text("agent"),
    optional("version"),
    text("state"),
    optional("wanted"),
    json("request", "{}"),
    json("output", "null"),
    json("error", "null"),
    optional("events_sha256"),
    optional("forked_from"),
    json("metadata", "{}"),
    sa.Column("attended", sa.Boolean, nullable=False, server_default=sa.false()),
    time("deadline", nullable=True),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "owner"),
    sa.Index(None, "tenant", "trace_id"),
    sa.Index(None, "state", "updated_at"),
)

# ``number`` orders the steps that are done by their ends (null: not done). ``state`` is begun, asked, unknown or done.
# ``input`` is empty where it is too long to be kept. ``decided_by`` is the key of the person who told the outcome.
run_steps = sa.Table(
    "run_steps",
    metadata,
    key("tenant"),
    key("run_id"),
    key("path"),
    sa.Column("number", sa.BigInteger, nullable=True),
    text("kind"),
    text("name"),
    text("effect"),
    text("state"),
    text("digest"),
    optional("input"),
    json("outcome", "null"),
    optional("approval_id"),
    optional("decided_by"),
    count("attempts"),
    time("began_at"),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "approval_id"),
)

# The state that the agents of a session have left, as a JSON object.
run_sessions = sa.Table(
    "run_sessions",
    metadata,
    key("tenant"),
    key("owner"),
    key("session_id"),
    json("groups", "[]"),
    optional("person"),
    json("state", "{}"),
    time("updated_at"),
)
