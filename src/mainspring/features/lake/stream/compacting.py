"""Merges the many small files of a stream, and leaves out rows of answers that newer rows have replaced."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa
import sqlalchemy as sa

from mainspring.features.lake.files import manifest
from mainspring.features.lake.files.columns import raw_schema
from mainspring.features.lake.files.interaction_rows import interaction_schema
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.reading import conformed, newest
from mainspring.features.lake.files.storage import SYNCED, Storage
from mainspring.features.lake.files.writing import Partition
from mainspring.stores.sql.database import Database

SMALL_ROWS = 50_000
MOST_FILES = 16
"""Small files of a partition from which they are merged."""


class Compacting:
    """Merges files, for the holder of the stream's lease."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._manifest = Manifest(database)

    async def compact(self, tenant: str, most_files: int = MOST_FILES) -> int:
        """Merge the small files of each partition that has many; returns how many files were replaced."""
        replaced = 0
        for zone in ("raw", "clean"):
            partitions: dict[object, list[LakeFile]] = defaultdict(list)
            for file in await self._manifest.files(tenant, zone):
                if file.rows < SMALL_ROWS and file.root == self._storage.root:
                    partitions[file.partition].append(file)
            for files in partitions.values():
                if len(files) > most_files:
                    replaced += await self._merge(tenant, files)
        return replaced

    async def _merge(self, tenant: str, files: Sequence[LakeFile]) -> int:
        seen = await self._manifest.erasures(tenant)
        made = await asyncio.to_thread(self._write, files)

        def work(connection: sa.Connection) -> bool:
            # What an erasure has taken since would come back.
            if manifest.erasures(connection, tenant) != seen:
                return False
            if not manifest.kill(connection, files):
                raise _Replaced
            manifest.add(connection, [made])
            return True

        try:
            done = await self._database.write(work)
        except _Replaced:
            done = False
        if not done:
            await asyncio.to_thread(self._storage.remove, made.path)
            return 0
        for each in files:
            await asyncio.to_thread(self._storage.remove, each.path)
        await self._manifest.removed(files)
        return len(files)

    def _write(self, files: Sequence[LakeFile]) -> LakeFile:
        first = files[0]
        schema = interaction_schema() if first.zone == "clean" else raw_schema(first.kind)
        part = Partition(first.tenant, first.zone, first.kind, first.date, first.groups, SYNCED)
        return part.write(self._storage, schema, self._batches(files, schema))

    def _batches(self, files: Sequence[LakeFile], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        if files[0].zone == "clean":
            for batch in newest(self._storage, files):
                yield conformed(batch, schema)
            return
        for file in files:
            with self._storage.open(file.path) as parquet:
                for batch in parquet.iter_batches(8192):
                    yield conformed(batch, schema)


class _Replaced(Exception):
    """Another process has replaced one of the files."""
