"""Counts of the traffic, the alerts that it raised, and silences."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# Counts and histograms of one application over ``span`` seconds from ``at``.
tallies = sa.Table(
    "tallies",
    metadata,
    key("tenant"),
    key("application"),
    sa.Column("span", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    json("counted", "{}"),
    sa.Index(None, "span", "at"),
)

# One row for each time that something went wrong. ``told`` is the last state that was reported to receivers.
alerts = sa.Table(
    "alerts",
    metadata,
    key("tenant"),
    key("id"),
    text("rule"),
    text("application"),
    optional("name"),
    text("severity"),
    text("state"),
    text("summary"),
    json("details", "{}"),
    time("raised_at"),
    time("cleared_at", nullable=True),
    optional("told"),
    time("told_at", nullable=True),
    optional("acknowledged_by"),
    time("acknowledged_at", nullable=True),
    sa.Index(None, "state", "raised_at"),
    sa.Index(None, "tenant", "raised_at", "id"),
)

silences = sa.Table(
    "silences",
    metadata,
    key("tenant"),
    key("id"),
    optional("rule"),
    optional("application"),
    optional("comment"),
    text("created_by"),
    time("created_at"),
    time("until"),
)
