"""Tasks of agents over A2A, their webhooks, and the notifications that wait to be delivered."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``owner`` is the identity of the key that made it (see ``Principal.person``), ``groups`` are that key's. ``task`` is
# the task as JSON of the protocol, ``answers`` the ids of its answers, ``person`` the user that the caller named.
# ``turn`` counts the messages that were worked on: the job of each is named after it.
a2a_tasks = sa.Table(
    "a2a_tasks",
    metadata,
    key("tenant"),
    key("id"),
    text("owner"),
    text("key_id"),
    json("groups", "[]"),
    json("scopes", "[]"),
    text("agent"),
    text("context_id"),
    text("state"),
    optional("person"),
    optional("trace_id"),
    json("answers", "[]"),
    json("options", "{}"),
    json("task", "{}"),
    count("turn"),
    count("version"),
    time("created_at"),
    time("status_at"),
    sa.Index(None, "tenant", "owner", "status_at"),
    sa.Index(None, "tenant", "person"),
    sa.Index(None, "status_at"),
)

a2a_webhooks = sa.Table(
    "a2a_webhooks",
    metadata,
    key("tenant"),
    key("task_id"),
    key("id"),
    json("body", "{}"),
    time("created_at"),
)

a2a_notifications = sa.Table(
    "a2a_notifications",
    metadata,
    key("tenant"),
    key("id"),
    text("task_id"),
    text("webhook_id"),
    json("body", "{}"),
    count("attempts"),
    time("next_at"),
    time("created_at"),
    sa.Index(None, "next_at"),
    sa.Index(None, "tenant", "task_id"),
)
