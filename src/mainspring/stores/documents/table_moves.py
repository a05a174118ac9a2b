"""Moving the chunks of a collection to another table of the vector store, for re-indexing.

A collection's row names the table that is read and, in ``building``, one other: a table that is being filled, or one
that was read before and is still to be dropped. A process that dies leaves that name behind, and the next one drops the
table. If two callers move a collection at once, the later one wins.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
from mainspring.core.errors import Conflict, NotFound
from mainspring.stores.documents.records import Collection
from mainspring.stores.schema import collections
from mainspring.stores.sql.database import Database

_RANDOM_DIGITS = 12


async def begin(database: Database, collection: Collection) -> tuple[str, str]:
    """Claim a new table: returns its name, and that of a table left by an earlier move (empty: none), which the caller
    drops. Raises ``NotFound``."""
    table = f"{collection.id}_{ids.new('')[-_RANDOM_DIGITS:]}"

    def work(connection: sa.Connection) -> str:
        query = sa.select(collections.c.building).where(_row_of(collection)).with_for_update()
        left = connection.execute(query).scalar_one_or_none()
        if left is None:
            raise NotFound(f"the collection {collection.name} was deleted")
        connection.execute(sa.update(collections).where(_row_of(collection)).values(building=table))
        return str(left)

    return table, await database.write(work, durable=True)


async def switch(database: Database, collection: Collection, table: str, embedder: str, version: int) -> bool:
    """Use ``table``, with vectors of ``embedder``, from this commit on; the old table becomes the one to drop. False if
    the collection is no longer at ``version``: the caller must catch up with the changes.

    Raises ``Conflict`` if another move has started or the collection is gone.
    """

    def work(connection: sa.Connection) -> bool:
        query = sa.select(collections).where(_row_of(collection)).with_for_update()
        row = connection.execute(query).one_or_none()
        if row is None or row.building != table:
            raise Conflict(
                f"collection {collection.name} was deleted, or another re-index of it has begun",
                remedy="The later one will count",
            )
        if row.version != version:
            return False
        values: dict[str, Any] = {
            "stored_in": table,
            "building": row.stored_in or row.id,
            "embedder": embedder,
            "version": version + 1,
        }
        connection.execute(sa.update(collections).where(_row_of(collection)).values(values))
        return True

    return await database.write(work, durable=True)


async def finish(database: Database, collection: Collection, dropped: str) -> None:
    """Note that the table ``dropped`` is gone."""
    forget = sa.update(collections).where(_row_of(collection), collections.c.building == dropped).values(building="")
    await database.write(lambda connection: connection.execute(forget) and None, durable=True)


def moved(connection: sa.Connection, collection: Collection) -> Conflict | None:
    """Prevents chunks written for ``collection`` from being published: its table has changed."""
    stored_in = connection.execute(sa.select(collections.c.stored_in).where(_row_of(collection))).scalar_one_or_none()
    if stored_in == collection.stored_in:
        return None
    return Conflict(f"collection {collection.name} was re-indexed meanwhile", remedy="Ingest the document again")


def _row_of(collection: Collection) -> sa.ColumnElement[bool]:
    return sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)
