"""Exports of data subjects: rows that are made of their answers go from the files that are kept.

A receipt stays with the export, and an entry in the audit log: how many rows went, and which versions of the files had
been handed out with them.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

import mainspring.stores.documents.blobs as blob_store
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import StoreError
from mainspring.features.lake.exports.sets.erased import rewritten, rows_beside
from mainspring.features.lake.exports.sets.splits import NAMES
from mainspring.features.lake.exports.store import copies_of, put_files
from mainspring.features.lake.exports.tables import (
    lake_export_answers,
    lake_export_copies,
    lake_export_files,
    lake_exports,
)
from mainspring.features.lake.exports.workplace import workplace
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, parts
from mainspring.stores.events.audit_log import ITSELF, Audit
from mainspring.stores.sql.database import Database

_TRIES = 10


@dataclass(frozen=True, slots=True)
class _Files:
    """The files of an export by name: their sha256, and where they lie."""

    named: Mapping[str, str]
    paths: Mapping[str, Path]


class ExportedRows:
    """Rows of exports in all tenants."""

    name = "lake_exports"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs
        self._audit = Audit(database)

    async def find(
        self,
        subject: Subject,
        held: SubjectData,
        upto: float,  # noqa: ARG002
        groups: frozenset[str] | None = None,
    ) -> Sequence[Mapping[str, Any]]:
        """The rows that are made of the subject's answers, where keys of ``groups`` may see the export."""
        found: list[Mapping[str, Any]] = []
        for export_id, answers in (await self._exports(subject.tenant, held.answers)).items():
            if groups is not None and not await self._seen(subject.tenant, export_id, groups):
                continue
            files = await self._files(subject.tenant, export_id)
            found += await asyncio.to_thread(_of_answers, export_id, files, answers)
        return found

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Rewrite the files, or delete those of a tenant; returns the number of rows that went."""
        if subject.kind == "tenant":
            return await self._delete_all(subject.tenant, upto)
        return await self.take_out(subject.tenant, held.answers)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """Documents behind these answers were deleted: rows that repeat them go, too."""
        await self.take_out(tenant, answers)

    async def take_out(self, tenant: str, answers: Collection[str]) -> int:
        """Rewrite the files without the rows that are made of these answers; returns their number."""
        count = 0
        for export_id, theirs in (await self._exports(tenant, answers)).items():
            count += await self._rewrite(tenant, export_id, theirs)
        return count

    async def _exports(self, tenant: str, answers: Collection[str]) -> dict[str, set[str]]:
        """The exports with any of these answers, and which."""
        of = lake_export_answers.c

        def work(connection: sa.Connection) -> dict[str, set[str]]:
            found: dict[str, set[str]] = {}
            for part in parts(sorted(answers)):
                query = sa.select(of.export_id, of.answer_id).where(of.tenant == tenant, of.answer_id.in_(part))
                for row in connection.execute(query):
                    found.setdefault(row.export_id, set()).add(row.answer_id)
            return found

        return await self._database.read(work)

    async def _seen(self, tenant: str, export_id: str, groups: frozenset[str]) -> bool:
        query = sa.select(lake_exports.c.groups).where(_is(tenant, export_id))
        theirs = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        return theirs is not None and frozenset(rows.load(theirs)) <= groups

    async def _files(self, tenant: str, export_id: str) -> _Files:
        of = lake_export_files.c
        query = sa.select(of.name, of.sha256).where(of.tenant == tenant, of.export_id == export_id)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return _Files(
            {row.name: row.sha256 for row in found}, {row.name: await self._blobs.whole(row.sha256) for row in found}
        )

    async def _rewrite(self, tenant: str, export_id: str, answers: Collection[str]) -> int:
        """Another erasure may rewrite the same files at the same time: then it begins again."""
        for _ in range(_TRIES):
            try:
                async with workplace(self._blobs.directory.parent) as folder:
                    gone = await self._once(tenant, export_id, answers, folder)
            except FileNotFoundError:
                # The other one has deleted the files of before.
                continue
            except OSError as error:
                raise StoreError(f"{export_id} could not be written: {error.strerror}", remedy="Free space") from error
            await blob_store.sweep(self._database, self._blobs)
            if gone is not None:
                return gone
        raise StoreError(f"{export_id} was rewritten again and again", remedy="The erasure is tried again")

    async def _once(self, tenant: str, export_id: str, answers: Collection[str], folder: Path) -> int | None:
        """How many rows went; None: the files were others meanwhile. Raises ``OSError``."""
        files = await self._files(tenant, export_id)
        gone, made, manifest = await asyncio.to_thread(rewritten, files.paths, answers, folder)
        kept = {name: (await self._blobs.put_file(path), path) for name, path in made.items()}
        done = await self._database.write(
            lambda connection: self._commit(connection, tenant, export_id, files, kept, manifest, gone, answers),
            durable=True,
            frees=True,
        )
        return gone if done else None

    def _commit(
        self,
        connection: sa.Connection,
        tenant: str,
        export_id: str,
        files: _Files,
        kept: Mapping[str, tuple[str, Path]],
        manifest: Mapping[str, Any],
        gone: int,
        answers: Collection[str],
    ) -> bool:
        of = lake_export_files.c
        row = connection.execute(sa.select(lake_exports).where(_is(tenant, export_id)).with_for_update()).one_or_none()
        query = sa.select(of.name, of.sha256).where(of.tenant == tenant, of.export_id == export_id)
        if {each.name: each.sha256 for each in connection.execute(query)} != dict(files.named):
            for sha256, _ in kept.values():
                blob_store.discard(connection, sha256)
            return False
        copies = copies_of(connection, tenant, export_id)
        if kept:
            put_files(connection, self._blobs, tenant, export_id, kept)
        inside = lake_export_answers.c
        for part in parts(sorted(answers)):
            mine = sa.and_(inside.tenant == tenant, inside.export_id == export_id, inside.answer_id.in_(part))
            connection.execute(sa.delete(lake_export_answers).where(mine))
        if row is not None:
            now = time.time()
            receipt = {"at": now, "rows": gone, "copies": copies}
            values: dict[str, Any] = {"erasures": rows.dump([*rows.load(row.erasures), receipt]), "updated_at": now}
            if manifest:
                values |= {"manifest": rows.dump(dict(manifest)), "rows": manifest["rows"]}
            connection.execute(sa.update(lake_exports).where(_is(tenant, export_id)).values(**values))
            details = {"rows": gone, "handed_out": [each["sha256"] for each in copies]}
            self._audit.append(connection, tenant, "lake.export.erased", ITSELF, object=export_id, details=details)
        return True

    async def _delete_all(self, tenant: str, upto: float) -> int:
        def work(connection: sa.Connection) -> int:
            old = sa.and_(lake_exports.c.tenant == tenant, lake_exports.c.created_at <= upto)
            names = list(connection.execute(sa.select(lake_exports.c.id).where(old)).scalars())
            count = connection.execute(sa.select(sa.func.sum(lake_exports.c.rows)).where(old)).scalar_one() or 0
            for part in parts(names):
                gone = sa.and_(lake_export_files.c.tenant == tenant, lake_export_files.c.export_id.in_(part))
                deleted = sa.delete(lake_export_files).where(gone).returning(lake_export_files.c.sha256)
                for sha256 in connection.execute(deleted).scalars().all():
                    blob_store.discard(connection, sha256)
                for table in (lake_export_answers, lake_export_copies):
                    connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.export_id.in_(part)))
            connection.execute(sa.delete(lake_exports).where(old))
            return int(count)

        count = await self._database.write(work, durable=True, frees=True)
        await blob_store.sweep(self._database, self._blobs)
        return count


def _of_answers(export_id: str, files: _Files, answers: Collection[str]) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for side in NAMES:
        if f"{side}.jsonl" in files.paths:
            for row, lineage in rows_beside(files.paths, side):
                if not set(json.loads(lineage)["answers"]).isdisjoint(answers):
                    found.append({"type": "lake_export_row", "export": export_id, "row": json.loads(row)})
    return found


def _is(tenant: str, export_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(lake_exports.c.tenant == tenant, lake_exports.c.id == export_id)
