"""Collections, their documents, and pending deletions."""

from __future__ import annotations

import sqlalchemy as sa

from mainspring.stores.schema.columns import blob, count, json, key, metadata, optional, text, time

collections = sa.Table(
    "collections",
    metadata,
    key("tenant"),
    key("id"),
    text("name"),
    text("groups"),
    text("embedder"),
    count("version"),
    time("created_at"),
    json("metadata", "{}"),
    optional("description"),
    # Tables of chunks: the one that is read (empty: named after the id), and one to be filled or dropped.
    optional("stored_in"),
    optional("building"),
    # The version at which a document was last removed.
    count("removed"),
    # It expires so many days after it was last active (null: never; null: when it was made).
    sa.Column("expires_days", sa.BigInteger, nullable=True),
    time("active_at", nullable=True),
    sa.UniqueConstraint("tenant", "name", "groups"),
)

documents = sa.Table(
    "documents",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("id"),
    text("source_key"),
    text("name"),
    text("sha256"),
    text("file_id", nullable=True),
    # ``generation`` is the one that readers see (0: none yet), ``begun`` the newest that an ingestion has started.
    count("generation"),
    count("begun"),
    text("status"),
    text("error"),
    count("chars"),
    count("chunks"),
    sa.Column("pages", sa.BigInteger, nullable=True),
    text("parser"),
    blob("text_blob"),
    time("created_at"),
    time("updated_at"),
    json("attributes", "{}"),
    # The access list of the latest ingestion, and that of the current text: a reader needs both.
    json("groups", "[]"),
    json("read_groups", "[]"),
    time("modified_at", nullable=True),
    optional("source_id"),
    # The source's version of the document, and the digest of the settings with which it was read.
    optional("mark"),
    optional("recipe"),
    # Whether it was screened for instructions, the outcome, and the findings: counts by kind.
    optional("screening"),
    json("findings", "{}"),
    # The version of its collection at which it last changed, or is to have changed when that comes.
    count("changed"),
    # How to cut the file (empty: by the settings), and the kind of the error.
    optional("chunking"),
    optional("error_code"),
    sa.UniqueConstraint("tenant", "collection_id", "source_key"),
    sa.Index(None, "tenant", "collection_id", "changed"),
    sa.Index(None, "tenant", "file_id"),
    sa.Index(None, "text_blob"),
)

# Files that were put into a collection together: pairs of file id and document id (empty: there was no such file).
file_batches = sa.Table(
    "file_batches",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("id"),
    json("members", "[]"),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.false()),
    time("created_at"),
)

# Where documents come from, and how far each source has been followed.
sources = sa.Table(
    "sources",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("id"),
    text("kind"),
    text("location"),
    text("options"),
    text("cursor"),
    text("error"),
    time("created_at"),
    time("synced_at", nullable=True),
    sa.UniqueConstraint("tenant", "collection_id", "kind", "location"),
)

# Chunks that no reader sees any more and that the vector store must still forget: all generations of the document
# below ``below``, except the visible one. Written in the commit that made them so.
stale_chunks = sa.Table(
    "stale_chunks",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("document_id"),
    sa.Column("below", sa.BigInteger, primary_key=True, autoincrement=False),
)

# Deleted documents, and collections (``document_id`` empty) with their tables of chunks, whose bytes are still to go.
forgetting = sa.Table(
    "forgetting",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("document_id"),
    json("tables", "[]"),
    time("at"),
)

# The entities and relations of one generation of a document, serialised by the rag room.
document_graphs = sa.Table(
    "document_graphs",
    metadata,
    key("tenant"),
    key("collection_id"),
    key("document_id"),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    text("graph"),
    # A digest of the graph: an unchanged graph need not be read again.
    text("mark"),
)
