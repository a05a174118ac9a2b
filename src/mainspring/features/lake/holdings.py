"""The data of data subjects: rows of files of all zones, and of exports."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.features.lake.exports.erasing import ExportedRows
from mainspring.features.lake.features_table.holding import HeldFeatures
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.rewriting import Rewriting
from mainspring.features.lake.files.storage import opened
from mainspring.features.lake.stream import set_aside_events
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData
from mainspring.stores.sql.database import Database

_SHOWN = ("answer_id", "trace_id", "at", "application")


class LakeRows:
    """The rows of a subject's answers, in all zones. Files are rewritten without them."""

    name = "lake"

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._home = blobs.directory.parent
        self._database = database
        self._manifest = Manifest(database)
        self._rewriting = Rewriting(database, self._home)

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The interactions, and in which zones they are; their texts are shown with the events that they are made
        of."""
        zones: dict[str, dict[str, Any]] = {}
        for zone in ("clean", "ready", "dropped"):
            for file in await self._manifest.files(subject.tenant, zone, groups=groups):
                for row in await asyncio.to_thread(self._rows, file):
                    if row["at"] > upto or (subject.kind != "tenant" and row["answer_id"] not in held.answers):
                        continue
                    shown = zones.setdefault(row["answer_id"], {"type": "interaction", **row, "zones": []})
                    if zone not in shown["zones"]:
                        shown["zones"].append(zone)
        return list(zones.values())

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Rewrite every file that has a row of the subject."""
        answers = None if subject.kind == "tenant" else held.answers
        ids = None if answers is None else sorted(answers)
        await self._database.write(
            lambda connection: set_aside_events.forget(connection, subject.tenant, ids), frees=True
        )
        return await self._rewriting.erase(subject.tenant, answers, held.sessions, upto)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """A document behind these answers is gone: so are the rows that repeat it."""
        await self._rewriting.drop(tenant, answers)

    def _rows(self, file: LakeFile) -> list[dict[str, Any]]:
        try:
            with opened(file.root, self._home).open(file.path) as parquet:
                names = [name for name in _SHOWN if name in parquet.schema_arrow.names]
                found: list[dict[str, Any]] = parquet.read(columns=names).to_pylist()
                return found
        except FileNotFoundError:
            return []


HOLDINGS = (LakeRows, ExportedRows, HeldFeatures)
