"""Collections of documents, each visible to its tenant or to some groups of it.

Whoever asks for collections says for which groups: what those may not see is not found. The methods on documents
take a ``Collection``, which only such a question gives out.
"""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import logging
import time
from typing import Any

import sqlalchemy as sa

import mainspring.stores.blobs as blob_store
import mainspring.stores.ids as ids
import mainspring.stores.rows as rows
from mainspring.errors import Conflict, InvalidRequest, MainspringError, NotFound
from mainspring.stores.blobs import Blobs
from mainspring.stores.database import Database
from mainspring.stores.documents import Collection, Document, Documents, DocumentVersion, document_of
from mainspring.stores.schema import collections, documents

__all__ = ["Collection", "Collections", "Document", "DocumentVersion"]

PREFIX = "vs_"
# How long ``version`` may lag behind what another process has published.
REFRESH_S = 1.0

_log = logging.getLogger(__name__)


class Collections(Documents):
    """The collections of all tenants, with their documents."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        super().__init__(database, blobs)
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the versions, and keep reading them."""
        await self._refresh()
        self._watch = asyncio.create_task(self._keep_fresh(), name="collection versions")

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])

    async def create(
        self, tenant: str, name: str, groups: frozenset[str] = frozenset(), *, embedder: str
    ) -> Collection:
        """Raises ``Conflict`` when the tenant has one of that name, ``InvalidRequest`` for a name that is
        empty or looks like an id."""
        if not name.strip() or name.startswith(PREFIX):
            raise InvalidRequest(f"{name!r} is no name for a collection", remedy="Choose another", param="name")
        collection = Collection(ids.new(PREFIX), tenant, rows.clean(name), groups, embedder, 0, time.time())
        row = {**dataclasses.asdict(collection), "groups": rows.names(groups)}
        try:
            await self._database.write(
                lambda connection: connection.execute(sa.insert(collections), row) and None, durable=True
            )
        except sa.exc.IntegrityError:
            raise Conflict(f"there is a collection {name} already", param="name") from None
        self._versions[tenant, collection.id] = 0
        return collection

    async def get(self, tenant: str, id_or_name: str, *, groups: frozenset[str] = frozenset()) -> Collection:
        """The collection as ``groups`` may see it. Raises ``NotFound`` for what they may not, as for what
        does not exist."""
        either = sa.or_(collections.c.id == id_or_name, collections.c.name == id_or_name)
        found = await self._visible(tenant, groups, either)
        if not found:
            raise NotFound(f"there is no collection {id_or_name}", remedy="GET /v1/vector_stores lists them")
        return found[0]

    async def list(self, tenant: str, *, groups: frozenset[str] = frozenset()) -> list[Collection]:
        """All collections that ``groups`` may see, by name."""
        return await self._visible(tenant, groups, sa.true())

    async def delete(self, tenant: str, collection_id: str) -> None:
        """Forget a collection with its documents and their texts; its vectors are the caller's to drop.

        Takes the id, which only ``get`` and ``list`` give out. Raises ``NotFound``.
        """
        mine = sa.and_(documents.c.tenant == tenant, documents.c.collection_id == collection_id)

        def work(connection: sa.Connection) -> None:
            deleted = sa.delete(collections).where(collections.c.tenant == tenant, collections.c.id == collection_id)
            if connection.execute(deleted).rowcount == 0:
                raise NotFound(f"there is no collection {collection_id}")
            texts = connection.execute(sa.delete(documents).where(mine).returning(documents.c.text_blob)).scalars()
            for sha256 in sorted(set(texts)):
                blob_store.discard(connection, sha256)

        await self._database.write(work, durable=True)
        await blob_store.sweep(self._database, self._blobs)
        self._versions.pop((tenant, collection_id), None)

    async def unfinished(self) -> builtins.list[tuple[Collection, Document]]:
        """Documents of all tenants whose ingest was begun and neither published nor failed, oldest first."""
        query = sa.select(documents).where(documents.c.status == "in_progress").order_by(documents.c.updated_at)

        def work(connection: sa.Connection) -> builtins.list[tuple[Collection, Document]]:
            found = connection.execute(query).all()
            homes = sa.select(collections).where(collections.c.id.in_({row.collection_id for row in found}))
            known = {(row.tenant, row.id): _collection(row) for row in connection.execute(homes)}
            return [(known[row.tenant, row.collection_id], document_of(row)) for row in found]

        return await self._database.read(work)

    def version(self, collection: Collection) -> int:
        """The newest version known here, without a look at the database: this process's own changes at once,
        those of others within ``REFRESH_S``. -1 for a collection that is gone.

        For fingerprints, which must not wait.
        """
        return self._versions.get((collection.tenant, collection.id), -1)

    def versions(self, tenant: str) -> dict[str, int]:
        """``version`` of all collections of the tenant, by id; as fresh as that."""
        return {key: version for (owner, key), version in self._versions.items() if owner == tenant}

    async def _visible(
        self, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
    ) -> builtins.list[Collection]:
        # The one place where collections are read for somebody.
        query = sa.select(collections).where(collections.c.tenant == tenant, where).order_by(collections.c.name)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [each for each in map(_collection, found) if each.visible_to(groups)]

    async def _refresh(self) -> None:
        before = set(self._versions)
        query = sa.select(collections.c.tenant, collections.c.id, collections.c.version)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        read = {(tenant, collection_id): version for tenant, collection_id, version in found}
        for gone in before - read.keys():
            self._versions.pop(gone, None)
        for key, version in read.items():
            self._know(key, version)

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                await self._refresh()
            except MainspringError as error:
                _log.warning("the versions of collections could not be read: %s", error)


def _collection(row: sa.Row[Any]) -> Collection:
    fields = dict(row._mapping)
    return Collection(**{**fields, "groups": frozenset(rows.load(fields["groups"]))})
