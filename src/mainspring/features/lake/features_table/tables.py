"""Changes of features by time, and the present values."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import json, key, metadata, optional, text, time

# ``entity`` is user or document. A change adds ``value`` at the time of its event. ``answer_id`` is the answer that it
# is about: what is erased with it.
lake_feature_changes = sa.Table(
    "lake_feature_changes",
    metadata,
    key("tenant"),
    key("entity"),
    key("id"),
    key("event_id"),
    key("name"),
    text("answer_id"),
    time("at"),
    sa.Column("value", sa.Double, nullable=False),
    sa.Index(None, "tenant", "entity", "id", "at"),
    sa.Index(None, "tenant", "answer_id"),
)

# The vectors of a user's questions, float32, with the name of the model that made them.
lake_feature_vectors = sa.Table(
    "lake_feature_vectors",
    metadata,
    key("tenant"),
    key("id"),
    key("answer_id"),
    time("at"),
    text("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Index(None, "tenant", "answer_id"),
)

# ``features`` are the present values. ``vector`` is the sum of the vectors of ``embedder``, float32.
lake_feature_rows = sa.Table(
    "lake_feature_rows",
    metadata,
    key("tenant"),
    key("entity"),
    key("id"),
    json("features", "{}"),
    optional("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=True),
    time("updated_at"),
)
