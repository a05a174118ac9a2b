"""Chunks that no reader sees any more and that the vector store has still to forget.

A note is written in the commit that makes chunks stale, and deleted once they are forgotten: a process that dies in
between leaves the note, and the next ingest acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.stores.documents.records import Collection
from mainspring.stores.schema import documents, stale_chunks
from mainspring.stores.vectors.base import StaleChunks


def note(connection: sa.Connection, collection: Collection, document_id: str, below: int) -> None:
    """The generations below ``below`` of this document are stale, except the current one."""
    entry = {
        "tenant": collection.tenant,
        "collection_id": collection.id,
        "document_id": document_id,
        "below": below,
    }
    connection.execute(rows.insert_new(connection, stale_chunks), entry)


def read(connection: sa.Connection, collection: Collection) -> list[StaleChunks]:
    """The notes of a collection."""
    kept = sa.and_(
        documents.c.tenant == stale_chunks.c.tenant,
        documents.c.collection_id == stale_chunks.c.collection_id,
        documents.c.id == stale_chunks.c.document_id,
        documents.c.generation < stale_chunks.c.below,
    )
    query = (
        sa.select(stale_chunks.c.document_id, stale_chunks.c.below, sa.func.coalesce(documents.c.generation, 0))
        .select_from(stale_chunks.outerjoin(documents, kept))
        .where(_within(collection))
    )
    return [StaleChunks(*row) for row in connection.execute(query)]


def clear(connection: sa.Connection, collection: Collection, forgotten: Sequence[StaleChunks]) -> None:
    """Delete the notes that were acted on; notes written since then stay."""
    gone = sa.delete(stale_chunks).where(
        _within(collection),
        stale_chunks.c.document_id == sa.bindparam("gone"),
        stale_chunks.c.below == sa.bindparam("up_to"),
    )
    connection.execute(gone, [{"gone": each.document_id, "up_to": each.below} for each in forgotten])


def _within(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(stale_chunks.c.tenant == collection.tenant, stale_chunks.c.collection_id == collection.id)
