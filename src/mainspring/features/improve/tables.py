"""Policies, campaigns with their steps, what they made, and which answer was given by what."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# The highest version is in force, if it is ``enabled``. ``key_id`` and ``groups`` are those of who set it: campaigns
# act as that key.
improve_policies = sa.Table(
    "improve_policies",
    metadata,
    key("tenant"),
    key("application"),
    sa.Column("version", sa.BigInteger, primary_key=True),
    json("policy", "{}"),
    sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.true()),
    text("key_id"),
    json("groups", "[]"),
    time("created_at"),
)

# What is counted of an application since its policy was set. ``begun`` is the feedback at the last campaign's begin,
# ``rest_until`` when the next may begin after a refusal, ``due`` the reason of a campaign that must begin.
improve_watched = sa.Table(
    "improve_watched",
    metadata,
    key("tenant"),
    key("application"),
    count("feedback"),
    count("begun"),
    time("begun_at"),
    time("rest_until"),
    optional("due"),
)

# ``number`` counts its transitions: each is written only if it is as it was read. ``policy`` is the one in force when
# it began. ``notes`` are what its stages left for the next, ``rungs`` what came of each recipe. ``seconds`` are those
# of training. ``ended_at``: no stage follows.
improve_campaigns = sa.Table(
    "improve_campaigns",
    metadata,
    key("tenant"),
    key("id"),
    text("application"),
    sa.Column("policy_version", sa.BigInteger, nullable=False),
    json("policy", "{}"),
    text("trigger"),
    text("stage"),
    count("number"),
    count("rung"),
    json("notes", "{}"),
    json("rungs", "[]"),
    optional("reason"),
    text("key_id"),
    json("groups", "[]"),
    sa.Column("seconds", sa.Double, nullable=False, server_default=sa.text("0")),
    time("created_at"),
    time("entered_at"),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "application", "id"),
    sa.Index(None, "ended_at", "tenant"),
)

improve_steps = sa.Table(
    "improve_steps",
    metadata,
    key("tenant"),
    key("campaign"),
    sa.Column("number", sa.BigInteger, primary_key=True),
    time("at"),
    text("before"),
    text("stage"),
    count("rung"),
    optional("reason"),
    json("figures", "{}"),
    optional("by"),
)

# What was made: ``id`` is the candidate's. ``erased_at``: people whose data it is made of were erased. ``withdrawn_at``
# with the ``reason``: it gets no traffic any more.
improve_variants = sa.Table(
    "improve_variants",
    metadata,
    key("tenant"),
    key("id"),
    text("application"),
    text("kind"),
    json("value", "{}"),
    optional("version"),
    text("campaign"),
    optional("export"),
    optional("data_set"),
    time("made_at"),
    time("promoted_at", nullable=True),
    time("withdrawn_at", nullable=True),
    optional("reason"),
    time("erased_at", nullable=True),
    sa.Index(None, "tenant", "export"),
    sa.Index(None, "tenant", "campaign"),
    sa.Index(None, "tenant", "version"),
    sa.Index(None, "erased_at"),
)

# The answers that a candidate is made of.
improve_sources = sa.Table(
    "improve_sources",
    metadata,
    key("tenant"),
    key("answer"),
    key("variant"),
    sa.Index(None, "tenant", "variant"),
)

# What gave an answer of an application with a policy; ``variant`` empty: what the settings say.
improve_answers = sa.Table(
    "improve_answers",
    metadata,
    key("tenant"),
    key("answer"),
    text("application"),
    optional("variant"),
    time("at"),
    sa.Index(None, "tenant", "variant", "at"),
    sa.Index(None, "tenant", "at"),
)

# Sums over the answers of a variant. ``seconds`` are of completed ones.
improve_counts = sa.Table(
    "improve_counts",
    metadata,
    key("tenant"),
    key("application"),
    key("variant"),
    count("answers"),
    count("failed"),
    count("refused"),
    count("ups"),
    count("downs"),
    sa.Column("seconds", sa.Double, nullable=False, server_default=sa.text("0")),
    count("cost_nanousd"),
)
