"""Candidates, what each application uses, and how it came to that."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# ``id`` is ``Candidate.id``. ``status`` is ``admitted``, ``withdrawn`` or ``erased``: then ``value`` is empty.
# ``subjects`` are the ids of answers whose texts are in ``value``. ``groups`` are those that a reader of what it was
# made of needs, all of them.
variants = sa.Table(
    "variants",
    metadata,
    key("tenant"),
    key("id"),
    text("application"),
    text("kind"),
    json("value", "{}"),
    optional("version"),
    text("status"),
    optional("reason"),
    json("subjects", "[]"),
    json("groups", "[]"),
    optional("by"),
    time("created_at"),
    time("updated_at"),
    sa.Index(None, "tenant", "application"),
)

# ``currents`` are the ids of what is current, one a kind, in the order in which they came. ``stage`` is that of
# ``candidate``: ``shadow``, ``canary``, or empty without one. ``since``: when the arms became what they are.
variant_places = sa.Table(
    "variant_places",
    metadata,
    key("tenant"),
    key("application"),
    json("currents", "[]"),
    optional("candidate"),
    optional("stage"),
    sa.Column("share", sa.Double, nullable=False, server_default=sa.text("0")),
    time("since"),
    time("changed_at"),
    sa.Index(None, "changed_at"),
)

# ``before`` and ``after`` are the ``currents``.
variant_moves = sa.Table(
    "variant_moves",
    metadata,
    key("tenant"),
    key("application"),
    sa.Column("number", sa.BigInteger, primary_key=True),
    time("at"),
    text("action"),
    optional("candidate"),
    optional("kind"),
    sa.Column("share", sa.Double, nullable=False, server_default=sa.text("0")),
    json("before", "[]"),
    json("after", "[]"),
    optional("by"),
    optional("reason"),
)
