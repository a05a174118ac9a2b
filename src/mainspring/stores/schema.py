"""The tables. Primary keys begin with the tenant; text lives once, in ``contents``; all else refers to it.

Times are Unix seconds. JSON is kept in text columns. The migrations in ``stores/migrations`` build exactly this
(a test compares them); ``HEAD`` names the newest of them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from mainspring.stores.rows import clean

HEAD = "0010"

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class CleanText(sa.TypeDecorator[str]):
    """Text that every database can hold, in rows and in the conditions that look for them: see ``clean``."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        return None if value is None else clean(value)


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, CleanText, primary_key=primary_key, nullable=nullable)


def _key(name: str) -> sa.Column[str]:
    return _text(name, primary_key=True)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default=sa.text("0"))


def _json(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=False, server_default=default)


def _optional(name: str) -> sa.Column[str]:
    return sa.Column(name, CleanText, nullable=False, server_default="")


def _time(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


contents = sa.Table("contents", metadata, _key("tenant"), _key("sha256"), _text("text"), _time("at"))

events = sa.Table(
    "events",
    metadata,
    _key("tenant"),
    _key("id"),
    _time("at"),
    _text("trace_id"),
    _text("parent_id", nullable=True),
    _text("kind"),
    _text("subject"),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("consent", sa.Boolean, nullable=False),
    _text("retention"),
    _text("facts"),
    _text("content_id", nullable=True),
    sa.Column("published", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(None, "tenant", "subject"),
    sa.Index(None, "tenant", "trace_id"),
    sa.Index(None, "tenant", "kind", "id"),
    sa.Index(None, "tenant", "content_id"),
    sa.Index(None, "tenant", "at", "id"),
)
# The outbox: small because what is published leaves it.
sa.Index(
    "ix_events_unpublished",
    events.c.at,
    events.c.id,
    sqlite_where=events.c.published.is_(sa.false()),
    postgresql_where=events.c.published.is_(sa.false()),
)

turns = sa.Table(
    "turns",
    metadata,
    _key("tenant"),
    _key("session_id"),
    _key("id"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _time("at"),
    _text("trace_id"),
    _text("role"),
    _text("content_id"),
    _text("extra"),
    sa.Index(None, "tenant", "trace_id"),
    sa.Index(None, "tenant", "content_id"),
)

keys = sa.Table(
    "keys",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("name"),
    # The one index without the tenant: a secret has to be found before anyone knows whose it is.
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    _text("hint"),
    _text("scopes"),
    _text("groups"),
    _time("created_at"),
    _time("expires_at", nullable=True),
    _time("revoked_at", nullable=True),
    _time("last_used_at", nullable=True),
    # A name of ``serving.tiers``; empty: the limits of ``serving`` itself.
    _optional("tier"),
)

files = sa.Table(
    "files",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("name"),
    _count("bytes"),
    _text("sha256"),
    _text("purpose"),
    _time("created_at"),
    _json("groups", "[]"),
    sa.Index(None, "sha256"),
)

# Blobs that somebody let go of and that nobody has looked at since.
discarded = sa.Table("discarded", metadata, _key("sha256"))

collections = sa.Table(
    "collections",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("name"),
    _text("groups"),
    _text("embedder"),
    _count("version"),
    _time("created_at"),
    _json("metadata", "{}"),
    _optional("description"),
    # Tables of chunks: the one that is read (empty: named after the id), and one to be filled or dropped.
    _optional("stored_in"),
    _optional("building"),
    # The version at which a document was last removed.
    _count("removed"),
    sa.UniqueConstraint("tenant", "name", "groups"),
)

documents = sa.Table(
    "documents",
    metadata,
    _key("tenant"),
    _key("collection_id"),
    _key("id"),
    _text("source_key"),
    _text("name"),
    _text("sha256"),
    _text("file_id", nullable=True),
    # ``generation`` is what readers see (0: nothing yet), ``begun`` the newest that an ingest has started.
    _count("generation"),
    _count("begun"),
    _text("status"),
    _text("error"),
    _count("chars"),
    _count("chunks"),
    sa.Column("pages", sa.BigInteger, nullable=True),
    _text("parser"),
    _text("text_blob"),
    _time("created_at"),
    _time("updated_at"),
    _json("attributes", "{}"),
    # The access list of the latest ingest, and that of the text which is read: a reader needs both.
    _json("groups", "[]"),
    _json("read_groups", "[]"),
    _time("modified_at", nullable=True),
    _optional("source_id"),
    # What the source calls this version of it, and the digest of the settings that it was read with.
    _optional("mark"),
    _optional("recipe"),
    # The version of its collection at which it last changed, or is to have changed when that comes.
    _count("changed"),
    sa.UniqueConstraint("tenant", "collection_id", "source_key"),
    sa.Index(None, "tenant", "collection_id", "changed"),
    sa.Index(None, "tenant", "file_id"),
    sa.Index(None, "text_blob"),
)

# Where documents come from, and how far each source has been followed.
sources = sa.Table(
    "sources",
    metadata,
    _key("tenant"),
    _key("collection_id"),
    _key("id"),
    _text("kind"),
    _text("location"),
    _text("options"),
    _text("cursor"),
    _text("error"),
    _time("created_at"),
    _time("synced_at", nullable=True),
    sa.UniqueConstraint("tenant", "collection_id", "kind", "location"),
)

# Chunks that no reader sees any more and that the vector store has still to forget: of the document all generations
# below ``below`` but the one that is read. Written in the commit that made them so.
stale_chunks = sa.Table(
    "stale_chunks",
    metadata,
    _key("tenant"),
    _key("collection_id"),
    _key("document_id"),
    sa.Column("below", sa.BigInteger, primary_key=True, autoincrement=False),
)

# Deleted documents, and collections (``document_id`` empty) with their tables of chunks, whose bytes are still to go.
forgetting = sa.Table(
    "forgetting",
    metadata,
    _key("tenant"),
    _key("collection_id"),
    _key("document_id"),
    _json("tables", "[]"),
    _time("at"),
)

# What one generation of a document says of which entities, as the rag room writes it.
document_graphs = sa.Table(
    "document_graphs",
    metadata,
    _key("tenant"),
    _key("collection_id"),
    _key("document_id"),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("graph"),
    # A digest of the graph: what was read under it need not be read again.
    _text("mark"),
)

# Conversations. ``session_id`` is the stored name (see ``serving.session.stored_name``), ``name`` what its callers call
# it and ``owner`` the digest of their groups. ``revision`` changes with every deletion of a turn: what was derived from
# the turns before it is not written any more. ``reserved`` tokens are set aside until ``reserved_until``.
sessions = sa.Table(
    "sessions",
    metadata,
    _key("tenant"),
    _key("session_id"),
    _text("owner"),
    _text("name"),
    _time("created_at"),
    _time("updated_at"),
    _count("revision"),
    _count("spent"),
    _count("reserved"),
    _time("reserved_until", nullable=True),
    _optional("forked_from"),
    sa.Index(None, "tenant", "owner", "created_at", "session_id"),
)

# What is remembered of the turns of a session up to and with ``upto``, as the serving room writes it.
session_summaries = sa.Table(
    "session_summaries",
    metadata,
    _key("tenant"),
    _key("session_id"),
    _text("upto"),
    _count("turns"),
    _text("method"),
    _text("notes"),
    _time("made_at"),
)

# Embeddings of messages: little-endian float16, one row a message and embedder.
turn_vectors = sa.Table(
    "turn_vectors",
    metadata,
    _key("tenant"),
    _key("session_id"),
    _key("id"),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    _key("embedder"),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)

# Work that outlives the process that began it. Whoever leases a row works on it until ``lease_until``.
jobs = sa.Table(
    "jobs",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("kind"),
    _text("state"),
    sa.Column("priority", sa.Integer, nullable=False, server_default=sa.text("0")),
    _json("payload", "{}"),
    _optional("owner"),
    _time("lease_until", nullable=True),
    _count("attempts"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    _optional("error"),
    _time("created_at"),
    _time("updated_at"),
    sa.Index(None, "kind", "state", "priority", "created_at"),
)

# Many requests in one file: OpenAI's batches. ``scopes`` and ``groups`` are those of the key at its creation.
batches = sa.Table(
    "batches",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("key_id"),
    _text("scopes"),
    _text("groups"),
    _text("endpoint"),
    _text("input_file_id"),
    _text("completion_window"),
    _text("status"),
    _json("metadata", "{}"),
    _json("errors", "[]"),
    _json("times", "{}"),
    _count("total"),
    _count("completed"),
    _count("failed"),
    _text("output_file_id", nullable=True),
    _text("error_file_id", nullable=True),
    _time("created_at"),
    _time("expires_at"),
)

# The lines of running batches that were answered: each once, whoever answers it.
batch_lines = sa.Table(
    "batch_lines",
    metadata,
    _key("tenant"),
    _key("batch_id"),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("succeeded", sa.Boolean, nullable=False),
    _text("line"),
)

# What a scope may spend in a window of time. Those over all tenants lie under the empty tenant.
budgets = sa.Table(
    "budgets",
    metadata,
    _key("tenant"),
    _key("id"),
    _text("name"),
    _text("scope"),
    _text("subject"),
    _text("window"),
    sa.Column("limit_nanousd", sa.BigInteger, nullable=True),
    sa.Column("limit_tokens", sa.BigInteger, nullable=True),
    sa.Column("hard", sa.Boolean, nullable=False),
    _time("created_at"),
    sa.UniqueConstraint("tenant", "scope", "subject", "window", "hard"),
)

# What was spent in one period of a budget, exactly the sum of the ``call`` events that it concerns, and what running
# requests have set aside.
budget_periods = sa.Table(
    "budget_periods",
    metadata,
    _key("tenant"),
    _key("budget_id"),
    _key("period"),
    _count("spent_nanousd"),
    _count("spent_tokens"),
    _count("reserved_nanousd"),
    _count("reserved_tokens"),
    # When the limit was reached.
    _time("crossed_at", nullable=True),
)

# What one running request has set aside of one period; void when its lease ends.
reservations = sa.Table(
    "reservations",
    metadata,
    _key("tenant"),
    _key("budget_id"),
    _key("id"),
    _text("period"),
    _count("nanousd"),
    _count("tokens"),
    _time("expires_at"),
    sa.Index(None, "id"),
    sa.Index(None, "expires_at"),
)
