"""A person's documents: those whose attribute ``subject`` names the person; for a tenant, all."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from mainspring.core.errors import Conflict, NotFound
from mainspring.rag.ingest.forget import Forgetter
from mainspring.stores import Stores
from mainspring.stores.erase.data_subjects import Subject
from mainspring.stores.schema import documents, files
from mainspring.stores.sql.row_access import RowAccess

ATTRIBUTE = "subject"


@dataclass(frozen=True, slots=True)
class SubjectDocument:
    """A document of a collection. ``file_id`` is None if it was not uploaded, ``attributes`` JSON text."""

    collection_id: str
    id: str
    name: str
    file_id: str | None
    text_blob: str
    attributes: str


class Documents:
    """Finds and deletes them; ``forgetter`` takes their bytes out of the stores."""

    def __init__(self, stores: Stores, forgetter: Forgetter) -> None:
        self._stores = stores
        self._forgetter = forgetter

    async def find(
        self, subject: Subject, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[SubjectDocument]:
        """The documents from before ``upto`` (Unix seconds) that ``groups`` may see (None: all)."""
        if subject.kind not in ("user", "tenant"):
            return []

        def work(connection: sa.Connection) -> list[SubjectDocument]:
            sight = RowAccess(connection, groups or frozenset())
            where = [documents.c.tenant == subject.tenant, documents.c.created_at <= upto]
            if subject.kind == "user":
                where.append(sight.field(documents.c.attributes, ATTRIBUTE) == subject.id)
            if groups is not None:
                where += [sight.sees(documents.c.groups), sight.sees(documents.c.read_groups)]
            found = connection.execute(sa.select(documents).where(*where))
            return [
                SubjectDocument(row.collection_id, row.id, row.name, row.file_id, row.text_blob, row.attributes)
                for row in found
            ]

        return await self._stores.database.read(work)

    async def text(self, document: SubjectDocument) -> str:
        """Its extracted text; empty if there is none (yet)."""
        if not document.text_blob:
            return ""
        return (await self._stores.blobs.get(document.text_blob)).decode()

    async def files(self, subject: Subject, upto: float) -> set[str]:
        """The uploaded files from which they were made; for a tenant, all files."""
        if subject.kind == "tenant":
            query = sa.select(files.c.id).where(files.c.tenant == subject.tenant, files.c.created_at <= upto)
            return set(await self._stores.database.read(lambda connection: connection.execute(query).scalars().all()))
        return {each.file_id for each in await self.find(subject, upto) if each.file_id is not None}

    async def erase(self, subject: Subject, upto: float, gone: set[str]) -> tuple[int, int]:
        """Delete them and the files ``gone``; how many of each. Their bytes are gone when it returns."""
        found = await self.find(subject, upto)
        for each in found:
            # Another process may be deleting the same.
            with contextlib.suppress(NotFound):
                collection = await self._stores.collections.known(subject.tenant, each.collection_id)
                await self._stores.collections.remove(collection, each.id)
        deleted = 0
        for file_id in sorted(gone):
            # A file from which documents of others are made, too, stays with those documents.
            with contextlib.suppress(NotFound, Conflict):
                await self._stores.files.delete(subject.tenant, file_id, groups=None)
                deleted += 1
        if found:
            await self._forgetter.round()
        return len(found), deleted
