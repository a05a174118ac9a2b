"""Removes rows whose text is no longer kept: retention deletes texts, and people delete answers, without the lake."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlalchemy as sa

from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.rewriting import Rewriting
from mainspring.features.lake.files.storage import opened
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.schema import contents, events
from mainspring.stores.sql.database import Database

ZONES = ("clean", "ready")
_BATCH = 4096
Rows = list[tuple[str, tuple[str, ...]]]


class Sweeping:
    """Compares files with the stored texts."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home
        self._manifest = Manifest(database)
        self._rewriting = Rewriting(database, home)

    async def sweep(self, tenant: str = "") -> int:
        """Remove rows of ``tenant`` (empty: of all) that repeat a text which is gone; returns their number."""
        count = 0
        for name in [tenant] if tenant else await self._manifest.tenants():
            gone: set[str] = set()
            for zone in ZONES:
                for file in await self._manifest.files(name, zone):
                    gone |= await self._gone(name, file)
            count += await self._rewriting.drop(name, gone)
        return count

    async def _gone(self, tenant: str, file: LakeFile) -> set[str]:
        found: set[str] = set()
        batches = self._rows(file)
        while (rows := await asyncio.to_thread(next, batches, None)) is not None:
            given = rows
            found |= await self._database.read(lambda connection, given=given: _gone(connection, tenant, given))  # type: ignore[misc]
        return found

    def _rows(self, file: LakeFile) -> Iterator[Rows]:
        try:
            with opened(file.root, self._home).open(file.path) as parquet:
                for batch in parquet.iter_batches(_BATCH, columns=["answer_id", "content_ids"]):
                    columns = batch.column("answer_id").to_pylist(), batch.column("content_ids").to_pylist()
                    yield [(name, tuple(used or ())) for name, used in zip(*columns, strict=True)]
        except FileNotFoundError:
            # It was replaced meanwhile.
            return


def _gone(connection: sa.Connection, tenant: str, rows: Rows) -> set[str]:
    """The answers that have lost their own text, or one that they repeat."""
    kept = _kept(connection, tenant, [name for name, _ in rows])
    texts: set[str] = set()
    for part in parts(sorted({each for _, used in rows for each in used})):
        query = sa.select(contents.c.sha256).where(contents.c.tenant == tenant, contents.c.sha256.in_(part))
        texts.update(connection.execute(query).scalars())
    return {name for name, used in rows if name not in kept or not texts.issuperset(used)}


def _kept(connection: sa.Connection, tenant: str, names: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for part in parts(names):
        query = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.id.in_(part))
        found.update(connection.execute(query.where(events.c.content_id.is_not(None))).scalars())
    return found
