"""One build: all interactions of a tenant through all steps, into files of the training-ready zone.

Its files count from the commit that ends it, with the files of what was dropped, which say why. An erasure in between
makes it begin again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa
from pydantic import ValidationError

import mainspring.stores.sql.jobs as jobs
from mainspring.core.errors import Conflict, InvalidRequest
from mainspring.features.lake.build import runners
from mainspring.features.lake.build.report import Funnel
from mainspring.features.lake.build.runners import Runner
from mainspring.features.lake.build.staging import Stage
from mainspring.features.lake.build.store import Build, Builds
from mainspring.features.lake.files import manifest
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.storage import UNFINISHED, Storage
from mainspring.features.lake.files.writing import Partition, date_of
from mainspring.features.lake.steps import cross_row_steps, named, toxicity
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.pipeline import ready_schema
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Jobs
from mainspring.stores.sql.recurring import recurring
from mainspring.stores.sql.worker import Lease

_TRIES = 3
_EXTEND_EVERY = 20
Progress = Callable[[str, int, int], None]
DROPPED = pa.schema(
    [
        pa.field("tenant", pa.string(), False),
        pa.field("answer_id", pa.string(), False),
        pa.field("trace_id", pa.string(), False),
        pa.field("subject", pa.string(), False),
        pa.field("at", pa.float64(), False),
        pa.field("groups", pa.list_(pa.string()), False),
        pa.field("step", pa.string(), False),
        pa.field("reason", pa.string(), False),
    ]
)
"""The columns of files of dropped rows."""


def changed(options: BuildSettings, changes: Mapping[str, Any]) -> BuildSettings:
    """``options`` with ``changes``. Raises ``InvalidRequest`` for ones that do not fit."""
    try:
        return BuildSettings.model_validate(options.model_dump() | dict(changes))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(each) for each in first["loc"])
        raise InvalidRequest(f"{name}: {first['msg']}", remedy="See lake.build in the settings", param=name) from None


class Building:
    """Builds training-ready files."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        home: Path,
        runner: Runner,
        options: BuildSettings,
        pulled: toxicity.Pulled,
    ) -> None:
        self._database = database
        self._pulled = pulled
        self._storage = storage
        self._home = home
        self._runner: Runner = runner
        self.options = options
        self._manifest = Manifest(database)
        self._jobs = Jobs(database)
        self.builds = Builds(database)

    async def build(
        self,
        tenant: str,
        progress: Progress | None = None,
        options: BuildSettings | None = None,
        build_id: str = "",
        begun: asyncio.Future[None] | None = None,
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> Build:
        """Build the tenant's training-ready zone anew; ``begun`` is told when its row is there, and ``before``
        is done then. Raises ``Conflict`` (another does), ``StoreError``, ``SettingsError`` or ``MissingExtra`` for a
        pipeline of names that is not there, and ``ModelError`` for a detector's model."""
        options = await asyncio.to_thread(toxicity.ready, options or self.options, self._pulled)
        named.check(options.ner)
        async with recurring(self._jobs, f"lake: build {tenant}") as lease:
            if lease is None:
                raise Conflict("another process builds already", remedy="Wait until it has ended")
            return await self._begun(lease, tenant, progress or _silent, options, build_id, begun, before)

    async def _begun(
        self,
        lease: Lease,
        tenant: str,
        progress: Progress,
        options: BuildSettings,
        build_id: str,
        begun: asyncio.Future[None] | None,
        before: Callable[[], Awaitable[object]] | None,
    ) -> Build:
        build = await self.builds.begin(tenant, options.model_dump(), build_id)
        if begun is not None:
            begun.set_result(None)
        try:
            if before is not None:
                await before()
                _check(lease)
            for _ in range(_TRIES):
                if await self._once(build, lease, options, progress):
                    await self._prune(tenant, options.keep)
                    return await self.builds.get(tenant, build.id)
            raise Conflict("erasures interrupted the build repeatedly", remedy="Build again later")
        except BaseException as error:
            await self.builds.failed(tenant, build.id, str(error) or type(error).__name__)
            raise

    async def _once(self, build: Build, lease: Lease, options: BuildSettings, progress: Progress) -> bool:
        """Whether it could be committed: no erasure came in between."""
        tenant = build.tenant
        seen = await self._manifest.erasures(tenant)
        files = await self._manifest.files(tenant, "clean")
        before = next(iter(await self.builds.finished(tenant)), None)
        since = 0.0 if before is None else before.created_at
        funnel = Funnel(options, since)
        stage = await asyncio.to_thread(Stage, self._home / "lake" / UNFINISHED / build.id, DROPPED)
        try:
            await self._rows(lease, files, options, funnel, stage, progress)
            progress("compare", 0, 1)
            kept = await asyncio.to_thread(_compare, stage, options, funnel)
            progress("compare", 1, 1)
            _check(lease)
            made = await asyncio.to_thread(self._write, build, stage, kept, funnel, progress, since)
        finally:
            await asyncio.to_thread(stage.remove)
        return await self._commit(build, lease, seen, made, funnel.report())

    async def _rows(
        self,
        lease: Lease,
        files: Sequence[LakeFile],
        options: BuildSettings,
        funnel: Funnel,
        stage: Stage,
        progress: Progress,
    ) -> None:
        total, done, at = sum(each.rows for each in files), 0, 0
        async for batch in runners.run(self._runner, self._storage, self._home, files, options):
            await asyncio.to_thread(_take, batch, funnel, stage)
            done, at = done + batch.num_rows, at + 1
            progress("steps", done, max(total, done))
            if at % _EXTEND_EVERY == 0:
                _check(lease)
        await asyncio.to_thread(stage.ended)

    def _write(
        self,
        build: Build,
        stage: Stage,
        kept: cross_row_steps.Mask,
        funnel: Funnel,
        progress: Progress,
        since: float,
    ) -> list[LakeFile]:
        """The files. The waiting times are those of interactions that came after ``since``."""
        date, made, verdicts = date_of(build.created_at), [], Counter[str]()
        for groups in sorted(stage_groups(stage, kept)):

            def batches(groups: tuple[str, ...] = groups) -> Iterator[pa.RecordBatch]:
                for place, batch in stage.batches():
                    mask = kept[place : place + batch.num_rows] & _of_groups(batch, groups)
                    progress("write", place + batch.num_rows, stage.count)
                    if mask.any():
                        found = batch.filter(pa.array(mask))
                        verdicts.update(found.column("verdict").to_pylist())
                        funnel.left(found.column("answer_id").to_pylist())
                        yield found

            part = Partition(build.tenant, "ready", build.id, date, groups)
            made.append(part.write(self._storage, ready_schema(), batches()))
        for groups in sorted(stage.dropped.groups):
            part = Partition(build.tenant, "dropped", build.id, date, groups)
            made.append(part.write(self._storage, DROPPED, stage.dropped.of(groups)))
        at = stage.at[kept]
        funnel.ready(verdicts, time.time() - at[at > since])
        return made

    async def _commit(
        self, build: Build, lease: Lease, seen: int, made: Sequence[LakeFile], report: dict[str, Any]
    ) -> bool:
        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, lease.job):
                raise Conflict("another process has taken the build over", remedy="Wait until it has ended")
            if manifest.erasures(connection, build.tenant) != seen:
                return False
            manifest.add(connection, made)
            self.builds.finish(connection, build, report)
            return True

        written = False
        try:
            written = await self._database.write(work)
        finally:
            if not written:
                for each in made:
                    await asyncio.to_thread(self._storage.remove, each.path)
        return written

    async def _prune(self, tenant: str, keep: int) -> None:
        """Remove the builds before the newest ones."""
        for build in (await self.builds.finished(tenant))[keep:]:
            gone = [
                each for zone in ("ready", "dropped") for each in await self._manifest.files(tenant, zone, build.id)
            ]
            await self._manifest.kill(gone)
            for each in gone:
                await asyncio.to_thread(self._storage.remove, each.path)
            await self._manifest.removed(gone)
            await self.builds.delete(tenant, build.id)


def _check(lease: Lease) -> None:
    """Raises ``Conflict`` if another process has the lease."""
    if lease.lost.is_set():
        raise Conflict("another process has taken the build over", remedy="Wait until it has ended")


def _take(batch: pa.RecordBatch, funnel: Funnel, stage: Stage) -> None:
    funnel.seen(batch)
    steps = batch.column("step").to_pylist()
    mask = np.array([not step for step in steps])
    if mask.any():
        stage.add(batch.filter(pa.array(mask)))
    if not mask.all():
        gone = batch.filter(pa.array(~mask))
        stage.dropped.add({name: gone.column(name) for name in DROPPED.names})
        names = ("step", "reason", "answer_id")
        for step, reason, answer_id in zip(*(gone.column(name).to_pylist() for name in names), strict=True):
            funnel.dropped(step, reason, answer_id)


def _compare(stage: Stage, options: BuildSettings, funnel: Funnel) -> cross_row_steps.Mask:
    """Which rows stay, of those that the steps have left."""
    kept = np.ones(stage.count, bool)
    order = np.lexsort((stage.exact[:, 1], stage.exact[:, 0], stage.at)).astype(np.int64)
    gone: dict[int, tuple[str, str]] = {}
    if "exact_duplicates" not in options.without:
        same = cross_row_steps.exact_duplicates(stage.exact[order])
        for row in order[same != cross_row_steps.NONE]:
            gone[int(row)] = "exact_duplicates", "equal to an earlier one"
            kept[row] = False
    if "near_duplicates" not in options.without:
        rows = order[kept[order]]
        near = cross_row_steps.near_duplicates(stage.minhash, rows, options.similar)
        for row in rows[near != cross_row_steps.NONE]:
            gone[int(row)] = "near_duplicates", "nearly equal to an earlier one"
            kept[row] = False
    if "balance" not in options.without:
        keys = {name: values[order] for name, values in stage.keys.items()}
        for place, reason in cross_row_steps.balance(kept[order], keys, options.balance).items():
            row = int(order[place])
            gone[row] = "balance", reason
            kept[row] = False
    funnel.compared(stage.at, [row for row, (step, _) in gone.items() if step.endswith("_duplicates")])
    _tell(stage, gone, funnel)
    return kept


def _tell(stage: Stage, gone: dict[int, tuple[str, str]], funnel: Funnel) -> None:
    if not gone:
        return
    marked = np.zeros(stage.count, bool)
    marked[list(gone)] = True
    for place, batch in stage.batches():
        rows = np.flatnonzero(marked[place : place + batch.num_rows])
        if not len(rows):
            continue
        found = batch.take(pa.array(rows))
        steps, reasons = zip(*(gone[place + int(row)] for row in rows), strict=True)
        known = {name: found.column(name) for name in DROPPED.names if name in found.schema.names}
        stage.dropped.add({**known, "step": steps, "reason": reasons})
        for step, reason, answer_id in zip(steps, reasons, found.column("answer_id").to_pylist(), strict=True):
            funnel.dropped(step, reason, answer_id)


def stage_groups(stage: Stage, kept: cross_row_steps.Mask) -> set[tuple[str, ...]]:
    """The groups of the rows that are kept."""
    found: set[tuple[str, ...]] = set()
    for place, batch in stage.batches():
        mask = kept[place : place + batch.num_rows]
        found.update(
            tuple(each or ()) for each, stays in zip(batch.column("groups").to_pylist(), mask, strict=True) if stays
        )
    return found


def _of_groups(batch: pa.RecordBatch, groups: tuple[str, ...]) -> cross_row_steps.Mask:
    return np.array([tuple(each or ()) == groups for each in batch.column("groups").to_pylist()])


def _silent(_: str, __: int, ___: int) -> None:
    """Nobody looks."""
