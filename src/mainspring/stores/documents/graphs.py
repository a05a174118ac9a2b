"""The graphs of documents, one text a generation, beside the documents' own rows.

A graph is written in the commit that makes its generation current, and deleted in the commit that supersedes or removes
it: neither ever exists without the other. The reader says which generations it may read and gets no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.documents.records import Collection
from mainspring.stores.schema import collections, document_graphs, documents
from mainspring.stores.sql.database import Database

# Ids that one query names at most.
_BATCH = 400


class Graphs:
    """Reads and writes the graphs of documents; the rag room defines their content."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, collection: Collection, current: Mapping[str, int]) -> dict[str, str]:
        """The graph of each of these generations that has one, by document id."""
        wanted = sorted(current)
        found: dict[str, str] = {}
        for start in range(0, len(wanted), _BATCH):
            part = wanted[start : start + _BATCH]
            query = sa.select(
                document_graphs.c.document_id, document_graphs.c.generation, document_graphs.c.graph
            ).where(_within(collection), document_graphs.c.document_id.in_(part))
            for row in await self._database.read(partial(_all, query)):
                if current[row.document_id] == row.generation:
                    found[row.document_id] = row.graph
        return found

    async def marks(self, collection: Collection) -> dict[str, tuple[int, str]]:
        """(generation, digest of its graph) of each document that has a graph, without an access check."""
        query = sa.select(document_graphs.c.document_id, document_graphs.c.generation, document_graphs.c.mark)
        query = query.where(_within(collection))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {row.document_id: (row.generation, row.mark) for row in found}

    async def missing(self, collection: Collection, current: Mapping[str, int]) -> dict[str, int]:
        """The generations without a graph."""
        have = await self.marks(collection)
        return {name: number for name, number in current.items() if have.get(name, (0, ""))[0] != number}

    async def put(self, collection: Collection, graphs: Sequence[tuple[str, int, str]]) -> int:
        """Store (document id, generation, graph) for generations that are current; returns their number.

        Generations that were superseded or removed in the meantime are skipped. Raises ``NotFound`` if the
        collection is gone.
        """

        def work(connection: sa.Connection) -> int:
            bumped = sa.update(collections).where(_row_of(collection)).values(version=collections.c.version + 1)
            if connection.execute(bumped).rowcount == 0:
                raise NotFound(f"the collection {collection.name} was deleted")
            kept = 0
            for document_id, generation, graph in graphs:
                query = sa.select(documents.c.generation).where(
                    documents.c.tenant == collection.tenant,
                    documents.c.collection_id == collection.id,
                    documents.c.id == document_id,
                )
                if connection.execute(query.with_for_update()).scalar_one_or_none() == generation:
                    replace(connection, collection, document_id, generation, graph)
                    kept += 1
            return kept

        return await self._database.write(work, durable=True)


def replace(connection: sa.Connection, collection: Collection, document_id: str, generation: int, graph: str) -> None:
    """Make ``graph`` (empty: none) the only one of the document."""
    forget(connection, collection, document_id)
    if graph:
        entry = {
            "tenant": collection.tenant,
            "collection_id": collection.id,
            "document_id": document_id,
            "generation": generation,
            "graph": graph,
            "mark": rows.digest(graph)[:32],
        }
        connection.execute(rows.insert_new(connection, document_graphs), entry)


def forget(connection: sa.Connection, collection: Collection, document_id: str) -> None:
    """Delete the graphs of a document."""
    connection.execute(
        sa.delete(document_graphs).where(_within(collection), document_graphs.c.document_id == document_id)
    )


def _all(query: sa.Select[Any], connection: sa.Connection) -> Sequence[sa.Row[Any]]:
    return connection.execute(query).all()


def _within(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(document_graphs.c.tenant == collection.tenant, document_graphs.c.collection_id == collection.id)


def _row_of(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)
