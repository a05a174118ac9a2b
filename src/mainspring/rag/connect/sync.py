"""Syncing: a collection is brought in step with its configured sources, each from where it stopped."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mainspring.core.errors import MainspringError
from mainspring.rag.connect import registry
from mainspring.rag.connect.base import Connector
from mainspring.rag.connect.registry import Spec
from mainspring.rag.ingest.pipeline import Ingestor, IngestReport, Progress
from mainspring.stores.documents.records import Collection
from mainspring.stores.documents.sources import SourceRow, Sources


class Syncer:
    """Follows the sources of collections. ``home`` is where connectors may keep files between syncs."""

    def __init__(self, ingestor: Ingestor, sources: Sources, home: Path) -> None:
        self._ingestor = ingestor
        self._sources = sources
        self._home = home

    async def sources(self, collection: Collection) -> list[SourceRow]:
        """The sources of the collection."""
        return await self._sources.list(collection)

    async def add(self, collection: Collection, spec: Spec, progress: Progress | None = None) -> IngestReport:
        """Configure a source (or change its options) and follow it for the first time. A source that is configured
        already keeps its access list where ``spec`` says nothing of one: reading it again opens nothing.

        Raises the connector's errors; the source stays configured unless it could not even be understood.
        """
        made = registry.connector(spec, self._home)
        kept = registry.stored(spec, made)
        options = {**kept.options, "source": kept.text}
        for known in await self._sources.list(collection):
            if (known.kind, known.location) == (made.kind, made.location) and registry.GROUPS in known.options:
                options.setdefault(registry.GROUPS, known.options[registry.GROUPS])
        row = await self._sources.add(collection, made.kind, made.location, options)
        return await self._follow(collection, row, made, progress)

    async def sync(self, collection: Collection, row: SourceRow, progress: Progress | None = None) -> IngestReport:
        """Follow a configured source from its cursor on. Raises the connector's errors, after noting them."""
        return await self._follow(collection, row, registry.connector(spec_of(row), self._home), progress)

    async def _follow(
        self, collection: Collection, row: SourceRow, made: Connector, progress: Progress | None
    ) -> IngestReport:
        try:
            report = await self._ingestor.follow(
                collection,
                made,
                source_id=row.id,
                cursor=row.cursor,
                advance=partial(self._sources.advance, collection, row.id),
                groups=spec_of(row).groups,
                progress=progress,
            )
        except MainspringError as error:
            await self._sources.synced(collection, row.id, str(error))
            raise
        await self._sources.synced(collection, row.id)
        return report


def spec_of(row: SourceRow) -> Spec:
    """The source as it was configured."""
    options = dict(row.options)
    return Spec(str(options.pop("source")), options)
