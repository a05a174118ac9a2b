"""Files that are put into a collection together, and how far they are."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

import mainspring.stores.documents.changes as changes
import mainspring.stores.documents.stale_chunks as stale_chunks
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound
from mainspring.stores.documents.changes import Beginning
from mainspring.stores.documents.records import About, Collection, Document, document_of
from mainspring.stores.documents.visibility import visible
from mainspring.stores.schema import documents, file_batches
from mainspring.stores.sql.database import Database

PREFIX = "vsfb_"
BatchStatus = Literal["in_progress", "completed", "cancelled", "failed"]
# Databases bound the parameters of a query.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FileBatch:
    """``members`` are pairs of file id and document id in their order (empty: there was no such file)."""

    id: str
    collection_id: str
    created_at: float
    members: tuple[tuple[str, str], ...]
    cancelled: bool = False

    @property
    def missing(self) -> list[str]:
        """The ids of members that name no file."""
        return [file_id for file_id, document_id in self.members if not document_id]

    def status(self, found: Sequence[Document]) -> BatchStatus:
        """The state of the batch with these documents."""
        if self.cancelled:
            return "cancelled"
        if any(each.status == "in_progress" for each in found):
            return "in_progress"
        failed = not any(each.status == "completed" for each in found)
        return "failed" if failed and (found or self.missing) else "completed"


class FileBatches:
    """The batches of files of collections, which only callers who may see the collection have."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(
        self, collection: Collection, wanted: Sequence[tuple[Beginning, About]], missing: Sequence[str] = ()
    ) -> FileBatch:
        """Start a generation of each document, and keep the batch of them, in one commit. Raises ``NotFound`` when the
        collection is gone."""
        now = time.time()
        made = FileBatch(ids.new(PREFIX), collection.id, now, ())

        def work(connection: sa.Connection) -> list[tuple[str, str]]:
            begun = [
                (each.file_id or each.source_key, changes.begin(connection, collection, each, about, now)[0])
                for each, about in wanted
            ]
            members = [(file_id, version.document_id) for file_id, version in begun]
            members += [(file_id, "") for file_id in missing]
            row = {"tenant": collection.tenant, "collection_id": collection.id, "id": made.id, "created_at": now}
            connection.execute(sa.insert(file_batches).values(**row, members=rows.dump(members)))
            return members

        members = await self._database.write(work, durable=True)
        return FileBatch(made.id, collection.id, now, tuple(members))

    async def get(self, collection: Collection, batch_id: str) -> FileBatch:
        """Raises ``NotFound``."""
        query = sa.select(file_batches).where(_one(collection, batch_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"{collection.name} has no batch of files {batch_id}", param="batch_id")
        members = tuple((file_id, document_id) for file_id, document_id in rows.load(row.members))
        return FileBatch(row.id, row.collection_id, row.created_at, members, row.cancelled)

    async def documents(
        self, collection: Collection, batch: FileBatch, groups: frozenset[str] | None
    ) -> list[Document]:
        """The batch's documents that ``groups`` may see (None: all) and that were not taken out since, by age."""
        names = [document_id for _, document_id in batch.members if document_id]

        def work(connection: sa.Connection) -> list[sa.Row[tuple[object, ...]]]:
            found: list[sa.Row[tuple[object, ...]]] = []
            for start in range(0, len(names), _AT_ONCE):
                part = documents.c.id.in_(names[start : start + _AT_ONCE])
                found += connection.execute(sa.select(documents).where(changes.within(collection), part))
            return found

        found = [document_of(row) for row in await self._database.read(work) if visible(row, groups)]
        return sorted(found, key=lambda each: each.document_id)

    async def cancel(self, collection: Collection, batch: FileBatch, groups: frozenset[str]) -> list[str]:
        """Stop reading the documents that are not read yet and that ``groups`` may see; their ids."""
        mine = {each.document_id for each in await self.documents(collection, batch, groups)}

        def work(connection: sa.Connection) -> list[str]:
            changed = sa.update(file_batches).where(_one(collection, batch.id)).values(cancelled=True)
            connection.execute(changed)
            stopped = []
            for document_id in sorted(mine):
                waits = sa.and_(
                    changes.within(collection), documents.c.id == document_id, documents.c.status == "in_progress"
                )
                # A generation that is being read now can no longer be published.
                values = {"status": "cancelled", "begun": documents.c.begun + 1, "updated_at": time.time()}
                done = sa.update(documents).where(waits).values(values).returning(documents.c.begun)
                if (begun := connection.execute(done).scalar_one_or_none()) is not None:
                    stale_chunks.note(connection, collection, document_id, begun)
                    stopped.append(document_id)
            return stopped

        return await self._database.write(work, durable=True)


def _one(collection: Collection, batch_id: str) -> sa.ColumnElement[bool]:
    home = sa.and_(file_batches.c.tenant == collection.tenant, file_batches.c.collection_id == collection.id)
    return sa.and_(home, file_batches.c.id == batch_id)
