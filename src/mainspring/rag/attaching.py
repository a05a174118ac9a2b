"""Puts uploaded files into collections, one by one or many at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.rag.ingest.intake import Intake
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import About, Attributes
from mainspring.stores.documents.changes import Beginning
from mainspring.stores.documents.collections import Collection, Document
from mainspring.stores.documents.file_batches import FileBatch, FileBatches
from mainspring.stores.documents.files import FileInfo


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file for a collection. None: as it was for a document that is there, and nothing for a new one. ``chunking``
    empty: it is cut by the settings."""

    file_id: str
    attributes: Attributes | None = None
    groups: frozenset[str] | None = None
    chunking: str | None = None

    def about(self, known: About) -> About:
        """The record of the document, which had ``known``."""
        given = {name: getattr(self, name) for name in ("attributes", "groups", "chunking")}
        return dataclasses.replace(known, **{name: value for name, value in given.items() if value is not None})


class Attacher:
    """Attaching is durable at once; ``intake`` reads the files in the background."""

    def __init__(self, stores: Stores, intake: Intake) -> None:
        self._collections = stores.collections
        self._files = stores.files
        self._intake = intake
        self.batches = FileBatches(stores.database)

    async def attach(self, principal: Principal, collection: Collection, wanted: Sequence[Attachment]) -> FileBatch:
        """Attach these files, in one commit. Files that are not there become ``missing`` ones of the batch. Raises
        ``NotFound`` for a document that the principal may not see, and ``QuotaExceeded``."""
        await self._collections.check_room(collection.tenant)
        known = {each.source_key: each for each in await self._collections.documents(collection, None)}
        begun: list[tuple[Beginning, About]] = []
        missing: list[str] = []
        for each in {one.file_id: one for one in wanted}.values():
            info = await self._file(principal, each.file_id)
            if info is None:
                missing.append(each.file_id)
                continue
            there = known.get(each.file_id)
            if there is not None:
                # A caller who may not see the document must not open it again by attaching its file.
                await self._collections.document_called(collection, each.file_id, groups=principal.groups)
            about = each.about(there.about if there else About())
            begun.append((Beginning(each.file_id, info.sha256, info.name, each.file_id), about))
        batch = await self.batches.begin(collection, begun, missing)
        self._intake.soon()
        await self._collections.touch(collection)
        return batch

    async def documents(self, principal: Principal, collection: Collection, batch: FileBatch) -> list[Document]:
        """The documents of a batch that the principal may see."""
        return await self.batches.documents(collection, batch, principal.groups)

    async def cancel(self, principal: Principal, collection: Collection, batch_id: str) -> FileBatch:
        """Read no further file of a batch. Raises ``NotFound``."""
        batch = await self.batches.get(collection, batch_id)
        for document_id in await self.batches.cancel(collection, batch, principal.groups):
            self._intake.cancel(collection.id, document_id)
        return dataclasses.replace(batch, cancelled=True)

    async def _file(self, principal: Principal, file_id: str) -> FileInfo | None:
        try:
            return await self._files.get(principal.tenant, file_id, groups=principal.groups)
        except NotFound:
            return None
