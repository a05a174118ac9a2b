"""Interactions of the clean zone, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import groupby

import numpy as np
import pyarrow as pa

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.files.interaction_rows import interaction_schema, interactions_of
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.storage import Storage

BATCH = 4096


class Clean:
    """Reads the clean zone. An answer is there once: the newest of its rows counts."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self._manifest = manifest
        self._storage = storage

    async def batches(
        self,
        tenant: str,
        groups: frozenset[str] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        columns: Sequence[str] | None = None,
        batch: int = BATCH,
    ) -> AsyncIterator[pa.RecordBatch]:
        """The tenant's interactions that ``groups`` (None: all) may see, by day; ``since`` and ``until`` in Unix
        seconds, by the times of the answers. Memory: a day's ids, and one batch."""
        files = await self._manifest.files(tenant, "clean", groups=groups, since=since, until=until)
        for _, day in groupby(files, lambda each: each.date):
            found = newest(self._storage, list(day), columns, batch)
            while (made := await asyncio.to_thread(next, found, None)) is not None:
                made = _between(made, since, until)
                if made.num_rows:
                    yield made

    async def rows(
        self,
        tenant: str,
        groups: frozenset[str] | None = None,
        *,
        since: float | None = None,
        until: float | None = None,
        batch: int = BATCH,
    ) -> AsyncIterator[list[Interaction]]:
        """``batches`` as interactions."""
        async for each in self.batches(tenant, groups, since=since, until=until, batch=batch):
            yield interactions_of(each)


def newest(
    storage: Storage, files: Sequence[LakeFile], columns: Sequence[str] | None = None, batch: int = BATCH
) -> Iterator[pa.RecordBatch]:
    """The rows of the clean files of one day, without those that newer ones have replaced."""
    schema = interaction_schema()
    wanted = list(columns) if columns is not None else schema.names
    read = list(dict.fromkeys((*wanted, "at", "answer_id", "revision")))
    last = _last(storage, files) if len(files) > 1 else None
    for file in files:
        with storage.open(file.path) as parquet:
            there = [name for name in read if name in parquet.schema_arrow.names]
            for each in parquet.iter_batches(batch, columns=there):
                if last is not None:
                    each = each.filter(_counting(each, last))
                if each.num_rows:
                    yield conformed(each, pa.schema([schema.field(name) for name in dict.fromkeys((*wanted, "at"))]))


def conformed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """``batch`` with the columns of ``schema``; those that files of old versions lack are null or empty."""
    columns = []
    for field in schema:
        if field.name in batch.schema.names:
            columns.append(batch.column(field.name).cast(field.type))
        elif field.nullable:
            columns.append(pa.nulls(batch.num_rows, field.type))
        else:
            empty = {pa.string(): "", pa.bool_(): False, pa.int64(): 0, pa.float64(): 0.0}.get(field.type, [])
            columns.append(pa.array([empty] * batch.num_rows, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _last(storage: Storage, files: Sequence[LakeFile]) -> dict[str, int]:
    """The newest revision of each answer that has several rows."""
    last: dict[str, int] = {}
    for file in files:
        with storage.open(file.path) as parquet:
            for each in parquet.iter_batches(65_536, columns=["answer_id", "revision"]):
                for name, revision in zip(each.column(0).to_pylist(), each.column(1).to_pylist(), strict=True):
                    if revision > last.get(name, -1):
                        last[name] = revision
    return last


def _counting(batch: pa.RecordBatch, last: dict[str, int]) -> pa.Array:
    names, revisions = batch.column("answer_id").to_pylist(), batch.column("revision").to_pylist()
    return pa.array([last[name] == revision for name, revision in zip(names, revisions, strict=True)])


def _between(batch: pa.RecordBatch, since: float | None, until: float | None) -> pa.RecordBatch:
    if since is None and until is None:
        return batch
    at = batch.column("at").to_numpy()
    kept = np.ones(len(at), bool)
    if since is not None:
        kept &= at >= since
    if until is not None:
        kept &= at < until
    return batch.filter(pa.array(kept))
