"""Facts and their texts, who may ask, and uploaded files."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import blob, count, json, key, metadata, optional, text, time

contents = sa.Table("contents", metadata, key("tenant"), key("sha256"), text("text"), time("at"))

events = sa.Table(
    "events",
    metadata,
    key("tenant"),
    key("id"),
    time("at"),
    text("trace_id"),
    text("parent_id", nullable=True),
    text("kind"),
    text("subject"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("consent", sa.Boolean, nullable=False),
    text("retention"),
    text("facts"),
    text("content_id", nullable=True),
    # Nothing writes or reads it any more: readers go by ``settled``.
    sa.Column("published", sa.Boolean, nullable=False, server_default=sa.false()),
    # The person whom an answer was for, by the name that the caller gave: access and erasure search for it.
    optional("person"),
    # Grows with each commit, so that a reader that has reached one number has missed nothing; null in rows of old
    # versions.
    sa.Column("settled", sa.BigInteger, nullable=True),
    sa.Index(None, "tenant", "subject"),
    sa.Index(None, "tenant", "trace_id"),
    sa.Index(None, "tenant", "kind", "id"),
    sa.Index(None, "tenant", "content_id"),
    sa.Index(None, "tenant", "at", "id"),
)
# Most events name no person.
sa.Index(
    "ix_events_person",
    events.c.tenant,
    events.c.person,
    sqlite_where=events.c.person != "",
    postgresql_where=events.c.person != "",
)
sa.Index(
    "ix_events_settled",
    events.c.settled,
    sqlite_where=events.c.settled.is_not(None),
    postgresql_where=events.c.settled.is_not(None),
)

# For sums of cost over time, over all keys. Its condition is that of ``Ledger.hourly``, word for word.
sa.Index(
    "ix_events_called",
    events.c.at,
    sqlite_where=events.c.kind == sa.literal_column("'call'"),
    postgresql_where=events.c.kind == sa.literal_column("'call'"),
)

# How far a reader has come, by its name; and since when the drift of an application is looked for.
watermarks = sa.Table(
    "watermarks",
    metadata,
    key("tenant"),
    key("name"),
    sa.Column("position", sa.Double, nullable=False),
)

keys = sa.Table(
    "keys",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    # The one index without the tenant: a secret has to be found before anyone knows whose it is.
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    text("hint"),
    text("scopes"),
    text("groups"),
    time("created_at"),
    time("expires_at", nullable=True),
    time("revoked_at", nullable=True),
    time("last_used_at", nullable=True),
    # A name of ``serving.tiers``; empty: the limits of ``serving`` itself.
    optional("tier"),
    # Whether requests of the key may be used for learning if they do not say.
    sa.Column("consent", sa.Boolean, nullable=False, server_default=sa.false()),
    # Its limits; empty: none.
    json("models", "[]"),
    json("collections", "[]"),
    json("regions", "[]"),
    # Its creator, and the keys whose budgets count its spending: see ``stores.keys.lineage``.
    optional("parent"),
    json("lineage", "[]"),
    # The first of the keys that it replaced, one after the other.
    optional("identity"),
    sa.Index(None, "tenant", "parent"),
)

# Secrets of providers, encrypted; they are the installation's, as the configuration is that names them.
credentials = sa.Table(
    "credentials",
    metadata,
    key("name"),
    text("key_id"),
    text("wrapped"),
    text("secret"),
    time("created_at"),
    time("updated_at"),
)

files = sa.Table(
    "files",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    count("bytes"),
    blob("sha256"),
    text("purpose"),
    time("created_at"),
    json("groups", "[]"),
    time("expires_at", nullable=True),
    sa.Index(None, "sha256"),
)

# Discarded blobs that have not been swept yet.
discarded = sa.Table("discarded", metadata, key("sha256"))
