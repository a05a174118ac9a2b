"""Cases, what is said in them, and the people who work on them."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``opening`` is the idempotency key of its opening. ``owner`` is the identity of the key whose conversation it is (see
# ``Principal.person``), ``groups`` are that key's, ``person`` the user that its application named, ``customer`` a
# customer who was verified. ``session_id`` is the name of the session, ``session`` its stored name. ``attended``: a
# person answers in the session, and the agent does not. ``due_at`` is when a person must have said something (none: it
# is the customer's turn). ``version`` grows with every change. ``address`` says how a channel reaches the customer.
desk_cases = sa.Table(
    "desk_cases",
    metadata,
    key("tenant"),
    key("id"),
    count("serial"),
    text("number"),
    text("opening"),
    text("kind"),
    text("status"),
    text("queue"),
    optional("topic"),
    count("priority"),
    optional("language"),
    text("subject"),
    optional("reason"),
    optional("body"),
    optional("customer"),
    json("refs", "{}"),
    text("owner"),
    json("groups", "[]"),
    optional("person"),
    optional("session_id"),
    optional("session"),
    count("attended"),
    optional("agent"),
    optional("run_id"),
    optional("trace_id"),
    text("channel"),
    json("address", "{}"),
    optional("assignee"),
    optional("assignee_name"),
    optional("resolution"),
    time("created_at"),
    time("updated_at"),
    time("taken_at", nullable=True),
    time("answered_at", nullable=True),
    time("closed_at", nullable=True),
    time("due_at", nullable=True),
    count("overdue"),
    count("version"),
    sa.Index(None, "tenant", "opening", unique=True),
    sa.Index(None, "tenant", "number", unique=True),
    sa.Index(None, "tenant", "status", "queue", "priority", "created_at"),
    sa.Index(None, "tenant", "session"),
    sa.Index(None, "tenant", "customer"),
    sa.Index(None, "tenant", "person"),
    sa.Index(None, "due_at"),
    sa.Index(None, "closed_at"),
)

# ``author`` is ``customer``, ``person``, ``note`` (people alone see it) or ``event``; ``by`` the identity of the key of
# a person. ``trace_id`` ties a message to its turn in the session.
desk_messages = sa.Table(
    "desk_messages",
    metadata,
    key("tenant"),
    key("id"),
    text("case_id"),
    text("author"),
    optional("by"),
    optional("by_name"),
    text("text"),
    optional("trace_id"),
    time("at"),
    sa.Index(None, "tenant", "case_id"),
)

# ``queues`` are those that a person works on: the skills.
desk_people = sa.Table(
    "desk_people",
    metadata,
    key("tenant"),
    key("person"),
    text("name"),
    json("queues", "[]"),
    time("changed_at"),
)

desk_numbers = sa.Table(
    "desk_numbers",
    metadata,
    key("tenant"),
    count("last"),
)

# ``basis`` is the message that it was made for (empty: the opening); ``hints`` and ``facts`` are JSON.
desk_assists = sa.Table(
    "desk_assists",
    metadata,
    key("tenant"),
    key("case_id"),
    optional("basis"),
    optional("summary"),
    optional("method"),
    json("hints", "[]"),
    json("facts", "[]"),
    time("made_at"),
)

# ``decision`` is ``accepted``, ``edited`` (``sent`` is what was sent instead) or ``rejected``; empty: none yet.
desk_suggestions = sa.Table(
    "desk_suggestions",
    metadata,
    key("tenant"),
    key("id"),
    text("case_id"),
    optional("basis"),
    text("text"),
    text("source"),
    json("citations", "[]"),
    optional("decision"),
    optional("sent"),
    optional("decided_by"),
    time("made_at"),
    time("decided_at", nullable=True),
    sa.Index(None, "tenant", "case_id"),
)

# A conversation that goes through a channel. ``person`` is the customer's address there, ``address`` what an answer
# needs (the subject and the message that it replies to).
desk_threads = sa.Table(
    "desk_threads",
    metadata,
    key("tenant"),
    key("session_id"),
    text("channel"),
    text("person"),
    json("address", "{}"),
    time("updated_at"),
    sa.Index(None, "tenant", "channel", "person"),
)

# What came in, once for each ``external_id``. ``text`` is empty once it is ``done`` or ``ignored``. ``answer_id`` and
# ``trace_id`` are those of the answer, the same after a restart.
desk_inbound = sa.Table(
    "desk_inbound",
    metadata,
    key("tenant"),
    key("channel"),
    key("external_id"),
    text("session_id"),
    optional("text"),
    text("state"),
    text("answer_id"),
    text("trace_id"),
    count("attempts"),
    time("next_at"),
    time("at"),
    sa.Index(None, "state", "next_at"),
    sa.Index(None, "tenant", "session_id"),
    sa.Index(None, "at"),
)

# What waits to be sent, oldest first for each conversation. ``automatic``: an agent wrote it.
desk_outbound = sa.Table(
    "desk_outbound",
    metadata,
    key("tenant"),
    key("id"),
    text("channel"),
    text("session_id"),
    text("text"),
    count("automatic"),
    count("attempts"),
    time("next_at"),
    time("at"),
    sa.Index(None, "next_at"),
    sa.Index(None, "tenant", "session_id"),
)

# The Message-IDs of a conversation by e-mail, ours and the customer's.
desk_mails = sa.Table(
    "desk_mails",
    metadata,
    key("tenant"),
    key("message_id"),
    text("session_id"),
    time("at"),
    sa.Index(None, "tenant", "session_id"),
)

# Chats on web pages. The page has the token; ``digest`` is its SHA-256. ``key_id`` and ``groups`` are those of the key
# that opened it, ``person`` the user that it named.
desk_chats = sa.Table(
    "desk_chats",
    metadata,
    key("tenant"),
    key("session_id"),
    text("digest"),
    text("key_id"),
    json("groups", "[]"),
    optional("person"),
    time("expires_at"),
    time("created_at"),
    sa.Index(None, "digest", unique=True),
    sa.Index(None, "expires_at"),
)
