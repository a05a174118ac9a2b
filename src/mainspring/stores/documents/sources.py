"""The sources of collections, and how far each has been synced.

A source's cursor is written after its documents are published: a process that dies in between reads them again and
finds them unchanged.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.documents.records import Collection
from mainspring.stores.schema import sources
from mainspring.stores.sql.database import Database

PREFIX = "src_"


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A configured source of a collection.

    ``kind`` names the connector, ``location`` its source (one row for each), ``options`` its options. ``cursor`` is the
    connector's note of where it stopped (empty: at the beginning), ``error`` is the reason why the last sync failed,
    and ``synced_at`` (Unix seconds) is the end of the last completed sync.
    """

    id: str
    kind: str
    location: str
    options: Mapping[str, Any]
    cursor: str
    error: str
    created_at: float
    synced_at: float | None


class Sources:
    """The sources of collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, collection: Collection, kind: str, location: str, options: Mapping[str, Any]) -> SourceRow:
        """Configure a source, or change the options of an existing one; changed options restart it."""
        dumped = rows.dump(dict(options))
        new = {
            "tenant": collection.tenant,
            "collection_id": collection.id,
            "id": ids.new(PREFIX),
            "kind": kind,
            "location": location,
            "options": dumped,
            "cursor": "",
            "error": "",
            "created_at": time.time(),
            "synced_at": None,
        }
        one = sa.and_(_within(collection), sources.c.kind == kind, sources.c.location == location)

        def work(connection: sa.Connection) -> sa.Row[Any]:
            connection.execute(rows.insert_new(connection, sources), new)
            changed = sa.update(sources).where(one, sources.c.options != dumped)
            connection.execute(changed.values(options=dumped, cursor=""))
            return connection.execute(sa.select(sources).where(one)).one()

        return _source(await self._database.write(work, durable=True))

    async def list(self, collection: Collection) -> list[SourceRow]:
        """The sources of a collection, oldest first."""
        query = sa.select(sources).where(_within(collection)).order_by(sources.c.id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_source(row) for row in found]

    async def advance(self, collection: Collection, source_id: str, cursor: str) -> None:
        """Note how far a source was followed; all before ``cursor`` is published."""
        await self._set(collection, source_id, {"cursor": cursor})

    async def synced(self, collection: Collection, source_id: str, error: str = "") -> None:
        """Note that a sync came to its end (or why it did not)."""
        await self._set(collection, source_id, {"error": error} | ({} if error else {"synced_at": time.time()}))

    async def remove(self, collection: Collection, source_id: str) -> None:
        """Forget a source; its documents stay. Raises ``NotFound``."""
        gone = sa.delete(sources).where(_within(collection), sources.c.id == source_id)
        if not await self._database.write(lambda connection: connection.execute(gone).rowcount, durable=True):
            raise NotFound(f"{collection.name} has no source {source_id}")

    async def _set(self, collection: Collection, source_id: str, values: Mapping[str, Any]) -> None:
        changed = sa.update(sources).where(_within(collection), sources.c.id == source_id).values(**values)
        await self._database.write(lambda connection: connection.execute(changed) and None, durable=True)


def _within(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(sources.c.tenant == collection.tenant, sources.c.collection_id == collection.id)


def _source(row: sa.Row[Any]) -> SourceRow:
    return SourceRow(
        row.id, row.kind, row.location, rows.load(row.options), row.cursor, row.error, row.created_at, row.synced_at
    )
