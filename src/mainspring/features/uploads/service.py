"""Uploads: parts are kept as blobs until they become a file, are cancelled, or expire."""

from __future__ import annotations

import asyncio
import hashlib
import io
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from weakref import WeakValueDictionary

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, InvalidRequest, MainspringError, NotFound, QuotaExceeded, TooLarge
from mainspring.core.types import Principal
from mainspring.features.uploads.settings import UploadsSettings
from mainspring.features.uploads.tables import upload_parts, uploads
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.files import FileInfo, Files
from mainspring.stores.sql.database import Database

log = logging.getLogger(__name__)
PREFIX, PART = "upload_", "part_"
Status = Literal["pending", "completing", "completed", "cancelled", "expired"]
UNDER_WAY: tuple[Status, ...] = ("pending", "completing")
# Seconds for which the record of an upload that is over stays.
_KEPT_S = 86_400.0
EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that is to come: ``bytes`` of them. Times are Unix seconds; ``file_expires_s`` the seconds that the
    resulting file lives (None: for ever)."""

    tenant: str
    id: str
    key_id: str
    groups: frozenset[str]
    filename: str
    purpose: str
    bytes: int
    status: Status
    created_at: float
    expires_at: float
    file_expires_s: int | None = None
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class UploadPart:
    """A part that is there."""

    id: str
    upload_id: str
    sha256: str
    bytes: int
    created_at: float


class Uploads:
    """The uploads of each tenant; a key sees those of keys of the same groups."""

    def __init__(self, database: Database, blobs: Blobs, files: Files, settings: UploadsSettings) -> None:
        self._database = database
        self._blobs = blobs
        self._files = files
        self._settings = settings
        # Files are put together in memory: one at a time, and of one tenant no second one waits before others' first.
        self._one = asyncio.Lock()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def create(
        self, principal: Principal, *, filename: str, purpose: str, size: int, file_expires_s: int | None
    ) -> Upload:
        """Raises ``TooLarge``, and ``QuotaExceeded`` if the tenant has as many under way as it may."""
        settings, now = self._settings, time.time()
        if size > settings.max_bytes:
            remedy = "Send less, or raise uploads.max_bytes"
            raise TooLarge(f"a file may have {settings.max_bytes} bytes", remedy=remedy, param="bytes")
        upload = Upload(
            principal.tenant,
            ids.new(PREFIX),
            principal.key_id,
            principal.groups,
            cards.scrub(filename),
            purpose,
            size,
            "pending",
            now,
            now + settings.expire_s,
            file_expires_s,
        )

        def work(connection: sa.Connection) -> None:
            # Two that count at the same time would both find room for the last one.
            sql.lock(connection, f"uploads {upload.tenant}")
            mine = sa.and_(uploads.c.tenant == upload.tenant, uploads.c.status.in_(UNDER_WAY))
            counts = sa.func.count(), sa.func.coalesce(sa.func.sum(uploads.c.bytes), 0)
            count, total = connection.execute(sa.select(*counts).where(mine)).one()
            _check_room(count, int(total) + size, settings)
            row = {column.name: getattr(upload, column.name) for column in uploads.columns}
            connection.execute(sa.insert(uploads).values({**row, "groups": rows.names(upload.groups)}))

        await self._database.write(work, durable=True)
        return upload

    async def add(self, principal: Principal, upload_id: str, data: bytes) -> UploadPart:
        """Keep a part; durable when it returns. Raises ``NotFound``, ``TooLarge``, ``InvalidRequest`` if all parts
        would be more than was announced, ``Conflict`` for an upload that is over."""
        if len(data) > self._settings.part_bytes:
            raise TooLarge(
                f"a part may have {self._settings.part_bytes} bytes", remedy="Send smaller ones", param="data"
            )
        _pending(await self.get(principal, upload_id))
        sha256 = await self._blobs.put(data)
        part = UploadPart(ids.new(PART), upload_id, sha256, len(data), time.time())

        def work(connection: sa.Connection) -> None:
            upload = _locked(connection, principal, upload_id)
            there = sa.select(sa.func.coalesce(sa.func.sum(upload_parts.c.bytes), 0)).where(_parts_of(upload))
            total = int(connection.execute(there).scalar_one()) + part.bytes
            if total > upload.bytes:
                raise InvalidRequest(f"the parts have {total} bytes, but {upload.bytes} were announced", param="data")
            if not blob_store.claim(connection, self._blobs, sha256):
                self._blobs.write(data)
            row = {
                column.name: getattr(part, column.name) for column in upload_parts.columns if column.name != "tenant"
            }
            connection.execute(sa.insert(upload_parts).values(tenant=upload.tenant, **row))

        try:
            await self._database.write(work, durable=True)
        except MainspringError:
            await self._discard([sha256])
            raise
        return part

    async def complete(
        self, principal: Principal, upload_id: str, part_ids: Sequence[str], md5: str | None
    ) -> tuple[Upload, FileInfo]:
        """Put the parts together, in this order, into a file. Raises ``NotFound``, ``Conflict``, ``InvalidRequest``
        naming the field that does not fit the parts, and what adding a file raises; it stays pending then."""
        upload = _pending(await self.get(principal, upload_id))
        found = {each.id: each for each in await self._parts(upload)}
        if unknown := [each for each in part_ids if each not in found]:
            raise InvalidRequest(f"{upload_id} has no part {unknown[0]}", param="part_ids")
        if len(set(part_ids)) < len(part_ids):
            raise InvalidRequest("a part is named twice", param="part_ids")
        parts = [found[each] for each in part_ids]
        if (total := sum(each.bytes for each in parts)) != upload.bytes:
            raise InvalidRequest(f"the parts have {total} bytes, but {upload.bytes} were announced", param="part_ids")
        turn = self._turns.setdefault(upload.tenant, asyncio.Lock())
        async with turn, self._one:
            info = await self._put_together(principal, upload, parts, md5)
        await self._turn(principal, upload_id, "completing", "completed", file_id=info.id)
        await self._forget_parts(upload)
        return replace(upload, status="completed", file_id=info.id), info

    async def _put_together(
        self, principal: Principal, upload: Upload, parts: Sequence[UploadPart], md5: str | None
    ) -> FileInfo:
        """The file. Besides it, one part is in memory."""
        buffer = io.BytesIO()
        for each in parts:
            buffer.write(await self._blobs.get(each.sha256))
        # It hands out its own bytes: no copy.
        data = buffer.getvalue()
        if md5 is not None and await asyncio.to_thread(_md5, data) != md5.lower():
            raise InvalidRequest("the bytes do not match md5", remedy="Upload the parts again", param="md5")
        await self._turn(principal, upload.id, "pending", "completing")
        try:
            return await self._files.add(
                upload.tenant, upload.filename, data, upload.purpose, upload.groups, expires_s=upload.file_expires_s
            )
        except BaseException:
            await self._turn(principal, upload.id, "completing", "pending")
            raise

    async def cancel(self, principal: Principal, upload_id: str) -> Upload:
        """Raises ``NotFound``, and ``Conflict`` for one that is over."""
        upload = _pending(await self.get(principal, upload_id))
        await self._turn(principal, upload_id, "pending", "cancelled")
        await self._forget_parts(upload)
        return replace(upload, status="cancelled")

    async def get(self, principal: Principal, upload_id: str) -> Upload:
        """Raises ``NotFound``."""
        query = sa.select(uploads).where(_is(principal, upload_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise _unknown(upload_id)
        return _upload(row)

    async def expire(self) -> int:
        """Delete the parts of uploads that were not completed in time, and old records; how many expired."""
        now = time.time()
        due = sa.and_(uploads.c.status.in_(UNDER_WAY), uploads.c.expires_at <= now)

        def work(connection: sa.Connection) -> list[Any]:
            changed = sa.update(uploads).where(due).values(status="expired").returning(uploads)
            gone = list(connection.execute(changed))
            connection.execute(
                sa.delete(uploads).where(uploads.c.status.not_in(UNDER_WAY), uploads.c.expires_at <= now - _KEPT_S)
            )
            return gone

        gone = [_upload(row) for row in await self._database.write(work, durable=True)]
        for each in gone:
            await self._forget_parts(each)
        return len(gone)

    async def _turn(self, principal: Principal, upload_id: str, before: Status, after: Status, **more: Any) -> None:
        one = sa.and_(_is(principal, upload_id), uploads.c.status == before)
        changed = sa.update(uploads).where(one).values(status=after, **more)
        done = await self._database.write(lambda connection: connection.execute(changed).rowcount, durable=True)
        if not done:
            raise Conflict(f"{upload_id} was completed, cancelled or has expired meanwhile", param="upload_id")

    async def _parts(self, upload: Upload) -> list[UploadPart]:
        query = sa.select(upload_parts).where(_parts_of(upload)).order_by(upload_parts.c.id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [UploadPart(row.id, row.upload_id, row.sha256, row.bytes, row.created_at) for row in found]

    async def _forget_parts(self, upload: Upload) -> None:
        def work(connection: sa.Connection) -> None:
            gone = sa.delete(upload_parts).where(_parts_of(upload)).returning(upload_parts.c.sha256)
            for sha256 in sorted(set(connection.execute(gone).scalars())):
                blob_store.discard(connection, sha256)

        await self._database.write(work, frees=True)
        await blob_store.sweep(self._database, self._blobs)

    async def _discard(self, found: Sequence[str]) -> None:
        def work(connection: sa.Connection) -> None:
            for sha256 in found:
                blob_store.discard(connection, sha256)

        await self._database.write(work, durable=False)
        await blob_store.sweep(self._database, self._blobs)


async def sweeping(found: Uploads) -> None:
    """Expire uploads, once a minute, until it is cancelled."""
    while True:
        try:
            await found.expire()
        except MainspringError as error:
            log.warning("uploads that have expired were not deleted yet: %s", error)
        await asyncio.sleep(EVERY_S)


def _check_room(count: int, total: int, settings: UploadsSettings) -> None:
    remedy = "Complete or cancel some, or raise uploads.{}"
    if count >= settings.pending:
        raise QuotaExceeded(f"this tenant has {count} uploads under way", remedy=remedy.format("pending"))
    if total > settings.pending_bytes:
        problem = f"this tenant's uploads under way would have {total} bytes"
        raise QuotaExceeded(problem, remedy=remedy.format("pending_bytes"), param="bytes")


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _is(principal: Principal, upload_id: str) -> sa.ColumnElement[bool]:
    theirs = uploads.c.groups == rows.names(principal.groups)
    return sa.and_(uploads.c.tenant == principal.tenant, uploads.c.id == upload_id, theirs)


def _locked(connection: sa.Connection, principal: Principal, upload_id: str) -> Upload:
    row = connection.execute(sa.select(uploads).where(_is(principal, upload_id)).with_for_update()).one_or_none()
    if row is None:
        raise _unknown(upload_id)
    return _pending(_upload(row))


def _parts_of(upload: Upload) -> sa.ColumnElement[bool]:
    return sa.and_(upload_parts.c.tenant == upload.tenant, upload_parts.c.upload_id == upload.id)


def _pending(upload: Upload) -> Upload:
    """The upload. Raises ``Conflict`` for one that is over."""
    status = "expired" if upload.status == "pending" and upload.expires_at <= time.time() else upload.status
    if status != "pending":
        raise Conflict(f"{upload.id} is {status}", remedy="Begin another one: POST /v1/uploads", param="upload_id")
    return upload


def _unknown(upload_id: str) -> NotFound:
    return NotFound(f"there is no upload {upload_id}", remedy="POST /v1/uploads begins one", param="upload_id")


def _upload(row: sa.Row[Any]) -> Upload:
    return Upload(**{**row._mapping, "groups": frozenset(rows.load(row.groups))})
