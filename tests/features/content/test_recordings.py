"""Recordings as rows: lists leave the sound where it is, and quotas hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mainspring.core.errors import QuotaExceeded
from mainspring.core.settings import LimitsSettings, Settings
from mainspring.core.types import Principal
from mainspring.features.content.store.notebooks import NotebookStore
from mainspring.stores import open as open_stores

KEY = Principal("acme", "key_1")
SCRIPT = [("alloy", "Hello.")]


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The statements that were executed."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(sa.Engine, "before_cursor_execute", note)


async def test_recordings_are_listed_without_their_sound_and_count_as_files(tmp_path: Path, asked: list[str]) -> None:
    limits = LimitsSettings.model_validate({"tenant": {"file_bytes": 100}})
    async with open_stores(Settings(home=tmp_path, limits=limits)) as stores:
        store = NotebookStore(stores.database, stores.quotas, 10, 3)
        notebook = await store.create(KEY, "Mine", [("vs_1", "doc_1")])
        made = await store.record(KEY, notebook, SCRIPT, bytes(60))
        asked.clear()
        (listed,) = await store.recordings(KEY, notebook.id)
        assert (listed.id, listed.size, listed.data) == (made.id, 60, b"")
        (select,) = [each for each in asked if "FROM content_recordings" in each]
        assert "data" not in select.replace("length(content_recordings.data)", "")
        assert (await store.recording(KEY, made.id)).data == bytes(60)
        assert (await stores.quotas.used("acme"))["file_bytes"] == 60
        with pytest.raises(QuotaExceeded, match="60 of 100 bytes"):
            await store.record(KEY, notebook, SCRIPT, bytes(41))
        with pytest.raises(QuotaExceeded, match="60 of 100 bytes"):
            await stores.files.add("acme", "a.txt", b"a" * 41, "assistants")
        await store.record(KEY, notebook, SCRIPT, bytes(1))
        await store.check_room("acme")
        await store.record(KEY, notebook, SCRIPT, bytes(1))
        with pytest.raises(QuotaExceeded, match="max_recordings"):
            await store.check_room("acme")
        with pytest.raises(QuotaExceeded, match="max_recordings"):
            await store.record(KEY, notebook, SCRIPT, bytes(1))
        await store.delete(KEY, notebook.id)
        assert (await stores.quotas.used("acme"))["file_bytes"] == 0
