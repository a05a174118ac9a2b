"""From answers to the rows that they became, and back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.files.interaction_rows import interaction_schema, interactions_of
from mainspring.features.lake.files.manifest import LakeFile, Manifest
from mainspring.features.lake.files.reading import conformed
from mainspring.features.lake.files.storage import Storage


class Lineage:
    """Looks rows up by what they are made of."""

    def __init__(self, manifest: Manifest, storage: Storage) -> None:
        self._manifest = manifest
        self._storage = storage

    async def interactions(
        self, tenant: str, answers: Iterable[str], groups: frozenset[str] | None = None
    ) -> list[Interaction]:
        """The interactions of these answers, that ``groups`` (None: all) may see."""
        found = await self._rows(tenant, "clean", None, "answer_id", sorted(set(answers)), groups)
        newest: dict[str, tuple[int, Interaction]] = {}
        for batch in found:
            made = interactions_of(conformed(batch, interaction_schema()))
            for each, revision in zip(made, batch.column("revision").to_pylist(), strict=True):
                if each.answer_id not in newest or revision > newest[each.answer_id][0]:
                    newest[each.answer_id] = revision, each
        return [newest[name][1] for name in sorted(newest)]

    async def of_trace(
        self, tenant: str, trace_id: str, groups: frozenset[str] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """The rows of each zone that a trace became: in the raw zone its events by kind, in the others its answers, by
        build."""
        rows: dict[str, list[dict[str, Any]]] = {}
        names = {
            "raw": ("id", "at", "subject"),
            "clean": ("answer_id", "at", "revision", "event_ids"),
            "ready": ("answer_id", "at", "event_ids", "verdict"),
            "dropped": ("answer_id", "at", "step", "reason"),
        }
        for zone, shown in names.items():
            made = rows[zone] = []
            for file in await self._manifest.files(tenant, zone, groups=groups):
                for batch in await asyncio.to_thread(self._matching, file, "trace_id", [trace_id]):
                    told = {"kind" if zone == "raw" else "build": file.kind} if file.kind else {}
                    there = [name for name in shown if name in batch.schema.names]
                    made.extend({**told, **row} for row in batch.select(there).to_pylist())
        return rows

    async def ready(
        self, tenant: str, build_id: str, answers: Sequence[str], groups: frozenset[str] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of these answers that a build left, as training reads them."""
        found = await self._rows(tenant, "ready", build_id, "answer_id", list(answers), groups)
        return [row for batch in found for row in batch.to_pylist()]

    async def dropped(
        self, tenant: str, build_id: str, answers: Sequence[str], groups: frozenset[str] | None = None
    ) -> list[dict[str, Any]]:
        """The rows of these answers that a build dropped."""
        found = await self._rows(tenant, "dropped", build_id, "answer_id", list(answers), groups)
        return [row for batch in found for row in batch.to_pylist()]

    async def _rows(
        self, tenant: str, zone: str, kind: str | None, name: str, values: Sequence[str], groups: frozenset[str] | None
    ) -> list[pa.RecordBatch]:
        if not values:
            return []
        files = await self._manifest.files(tenant, zone, kind, groups=groups)
        return [batch for file in files for batch in await asyncio.to_thread(self._matching, file, name, values)]

    def _matching(self, file: LakeFile, name: str, values: Sequence[str]) -> list[pa.RecordBatch]:
        """The rows of a file with one of ``values``; the other columns are read only of row groups that have any."""
        wanted, found = pa.array(values, pa.string()), []
        try:
            with self._storage.open(file.path) as parquet:
                for group in range(parquet.num_row_groups):
                    there = pc.is_in(parquet.read_row_group(group, columns=[name]).column(0), wanted)
                    if pc.any(there).as_py():
                        found += parquet.read_row_group(group).filter(there).combine_chunks().to_batches()
        except FileNotFoundError:
            # It was replaced meanwhile; its successor has these rows, and the next look finds them.
            return []
        return found
