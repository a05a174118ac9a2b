"""Which interactions may be learned from: the steps of the lake, as each kind of export needs them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.build import runners
from mainspring.features.lake.build.runners import Runner
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.files.interaction_rows import interactions_of
from mainspring.features.lake.files.manifest import Manifest
from mainspring.features.lake.files.reading import Clean
from mainspring.features.lake.files.storage import Storage
from mainspring.features.lake.steps import toxicity
from mainspring.features.lake.steps.options import BuildSettings
from mainspring.features.lake.steps.pipeline import ROW_STEPS

_HERE = 500
"""Rows from which the steps run in processes of their own, as in a build."""
_OPINIONS = ("thumbs", "preference", "classification")
"""Kinds that learn from bad answers, too."""


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Runs the steps over the clean zone."""

    clean: Clean
    manifest: Manifest
    storage: Storage
    home: Path
    runner: Runner
    options: BuildSettings
    pulled: toxicity.Pulled

    def steps(self, asked: ExportRequest) -> BuildSettings:
        """The options of the steps for an export."""
        changes: dict[str, object] = {}
        if asked.kind in _OPINIONS:
            changes["quality"] = "any"
        # What a build leaves out may not be left out of consent: only an override does that.
        without = [name for name in self.options.without if name != "consent"]
        changes["without"] = [*without, "consent"] if asked.override else without
        return self.options.model_copy(update=changes)

    def told(self, asked: ExportRequest) -> str:
        """The steps, for the manifest."""
        options = self.steps(asked)
        return ", ".join(step.name for step in ROW_STEPS if step.name not in options.without)

    async def size(self, tenant: str, groups: frozenset[str], asked: ExportRequest) -> int:
        """How many rows the files have that ``rows`` reads, older revisions of a row and other times among them."""
        files = await self.manifest.files(tenant, "clean", groups=groups, since=asked.since, until=asked.until)
        return sum(each.rows for each in files)

    async def rows(
        self, tenant: str, groups: frozenset[str], asked: ExportRequest, counts: Counter[str]
    ) -> AsyncIterator[list[Interaction]]:
        """The rows that are left, in pieces; ``counts`` gets how many were read and what each step took. Raises
        ``StoreError`` when a process of it dies, ``ModelError`` without the detector's model."""
        files = await self.manifest.files(tenant, "clean", groups=groups, since=asked.since, until=asked.until)
        options = await asyncio.to_thread(toxicity.ready, self.steps(asked), self.pulled)
        # A pipeline of names and an embedding model take memory and time that a server does not have.
        if not options.ner and options.detector_model is None and sum(each.rows for each in files) < _HERE:
            options = options.model_copy(update={"workers": 0})
        async for batch in runners.run(self.runner, self.storage, self.home, files, options):
            found = _between(batch, asked)
            counts["read"] += found.num_rows
            for step, count in Counter(found.column("step").to_pylist()).items():
                counts[step] += count if step else 0
            left = found.filter(pc.equal(found.column("step"), ""))
            yield await asyncio.to_thread(interactions_of, left)


def _between(batch: pa.RecordBatch, asked: ExportRequest) -> pa.RecordBatch:
    if asked.since is not None:
        batch = batch.filter(pc.greater_equal(batch.column("at"), asked.since))
    if asked.until is not None:
        batch = batch.filter(pc.less(batch.column("at"), asked.until))
    return batch
