"""The contract of connectors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mainspring.rag.connect.base import Connector, Source, SyncState
from mainspring.rag.connect.registry import GROUPS, ConnectorType, Spec


@pytest.mark.asyncio
class ConnectorSuite:
    """A subclass has the fixtures ``connector_type`` and ``source``, the text of a source with some documents, as a
    user writes it. ``said`` are words of these documents; ``other`` names a source of another kind."""

    options: Mapping[str, Any] = {}
    said: tuple[str, ...] = ()
    other = "ftp://harbour.example/tides"

    @pytest.fixture
    def connector(self, connector_type: ConnectorType, source: str, tmp_path: Path) -> Connector:
        home = tmp_path / "connector"
        home.mkdir()
        return connector_type.open(Spec(source, self.options), self.options, home)

    async def test_it_knows_its_sources(self, connector_type: ConnectorType, source: str) -> None:
        assert connector_type.names(source)
        assert not self.other or not connector_type.names(self.other)

    async def test_options_have_names(self, connector_type: ConnectorType) -> None:
        assert all(name.isidentifier() for name in connector_type.options)
        assert GROUPS not in connector_type.options
        assert set(self.options) <= connector_type.options

    async def test_it_names_itself_and_its_source(self, connector: Connector) -> None:
        assert connector.kind
        assert connector.location

    async def test_the_first_sync_finds_every_document_once(self, connector: Connector) -> None:
        found, _ = await self._synced(connector, SyncState())
        assert found
        assert len({each.key for each in found}) == len(found)
        assert all(each.key and each.name for each in found)
        assert all(connector.owns(each.key) for each in found)

    async def test_documents_can_be_loaded(self, connector: Connector) -> None:
        found, _ = await self._synced(connector, SyncState())
        texts = [each.load() for each in found]
        assert all(isinstance(text, bytes) for text in texts)
        assert [words for words in self.said if not any(words.encode() in text for text in texts)] == []

    async def test_a_second_sync_finds_nothing_new_and_nothing_gone(self, connector: Connector) -> None:
        found, state = await self._synced(connector, SyncState())
        again, after = await self._synced(connector, state)
        known = {each.key: each.mark for each in found}
        # Without a mark only the content tells whether a document has changed.
        assert [each.key for each in again if each.mark and each.mark != known.get(each.key)] == []
        assert {each.key for each in again} <= set(known)
        assert after.marks.keys() == state.marks.keys()

    async def test_a_document_that_is_not_there_any_more_is_gone(self, connector: Connector) -> None:
        found, state = await self._synced(connector, SyncState())
        lost = found[0].key + "-lost"
        # Without a cursor all is read again.
        _, after = await self._synced(connector, SyncState("", {**state.marks, lost: ""}))
        assert lost not in after.marks

    async def _synced(self, connector: Connector, seen: SyncState) -> tuple[list[Source], SyncState]:
        """The documents of a sync, and what is known after it."""
        found: list[Source] = []
        cursor, marks = seen.cursor, dict(seen.marks)
        async for batch in connector.changes(seen):
            assert list(batch.problems) == []
            found += batch.sources
            marks |= {each.key: each.mark for each in batch.sources}
            for key in batch.gone:
                marks.pop(key, None)
            cursor = cursor if batch.cursor is None else batch.cursor
        return found, SyncState(cursor, marks)
