"""The service of data sets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context, Principal
from mainspring.evaluation.example_json import checked
from mainspring.evaluation.examples import DataSetVersion, Example, HeldExample
from mainspring.feature import Rooms
from mainspring.features.datasets.make import files
from mainspring.features.datasets.make.splitting import Splitting, checked_shares
from mainspring.features.datasets.make.suites import Suites, SuiteWish
from mainspring.features.datasets.make.traces import MOST, TraceFilter, Traces
from mainspring.features.datasets.settings import DataSetsSettings
from mainspring.features.datasets.store.versions import RowFilter, Versions
from mainspring.features.datasets.store.writing import PIECE, Writing

MOST_AT_ONCE = 1_000
"""Examples that one call adds in one transaction."""


class DataSetService:
    """Implements ``evaluation.examples.DataSets``, ``ExampleStream`` and ``ExampleLineage``."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(DataSetsSettings)
        database = rooms.stores.database
        self.versions = Versions(database)
        self.writing = Writing(database, self.settings)
        self._splitting = Splitting(self.versions, self.writing)
        self._traces = Traces(database)
        self.suites = Suites(rooms, self._traces)
        self._registry = rooms.path.registry
        self._files = rooms.stores.files
        self._blobs = rooms.stores.blobs

    async def add_examples(
        self, principal: Principal, name: str, examples: Sequence[Example], *, note: str = "", kind: str = ""
    ) -> int:
        """See ``DataSets``. Many are written in pieces."""
        found = [checked(each, f"example {number + 1}") for number, each in enumerate(examples)]
        if len(found) <= MOST_AT_ONCE and not await self._is_split(principal, name):
            return await self.writing.put(principal, name, found, note=note, kind=kind)
        return await self.write(principal, name, _later(iter(found)), note=note, kind=kind)

    async def examples(self, principal: Principal, name: str, version: int | None = None) -> Sequence[Example]:
        """See ``DataSets``. All are in memory: see ``stream``."""
        return [each async for _, each in self.stream(principal, name, version)]

    async def version(self, principal: Principal, name: str, wanted: int | str | None = None) -> DataSetVersion:
        """See ``ExampleStream``."""
        return await self.versions.version(principal, name, wanted)

    async def stream(
        self, principal: Principal, name: str, version: int | None = None
    ) -> AsyncIterator[tuple[int, Example]]:
        """See ``ExampleStream``."""
        found = await self.versions.version(principal, name, version)
        async for each in self.versions.stream(principal, found):
            yield each

    async def made_of(self, principal: Principal, trace_id: str, limit: int) -> Sequence[HeldExample]:
        """See ``ExampleLineage``."""
        return await self.versions.made_of(principal, trace_id, limit)

    async def drawn(self, principal: Principal, name: str, version: int | None, share: float) -> Example | None:
        """See ``ExampleDraw``."""
        return await self.versions.at(principal, await self.versions.version(principal, name, version), share)

    async def keep(self, principal: Principal, name: str, examples: Sequence[Example], *, kind: str) -> int:
        """See ``ExampleStream``."""
        return await self.add_examples(principal, name, examples, kind=kind)

    async def picked(
        self, principal: Principal, name: str, version: int, wanted: Sequence[str]
    ) -> Mapping[str, Mapping[str, Any]]:
        """See ``ExampleStream``."""
        found = await self.versions.version(principal, name, version)
        page = await self.versions.page(principal, found, RowFilter(ids=wanted), len(wanted)) if wanted else []
        return {body["id"]: body for _, body in page}

    async def recorded(
        self, principal: Principal, *, model: str, since: float | None, until: float | None, limit: int
    ) -> Sequence[Example]:
        """See ``ExampleStream``."""
        wanted = TraceFilter(model=model, since=since, until=until, limit=limit)
        return [each async for each in self._traces.examples(principal, wanted)]

    async def drop(self, principal: Principal, name: str) -> None:
        """See ``ExampleStream``."""
        await self.writing.delete(principal, name)

    async def write(
        self, principal: Principal, name: str, examples: AsyncIterator[Example], *, note: str = "", kind: str = ""
    ) -> int:
        """The next version, with all ``examples`` added, or none of them if one is refused. Its number. Raises
        ``InvalidRequest``, ``Conflict``, ``QuotaExceeded``."""
        draft = await self.writing.begin(principal, name, kind)
        try:
            await self.writing.add_all(draft, examples)
            if draft.shares and draft.differs:
                await self._splitting.assign(draft, principal, keep=True)
            return await self.writing.finish(draft, principal, note)
        except BaseException:
            await asyncio.shield(self.writing.give_up(draft))
            raise

    async def split(
        self, principal: Principal, name: str, train: float, validation: float, test: float, seed: int = 1
    ) -> int:
        """The next version, in which groups of near-duplicates are divided into parts with these shares. Examples that
        are added later join the side of their group. Raises ``InvalidRequest``, ``NotFound``, ``Conflict``."""
        shares = checked_shares(train, validation, test, seed)
        await self.versions.version(principal, name)
        draft = await self.writing.begin(principal, name)
        try:
            draft.shares = shares
            await self._splitting.assign(draft, principal, keep=False)
            return await self.writing.finish(draft, principal, f"split {train:g}/{validation:g}/{test:g}")
        except BaseException:
            await asyncio.shield(self.writing.give_up(draft))
            raise

    async def _is_split(self, principal: Principal, name: str) -> bool:
        try:
            row = await self.versions.version_row(principal, name)
        except NotFound:
            return False
        return bool(row.shares != "{}")

    async def from_file(self, principal: Principal, name: str, file_id: str, *, note: str = "") -> int:
        """The next version, with the examples of an uploaded file. Raises ``NotFound``, and as ``write``."""
        info = await self._files.get(principal.tenant, file_id, groups=principal.groups)
        path = self._blobs.path(info.sha256)
        return await self.write(principal, name, _read(path, info.name), note=note or f"file {info.name}")

    async def from_suite(self, context: Context, name: str, wish: SuiteWish, *, note: str = "") -> int:
        """The next version, with a suite of a collection or of recorded answers. Raises ``NotFound``,
        ``InvalidRequest`` if nothing can be made, ``Unsupported``."""
        if bool(wish.collection) == (wish.traces is not None):
            raise InvalidRequest("a suite is made of a collection, or of traces", param="collection")
        if wish.collection:
            if not wish.model:
                raise InvalidRequest("a model writes the questions about a collection", param="model")
            await self._registry.find(wish.model, context.principal)
        # All of them first: a model takes its time, and an unfinished version is void after a minute.
        found = [each async for each in self.suites.examples(context, wish)]
        if not found and wish.traces is not None:
            raise InvalidRequest(
                "no recorded answer that matches has a right answer: an edit, or a thumbs-up",
                remedy="Widen the filter",
                param="traces",
            )
        if not found:
            raise InvalidRequest(
                f"{wish.model} wrote no question whose answer stands in its passage",
                remedy="Ask a larger model, or for more",
                param="suite",
            )
        source = wish.collection or "recorded answers"
        return await self.add_examples(context.principal, name, found, note=note or f"suite of {source}")

    async def from_traces(self, principal: Principal, name: str, wanted: TraceFilter, *, note: str = "") -> int:
        """The next version, with the answers that match. Raises ``InvalidRequest`` if none does."""
        if not 1 <= wanted.limit <= MOST:
            raise InvalidRequest(f"limit lies between 1 and {MOST}", param="limit")
        found = self._traces.examples(principal, wanted)
        first = await anext(found, None)
        if first is None:
            raise InvalidRequest(
                "no recorded answer that this key may see matches", remedy="Widen the filter", param="filter"
            )
        return await self.write(principal, name, _after(first, found), note=note or "traces")


async def _later(found: Iterator[Example]) -> AsyncIterator[Example]:
    for each in found:
        yield each


async def _after(first: Example, found: AsyncIterator[Example]) -> AsyncIterator[Example]:
    yield first
    async for each in found:
        yield each


async def _read(path: Path, name: str) -> AsyncIterator[Example]:
    """The examples of a file, read beside the loop."""
    reading = files.read(path, name)
    while piece := await asyncio.to_thread(lambda: list(islice(reading, PIECE))):
        for each in piece:
            yield each
