"""Notebooks and their spoken summaries as rows: a key sees its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import NotFound, QuotaExceeded
from mainspring.core.types import Principal
from mainspring.features.content.tables import content_notebooks as notebooks
from mainspring.features.content.tables import content_recordings as recordings
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX, RECORDING = "nb_", "rec_"
Place = tuple[str, str]
"""A collection's id and a document's."""
_SIZE = sa.func.length(recordings.c.data, type_=sa.Integer)
_ABOUT = (*(each for each in recordings.c if each.name != "data"), _SIZE.label("size"))
_WHOLE = (*_ABOUT, recordings.c.data)


@dataclass(frozen=True, slots=True)
class Notebook:
    """Chosen documents under a name; times are Unix seconds."""

    tenant: str
    id: str
    name: str
    documents: tuple[Place, ...]
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A spoken summary: ``script`` are pairs of a voice and what it says, ``data`` a WAV file of ``size`` bytes,
    which lists leave empty."""

    id: str
    notebook_id: str
    documents: tuple[Place, ...]
    script: tuple[tuple[str, str], ...]
    size: int
    created_at: float
    data: bytes = b""


class NotebookStore:
    """The notebooks of all tenants."""

    def __init__(self, database: Database, quotas: Quotas, most: int, most_recordings: int) -> None:
        """A tenant has ``most`` notebooks and ``most_recordings`` recordings, whose bytes count as those of files."""
        self._database = database
        self._quotas = quotas
        self._most = most
        self._most_recordings = most_recordings
        quotas.also("file_bytes", _SIZE, recordings)

    async def create(self, principal: Principal, name: str, documents: Sequence[Place]) -> Notebook:
        """Durable when it returns. Raises ``QuotaExceeded``."""
        now = time.time()
        row: dict[str, Any] = {"tenant": principal.tenant, "id": ids.new(PREFIX), "owner": principal.person}
        row |= {"groups": rows.names(principal.groups), "name": cards.scrub(name), "created_at": now, "updated_at": now}
        row |= {"documents": rows.dump(documents)}

        def work(connection: sa.Connection) -> Notebook:
            mine = notebooks.c.tenant == principal.tenant
            if connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one() >= self._most:
                raise QuotaExceeded(f"this tenant has {self._most} notebooks, and may have no more")
            connection.execute(sa.insert(notebooks).values(**row))
            return _seen(connection, principal, row["id"])

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, notebook_id: str) -> Notebook:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _seen(connection, principal, notebook_id))

    async def page(self, principal: Principal, page: Page) -> Slice[Notebook]:
        """By age. Raises ``InvalidRequest`` for a cursor that is no notebook's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            query = sa.select(notebooks).where(_mine(notebooks, principal))
            return pages.read(connection, query, (notebooks.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_notebook)

    async def update(
        self, principal: Principal, notebook_id: str, name: str | None, documents: Sequence[Place] | None
    ) -> Notebook:
        """Rename it, choose other documents, or both (None: as they are). Raises ``NotFound``."""
        values: dict[str, Any] = {"updated_at": time.time()}
        values |= {} if name is None else {"name": cards.scrub(name)}
        values |= {} if documents is None else {"documents": rows.dump(documents)}

        def work(connection: sa.Connection) -> Notebook:
            _seen(connection, principal, notebook_id)
            one = sa.and_(notebooks.c.tenant == principal.tenant, notebooks.c.id == notebook_id)
            connection.execute(sa.update(notebooks).where(one).values(**values))
            return _seen(connection, principal, notebook_id)

        return await self._database.write(work, durable=True)

    async def delete(self, principal: Principal, notebook_id: str) -> None:
        """Delete it with its recordings. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            _seen(connection, principal, notebook_id)
            mine = sa.and_(recordings.c.tenant == principal.tenant, recordings.c.notebook_id == notebook_id)
            connection.execute(sa.delete(recordings).where(mine))
            one = sa.and_(notebooks.c.tenant == principal.tenant, notebooks.c.id == notebook_id)
            connection.execute(sa.delete(notebooks).where(one))

        await self._database.write(work, durable=True, frees=True)

    async def record(
        self, principal: Principal, notebook: Notebook, script: Sequence[tuple[str, str]], data: bytes
    ) -> Recording:
        """Keep a spoken summary. Raises ``QuotaExceeded``."""
        row: dict[str, Any] = {"tenant": principal.tenant, "id": ids.new(RECORDING), "owner": principal.person}
        row |= {"groups": rows.names(principal.groups), "notebook_id": notebook.id, "data": data}
        row |= {"documents": rows.dump(notebook.documents), "script": cards.scrub_json(rows.dump(script))}
        row |= {"created_at": time.time()}

        def work(connection: sa.Connection) -> Recording:
            self._held(connection, principal.tenant)
            self._quotas.hold(connection, principal.tenant, "file_bytes", len(data))
            connection.execute(sa.insert(recordings).values(**row))
            return _recorded(connection, principal, row["id"], _ABOUT)

        return await self._database.write(work, durable=True)

    async def recording(self, principal: Principal, recording_id: str) -> Recording:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: _recorded(connection, principal, recording_id, _WHOLE))

    async def check_room(self, tenant: str) -> None:
        """Raises ``QuotaExceeded`` if the tenant may have no more recordings; for work that comes before one."""
        await self._quotas.check(tenant, "file_bytes")
        await self._database.read(lambda connection: self._held(connection, tenant))

    def _held(self, connection: sa.Connection, tenant: str) -> None:
        counted = sa.select(sa.func.count()).select_from(recordings).where(recordings.c.tenant == tenant)
        if connection.execute(counted).scalar_one() >= self._most_recordings:
            raise QuotaExceeded(
                f"this tenant has {self._most_recordings} spoken summaries, and may have no more",
                remedy="Delete some notebooks, or ask whoever operates the server to raise content.max_recordings",
            )

    async def recordings(self, principal: Principal, notebook_id: str) -> Sequence[Recording]:
        """The spoken summaries of a notebook, newest first, without their sound."""

        def work(connection: sa.Connection) -> list[Recording]:
            query = sa.select(*_ABOUT).where(_mine(recordings, principal), recordings.c.notebook_id == notebook_id)
            found = connection.execute(query.order_by(recordings.c.created_at.desc()).limit(100))
            return [_recording(row) for row in found]

        return await self._database.read(work)

    async def drop_recording(self, principal: Principal, recording_id: str) -> None:
        """Delete a spoken summary; one that is gone already is no fault."""
        one = sa.and_(_mine(recordings, principal), recordings.c.id == recording_id)
        await self._database.write(
            lambda connection: connection.execute(sa.delete(recordings).where(one)) and None, durable=True, frees=True
        )


def _mine(table: sa.Table, principal: Principal) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.tenant == principal.tenant, table.c.owner == principal.person)


def _seen(connection: sa.Connection, principal: Principal, notebook_id: str) -> Notebook:
    one = sa.and_(_mine(notebooks, principal), notebooks.c.id == notebook_id)
    row = connection.execute(sa.select(notebooks).where(one)).one_or_none()
    if row is None or not frozenset(rows.load(row.groups)) <= principal.groups:
        raise NotFound(
            f"there is no notebook {notebook_id!r}", remedy="GET /v1/content/notebooks lists them", param="notebook_id"
        )
    return _notebook(row)


def _notebook(row: sa.Row[Any]) -> Notebook:
    places = tuple((each[0], each[1]) for each in rows.load(row.documents))
    return Notebook(row.tenant, row.id, row.name, places, row.created_at, row.updated_at)


def _recorded(
    connection: sa.Connection, principal: Principal, recording_id: str, columns: Sequence[sa.ColumnElement[Any]]
) -> Recording:
    one = sa.and_(_mine(recordings, principal), recordings.c.id == recording_id)
    row = connection.execute(sa.select(*columns).where(one)).one_or_none()
    if row is None or not frozenset(rows.load(row.groups)) <= principal.groups:
        raise NotFound(f"there is no recording {recording_id!r}", param="recording_id")
    return _recording(row)


def _recording(row: sa.Row[Any]) -> Recording:
    places = tuple((each[0], each[1]) for each in rows.load(row.documents))
    script = tuple((each[0], each[1]) for each in rows.load(row.script))
    data = bytes(getattr(row, "data", b""))
    return Recording(row.id, row.notebook_id, places, script, row.size, row.created_at, data)
