"""Collections of documents, each visible to its whole tenant or to some of its groups.

Every read names the caller's groups: collections that they may not see are not found. The methods on documents take a
``Collection``, which only such a question gives out.

A caller cannot create a second collection under a name that it can see. A collection that it cannot see does not block
the name: a refusal would reveal that it exists. So names are unique within one set of groups, and who sees two of a
name gets the older: a name that is in use is never taken over by a newcomer.
"""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.documents.forgetting as forgetting
import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, NotFound
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.catalogue import Collection, Document, Documents, DocumentVersion, Status, document_of
from mainspring.stores.events.audit_log import LOCAL, Actor, Audit, HashedText
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.schema import (
    collections,
    document_graphs,
    documents,
    file_batches,
    sources,
    stale_chunks,
)
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Place, Slice
from mainspring.stores.sql.row_access import IN_COLLECTION, RowAccess, expired

__all__ = ["Collection", "Collections", "Document", "DocumentCounts", "DocumentVersion"]

PREFIX = "vs_"
UNNAMED = "unnamed-"  # The beginning of the name of a collection that was given none.
# How long ``version`` may lag behind what another process has published.
REFRESH_S = 0.5
_TOUCHED_S = 60.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """How many documents of a collection have each status, and how many characters they hold."""

    counts: Mapping[str, int]
    chars: int


class Collections(Documents):
    """The collections of all tenants, with their documents."""

    def __init__(
        self, database: Database, blobs: Blobs, audit: Audit | None = None, quotas: Quotas | None = None
    ) -> None:
        super().__init__(database, blobs, audit)
        self._quotas = quotas or Quotas(database)
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
        self,
        tenant: str,
        name: str | None,
        groups: frozenset[str] = frozenset(),
        *,
        embedder: str,
        seen_by: frozenset[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        description: str = "",
        expires_days: int | None = None,
    ) -> Collection:
        """A new collection of ``groups``; ``seen_by`` are the creator's groups (None: the same). None: a name is made
        of the id.

        Raises ``Conflict`` when those see one of that name already, ``InvalidRequest`` for a name that is empty or
        looks like an id.
        """
        made = ids.new(PREFIX)
        collection = Collection(
            *(
                made,
                tenant,
                _checked(f"{UNNAMED}{made.removeprefix(PREFIX)}" if name is None else name),
                groups,
                embedder,
                0,
                time.time(),
            ),
            metadata=dict(metadata or {}),
            description=rows.clean(description),
            expires_days=expires_days,
        )

        def work(connection: sa.Connection) -> None:
            self._quotas.hold(connection, tenant, "vector_stores")
            _claim_name(connection, collection, groups if seen_by is None else seen_by)
            connection.execute(sa.insert(collections), _row(collection))

        await self._named(collection, work)
        self._versions[tenant, collection.id] = 0
        return collection

    async def check_room(self, tenant: str) -> None:
        """Raises ``QuotaExceeded`` if the tenant has its maximum of chunks."""
        await self._quotas.check(tenant, "chunks")

    async def update(
        self,
        collection: Collection,
        *,
        seen_by: frozenset[str],
        name: str | None = None,
        metadata: Mapping[str, str] | None = None,
        expires_days: int | Literal["kept"] | None = "kept",
    ) -> Collection:
        """Rename it, replace its metadata (None: unchanged), or have it expire (None: no more). Raises what ``create``
        does, and ``NotFound``."""
        changed = dataclasses.replace(
            collection,
            name=collection.name if name is None else _checked(name),
            metadata=collection.metadata if metadata is None else dict(metadata),
            expires_days=collection.expires_days if expires_days == "kept" else expires_days,
            active_at=time.time(),
        )
        row = {name: _row(changed)[name] for name in ("name", "metadata", "expires_days", "active_at")}
        mine = sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)

        def work(connection: sa.Connection) -> None:
            if changed.name != collection.name:
                _claim_name(connection, changed, seen_by)
            if connection.execute(sa.update(collections).where(mine).values(row)).rowcount == 0:
                raise NotFound(f"there is no collection {collection.id}")

        await self._named(changed, work)
        return changed

    async def touch(self, collection: Collection) -> None:
        """Note that it is in use, once a minute at most."""
        now = time.time()
        if now - collection.last_active_at < _TOUCHED_S:
            return
        mine = sa.and_(collections.c.tenant == collection.tenant, collections.c.id == collection.id)
        active = sa.update(collections).where(mine).values(active_at=now)
        await self._database.write(lambda connection: connection.execute(active), durable=False)

    async def expired(self) -> builtins.list[Collection]:
        """The collections of all tenants that have expired and are still there."""
        query = sa.select(collections).where(expired(time.time()))
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_collection(row) for row in found]

    async def get(self, tenant: str, id_or_name: str, *, groups: frozenset[str] = frozenset()) -> Collection:
        """The collection as ``groups`` may see it, the oldest of that name. Raises ``NotFound`` if it does not exist or
        ``groups`` may not see it."""
        either = sa.or_(collections.c.id == id_or_name, collections.c.name == id_or_name)
        found = await self._visible(tenant, groups, either)
        if not found:
            raise NotFound(f"there is no collection {id_or_name}", remedy="GET /v1/vector_stores lists them")
        return found[0]

    async def known(self, tenant: str, collection_id: str) -> Collection:
        """The collection without an access check: for maintenance. Raises ``NotFound``."""
        query = sa.select(collections).where(collections.c.tenant == tenant, collections.c.id == collection_id)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"there is no collection {collection_id}")
        return _collection(row)

    async def list(self, tenant: str, *, groups: frozenset[str] = frozenset()) -> list[Collection]:
        """All collections that ``groups`` may see, by name, of one name the oldest first."""
        return await self._visible(tenant, groups, sa.true())

    async def page(self, tenant: str, page: Page, *, groups: frozenset[str] = frozenset()) -> Slice[Collection]:
        """A page of what ``groups`` may see, by age. Raises ``InvalidRequest`` for a cursor that is no id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = _seen(connection, tenant, groups, sa.true())
            return pages.read(connection, query, (collections.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_collection)

    async def tallies(self, found: Sequence[Collection], *, groups: frozenset[str]) -> dict[str, DocumentCounts]:
        """The visible contents of each collection for ``groups``, by id. Takes some hundred at most."""

        def work(connection: sa.Connection) -> builtins.list[Any]:
            mine = sa.tuple_(documents.c.tenant, documents.c.collection_id).in_(
                [(each.tenant, each.id) for each in found]
            )
            query = (
                sa.select(
                    documents.c.collection_id, documents.c.status, sa.func.count(), sa.func.sum(documents.c.chars)
                )
                .join(collections, IN_COLLECTION)
                .where(mine, RowAccess(connection, groups).sees_document())
                .group_by(documents.c.collection_id, documents.c.status)
            )
            return builtins.list(connection.execute(query))

        tallied: dict[str, dict[str, tuple[int, int]]] = {each.id: {} for each in found}
        for collection_id, status, count, chars in await self._database.read(work):
            tallied[collection_id][status] = (count, int(chars))
        return {
            collection_id: DocumentCounts(
                {status: count for status, (count, _) in statuses.items()}, sum(chars for _, chars in statuses.values())
            )
            for collection_id, statuses in tallied.items()
        }

    async def documents_page(
        self, collection: Collection, page: Page, *, groups: frozenset[str], status: Status | None = None
    ) -> Slice[Document]:
        """A page of the documents that ``groups`` may see, by age. Cursors are file ids or document ids; raises
        ``InvalidRequest`` for one that is neither."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = _documents_seen(connection, collection, groups)

            def place(cursor: str) -> Place | None:
                found = connection.execute(query.where(_called(cursor)).order_by(documents.c.id).limit(1)).first()
                return None if found is None else (found.id,)

            listed = query if status is None else query.where(documents.c.status == status)
            return pages.read(connection, listed, (documents.c.id,), page, place)

        return (await self._database.read(work)).map(document_of)

    async def document_called(self, collection: Collection, name: str, *, groups: frozenset[str]) -> Document:
        """The document with this file id or document id. Raises ``NotFound`` if ``groups`` may not see it, or it does
        not exist."""

        def work(connection: sa.Connection) -> sa.Row[Any] | None:
            query = _documents_seen(connection, collection, groups).where(_called(name)).order_by(documents.c.id)
            return connection.execute(query.limit(1)).first()

        row = await self._database.read(work)
        if row is None:
            raise NotFound(f"{name} is not in {collection.name}", param="file_id")
        return document_of(row)

    async def delete(self, tenant: str, collection_id: str, *, by: Actor = LOCAL) -> None:
        """Forget a collection with its documents and their texts; its vectors are noted as still to be dropped, and
        who does it is written into the audit log.

        Takes the id, which only ``get`` and ``list`` give out. Raises ``NotFound``.
        """
        mine = sa.and_(documents.c.tenant == tenant, documents.c.collection_id == collection_id)

        def work(connection: sa.Connection) -> None:
            deleted = sa.delete(collections).where(collections.c.tenant == tenant, collections.c.id == collection_id)
            row = connection.execute(deleted.returning(collections)).one_or_none()
            if row is None:
                raise NotFound(f"there is no collection {collection_id}")
            old = _collection(row)
            for table in (sources, stale_chunks, document_graphs, file_batches):
                theirs = sa.and_(table.c.tenant == tenant, table.c.collection_id == collection_id)
                connection.execute(sa.delete(table).where(theirs))
            gone = connection.execute(sa.delete(documents).where(mine).returning(documents)).all()
            forgetting.note_all(connection, old, gone)
            for sha256 in sorted({row.text_blob for row in gone}):
                blob_store.discard(connection, sha256)
            told = {"name": HashedText(old.name), "documents": len(gone)}
            self._audit.append(connection, tenant, "vector_store.deleted", by, object=collection_id, details=told)

        await self._database.write(work, frees=True)
        await blob_store.sweep(self._database, self._blobs)
        self._versions.pop((tenant, collection_id), None)

    async def unfinished(self) -> builtins.list[tuple[Collection, Document]]:
        """Documents of all tenants whose ingestion started and neither succeeded nor failed, oldest first."""
        query = sa.select(documents).where(documents.c.status == "in_progress").order_by(documents.c.updated_at)

        def work(connection: sa.Connection) -> builtins.list[tuple[Collection, Document]]:
            found = connection.execute(query).all()
            homes = sa.select(collections).where(collections.c.id.in_({row.collection_id for row in found}))
            known = {(row.tenant, row.id): _collection(row) for row in connection.execute(homes)}
            homed = [(known.get((row.tenant, row.collection_id)), document_of(row)) for row in found]
            # A collection may be deleted between the two queries.
            return [(home, document) for home, document in homed if home is not None]

        return await self._database.read(work)

    def version(self, collection: Collection) -> int:
        """The newest version known here, without a query of the database: this process's own changes at once, changes
        of other processes within ``REFRESH_S``. -1 for a collection that is gone.

        For fingerprints, which must not wait.
        """
        return self._versions.get((collection.tenant, collection.id), -1)

    def versions(self, tenant: str) -> dict[str, int]:
        """``version`` of all collections of the tenant, by id; as fresh as that."""
        return {key: version for (owner, key), version in self._versions.items() if owner == tenant}

    async def _named(self, collection: Collection, work: Callable[[sa.Connection], None]) -> None:
        try:
            await self._database.write(work, durable=True)
        except sa.exc.IntegrityError:
            raise _taken(collection) from None

    async def _visible(
        self, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
    ) -> builtins.list[Collection]:
        def work(connection: sa.Connection) -> builtins.list[sa.Row[Any]]:
            query = _seen(connection, tenant, groups, where).order_by(collections.c.name, collections.c.id)
            return builtins.list(connection.execute(query))

        return [_collection(row) for row in await self._database.read(work)]

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


def _seen(
    connection: sa.Connection, tenant: str, groups: frozenset[str], where: sa.ColumnElement[bool]
) -> sa.Select[Any]:
    # The only place where collections are read for a caller.
    return sa.select(collections).where(
        collections.c.tenant == tenant, where, RowAccess(connection, groups).sees_collection()
    )


def _documents_seen(connection: sa.Connection, collection: Collection, groups: frozenset[str]) -> sa.Select[Any]:
    within = sa.and_(documents.c.tenant == collection.tenant, documents.c.collection_id == collection.id)
    seen = RowAccess(connection, groups).sees_document()
    return sa.select(documents).join(collections, IN_COLLECTION).where(within, seen)


def _called(name: str) -> sa.ColumnElement[bool]:
    return sa.or_(documents.c.file_id == name, documents.c.id == name)


def _checked(name: str) -> str:
    if not name.strip() or name.startswith(PREFIX):
        raise InvalidRequest(f"{name!r} is not a name for a collection", remedy="Choose another", param="name")
    return rows.clean(name)


def _claim_name(connection: sa.Connection, collection: Collection, seen_by: frozenset[str]) -> None:
    # Two who claim one name at the same time would not see each other.
    sql.lock(connection, f"collection {collection.tenant} {collection.name}")
    same = sa.and_(collections.c.name == collection.name, collections.c.id != collection.id)
    if connection.execute(_seen(connection, collection.tenant, seen_by, same)).first() is not None:
        raise _taken(collection)


def _taken(collection: Collection) -> Conflict:
    return Conflict(f"there is a collection {collection.name} already", param="name")


def _row(collection: Collection) -> dict[str, Any]:
    fields = dataclasses.asdict(collection)
    return {**fields, "groups": rows.names(collection.groups), "metadata": rows.dump(fields["metadata"])}


def _collection(row: sa.Row[Any]) -> Collection:
    fields = dict(row._mapping)
    del fields["removed"]
    texts = {"groups": frozenset(rows.load(fields["groups"])), "metadata": rows.load(fields["metadata"])}
    return Collection(**{**fields, **texts})
