"""Rewrites files without rows that may not be kept: erased ones, ones whose text is gone, ones without consent.

A file is replaced in one commit and removed after it. What a process that died has not removed is removed by the next
one; the rows of such files stay in the manifest until then.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

import mainspring.stores.events.feed as feed
from mainspring.core.errors import StoreError
from mainspring.core.facts.derived import Eraser
from mainspring.features.lake.files import manifest
from mainspring.features.lake.files.columns import facts_of, raw_row, raw_schema, table
from mainspring.features.lake.files.manifest import ERASURES, LakeFile, Manifest
from mainspring.features.lake.files.storage import UNFINISHED, Storage, opened
from mainspring.features.lake.files.writing import Partition
from mainspring.features.lake.tables import lake_builds
from mainspring.stores.events.log import VERDICT
from mainspring.stores.sql.database import Database

TEXTS = ("clean", "ready", "dropped")
"""The zones with a row for each answer."""
_TRIES = 5
_BATCH = 8192
Change = Callable[[pa.RecordBatch], tuple[pa.RecordBatch, int]]
"""A batch of a file as it should be, and the number of rows that changed or went."""


class Rewriting:
    """Replaces files of tenants."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self._home = home
        self._manifest = Manifest(database)

    async def erase(self, tenant: str, answers: Iterable[str] | None, sessions: Iterable[str], upto: float) -> int:
        """Remove the rows of these answers (None: all) from before ``upto`` (Unix seconds), and what is personal of
        their raw events; returns the number of rows. Durable; can be done again. Raises ``StoreError``."""
        gone = None if answers is None else frozenset(answers)
        await self._begin(tenant)
        eraser = Eraser()
        named = frozenset(sessions)
        count = await self._take_out(tenant, TEXTS, lambda _: lambda batch: _without(batch, gone, upto))

        def raw(file: LakeFile) -> Change:
            return lambda batch: _erased(batch, file.kind, gone, named, upto, eraser)

        return count + await self._rewrite(tenant, ("raw",), raw)

    async def drop(self, tenant: str, answers: Iterable[str], zones: Sequence[str] = TEXTS) -> int:
        """Remove the rows of these answers, which repeat a text that is gone."""
        gone = frozenset(answers)
        if not gone:
            return 0
        await self._begin(tenant)
        return await self._take_out(tenant, zones, lambda _: lambda batch: _without(batch, gone, float("inf")))

    async def withdraw(self, tenant: str, answers: Iterable[str]) -> int:
        """Remove these answers from what is made for training, and note in the raw and the clean zone that they may not
        be used for learning."""
        gone = frozenset(answers)
        await self._begin(tenant)
        await self._rewrite(tenant, ("raw",), lambda _: lambda batch: _unconsented(batch, gone, "subject"))
        await self._rewrite(tenant, ("clean",), lambda _: lambda batch: _unconsented(batch, gone, "answer_id"))
        # A build may have read the clean zone meanwhile.
        await self._begin(tenant)
        return await self._rewrite(
            tenant, ("ready", "dropped"), lambda _: lambda each: _without(each, gone, float("inf"))
        )

    async def finish_removals(self, tenant: str = "") -> None:
        """Remove files that count no more."""
        dead = await self._manifest.dead(tenant)
        for each in dead:
            await asyncio.to_thread(self._storage(each).remove, each.path)
        if dead:
            await self._manifest.removed(dead)

    def _storage(self, file: LakeFile) -> Storage:
        return opened(file.root, self._home)

    async def _begin(self, tenant: str) -> None:
        """From now on nothing is written that was read before."""

        def work(connection: sa.Connection) -> Sequence[str]:
            feed.move(connection, ERASURES, manifest.erasures(connection, tenant) + 1, tenant)
            mine = sa.select(lake_builds.c.id).where(lake_builds.c.tenant == tenant)
            return connection.execute(mine).scalars().all()

        for build in await self._database.write(work, frees=True):
            # A build that is under way begins again; one that died has left texts there.
            await asyncio.to_thread(shutil.rmtree, self._home / "lake" / UNFINISHED / build, ignore_errors=True)
        await self.finish_removals(tenant)

    async def _take_out(self, tenant: str, zones: Sequence[str], change_of: Callable[[LakeFile], Change]) -> int:
        """``_rewrite``, the zone first that the others are made of."""
        count = await self._rewrite(tenant, [each for each in zones if each == "clean"], change_of)
        if count:
            # A build or an export may have read it meanwhile.
            await self._begin(tenant)
        return count + await self._rewrite(tenant, [each for each in zones if each != "clean"], change_of)

    async def _rewrite(self, tenant: str, zones: Sequence[str], change_of: Callable[[LakeFile], Change]) -> int:
        count = 0
        for _ in range(_TRIES):
            missed = False
            for zone in zones:
                for file in await self._manifest.files(tenant, zone):
                    found = await self._replace(file, change_of(file))
                    missed |= found is None
                    count += found or 0
            if not missed:
                return count
        raise StoreError("other processes change the lake's files again and again", remedy="Try again")

    async def _replace(self, file: LakeFile, change: Change) -> int | None:
        """How many rows went or changed; None if another process has replaced the file meanwhile."""
        storage = self._storage(file)
        try:
            changed = await asyncio.to_thread(_count, storage, file, change)
        except FileNotFoundError:
            return await self._lost(file)
        if not changed:
            return 0
        part = Partition(file.tenant, file.zone, file.kind, file.date, file.groups)
        made = await asyncio.to_thread(_write, storage, file, change, part)

        def work(connection: sa.Connection) -> bool:
            if not manifest.kill(connection, [file]):
                return False
            manifest.add(connection, [made] if made.rows else [])
            return True

        done = await self._database.write(work, frees=True)
        if not done or not made.rows:
            await asyncio.to_thread(storage.remove, made.path)
        if not done:
            return None
        await asyncio.to_thread(storage.remove, file.path)
        await self._manifest.removed([file])
        return changed

    async def _lost(self, file: LakeFile) -> int | None:
        """A file that is gone: replaced meanwhile, or lost with the home's folder, as after a restore."""
        there = await self._manifest.files(file.tenant, file.zone, file.kind)
        if all(each.id != file.id for each in there):
            return None
        await self._manifest.kill([file])
        await self._manifest.removed([file])
        return 0


def _read(storage: Storage, file: LakeFile) -> Iterator[pa.RecordBatch]:
    with storage.open(file.path) as parquet:
        yield from parquet.iter_batches(_BATCH)


def _count(storage: Storage, file: LakeFile, change: Change) -> int:
    return sum(change(batch)[1] for batch in _read(storage, file))


def _write(storage: Storage, file: LakeFile, change: Change, part: Partition) -> LakeFile:
    with storage.open(file.path) as parquet:
        schema = parquet.schema_arrow
    return part.write(storage, schema, (change(batch)[0] for batch in _read(storage, file)))


def _without(batch: pa.RecordBatch, answers: frozenset[str] | None, upto: float) -> tuple[pa.RecordBatch, int]:
    old = batch.column("at").to_numpy() <= upto
    if answers is not None:
        old &= np.array([each in answers for each in batch.column("answer_id").to_pylist()], bool)
    return batch.filter(pa.array(~old)), int(old.sum())


def _unconsented(batch: pa.RecordBatch, answers: frozenset[str], name: str) -> tuple[pa.RecordBatch, int]:
    theirs = [each in answers for each in batch.column(name).to_pylist()]
    given = batch.column("consent").to_pylist()
    changed = sum(mine and consent for mine, consent in zip(theirs, given, strict=True))
    values = pa.array([consent and not mine for mine, consent in zip(theirs, given, strict=True)], pa.bool_())
    columns = [values if field.name == "consent" else batch.column(field.name) for field in batch.schema]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema), changed


def _erased(
    batch: pa.RecordBatch,
    kind: str,
    answers: frozenset[str] | None,
    sessions: frozenset[str],
    upto: float,
    eraser: Eraser,
) -> tuple[pa.RecordBatch, int]:
    """Raw events as the event log keeps them after an erasure."""
    schema = raw_schema(kind)
    subjects, ids, times = (batch.column(name).to_pylist() for name in ("subject", "id", "at"))
    named = [answers is None or each in answers or each in sessions for each in subjects]
    if not any(mine and at <= upto for mine, at in zip(named, times, strict=True)):
        return batch, 0
    rows: list[dict[str, Any]] = []
    changed = 0
    for row, mine, event_id, at in zip(batch.to_pylist(), named, ids, times, strict=True):
        if not mine or at > upto:
            rows.append(row)
            continue
        if event_id.startswith(VERDICT):
            changed += 1
            continue
        facts = facts_of(kind, row)
        left = eraser.left(kind, facts)
        head = {name: row[name] for name in _HEADS} | {"person": ""}
        if row["subject"] in sessions:
            head["subject"] = ""
        changed += left != facts or head["person"] != row["person"] or head["subject"] != row["subject"]
        rows.append(raw_row(head, kind, left))
    made = table(schema, rows).combine_chunks().to_batches()
    return (made[0] if made else batch.slice(0, 0)), changed


_HEADS = ("id", "at", "trace_id", "parent_id", "subject", "version", "consent", "retention", "person", "settled")
