"""Jobs of training, their messages, versions, and what these are made of."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import count, json, key, metadata, optional, text, time

# ``asked`` is the order, ``data`` the manifest of its rows, ``groups`` are needed to see it, ``digest`` is that of the
# order and its trace. ``state`` is one of ``training.ports.JobState``; ``wish`` is ``pause`` while a running one should
# stop. ``error`` is JSON: code, message, param. ``seconds`` are those that it has worked, ``deaths`` how often its
# process ended by itself since ``step`` last grew.
training_jobs = sa.Table(
    "training_jobs",
    metadata,
    key("tenant"),
    key("id"),
    text("recipe"),
    text("name"),
    optional("base"),
    text("state"),
    optional("wish"),
    json("asked", "{}"),
    json("data", "{}"),
    json("groups", "[]"),
    text("owner"),
    text("key_id"),
    json("metadata", "{}"),
    json("error", "null"),
    optional("digest"),
    optional("version"),
    sa.Column("seconds", sa.Double, nullable=False, server_default=sa.text("0")),
    count("step"),
    count("deaths"),
    time("created_at"),
    time("updated_at"),
    time("started_at", nullable=True),
    time("ended_at", nullable=True),
    sa.Index(None, "tenant", "state"),
    sa.Index(None, "tenant", "digest"),
    sa.Index(None, "state"),
)

training_events = sa.Table(
    "training_events",
    metadata,
    key("tenant"),
    key("job"),
    key("id"),
    time("at"),
    text("level"),
    text("message"),
)

# ``state`` is ``making`` until the files are in place, then ``ready``. ``deleted`` ones stay for what was made from
# them, ``erased`` ones until a server has deleted their models. ``made`` is a ``training.recipe.Made``. ``stale`` says
# why it should not be used any more. ``served`` is the name of the model in the catalogue.
training_versions = sa.Table(
    "training_versions",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("number", sa.BigInteger, primary_key=True),
    text("state"),
    text("makes"),
    text("recipe"),
    text("job"),
    optional("export"),
    optional("base"),
    json("made", "{}"),
    json("data", "{}"),
    json("asked", "{}"),
    json("groups", "[]"),
    text("owner"),
    optional("stale"),
    optional("served"),
    optional("problem"),
    time("created_at"),
    time("stale_at", nullable=True),
    time("withdrawn_at", nullable=True),
    sa.Index(None, "tenant", "job"),
    sa.Index(None, "tenant", "export"),
    sa.Index(None, "served"),
)

# The answers, traces and events that the rows of a job's data are made of.
training_sources = sa.Table(
    "training_sources",
    metadata,
    key("tenant"),
    key("source"),
    key("job"),
    text("kind"),
    sa.Index(None, "tenant", "job"),
)
