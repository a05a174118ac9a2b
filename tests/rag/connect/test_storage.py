"""Object storage through fsspec's file systems in memory and on disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, MissingExtra, NotFound
from mainspring.rag.connect.base import SyncState
from mainspring.rag.connect.storage import Storage
from tests.rag.conftest import Room

fsspec = pytest.importorskip("fsspec", reason="install mainspring[connectors]")


@pytest.fixture
def memory() -> Iterator[Any]:
    made = fsspec.filesystem("memory")
    made.store.clear()
    yield made
    made.store.clear()


async def test_objects_are_followed(room: Room, memory: Any) -> None:
    memory.pipe({"/docs/a.txt": b"Apples are red.", "/docs/sub/b.txt": b"Pears are green.", "/other/c.txt": b"No."})
    connector = Storage("memory://docs")
    report = await room.ingestor.follow(room.collection, connector)
    assert sorted(report.added) == ["a.txt", "sub/b.txt"]
    memory.pipe("/docs/a.txt", b"Apples are yellow.")
    memory.mv("/docs/sub/b.txt", "/docs/pears.txt")
    memory.pipe("/docs/new.txt", b"Plums are blue.")
    report = await room.ingestor.follow(room.collection, connector)
    assert (report.updated, report.moved, report.added) == (["a.txt", "pears.txt"], ["pears.txt"], ["new.txt"])
    memory.rm("/docs/new.txt")
    report = await room.ingestor.follow(room.collection, connector)
    assert (report.removed, len(report.unchanged)) == (["new.txt"], 2)


async def test_what_is_old_and_unchanged_is_not_read(tmp_path: Path) -> None:
    for name in ("old.txt", "new.txt"):
        (tmp_path / name).write_text("Apples.")
    os.utime(tmp_path / "old.txt", (time.time() - 100,) * 2)
    connector = Storage(tmp_path.as_uri())
    (batch,) = [each async for each in connector.changes(SyncState())]
    marks = {source.key: source.mark for source in batch.sources}
    (again,) = [each async for each in connector.changes(SyncState(marks=marks))]
    # What was written just now may be written again within the clock's tick: it is looked at once more.
    assert [source.name for source in again.sources] == ["new.txt"]
    assert [key.rpartition("/")[2] for key in again.kept] == ["old.txt"]


@pytest.mark.parametrize("url", ["s3:bucket", "simplecache::s3://bucket", "s3://key:secret@bucket/x", "://x"])
def test_urls_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Storage(url)
    assert "secret" not in str(caught.value)


async def test_what_is_not_there_is_named(memory: Any) -> None:
    with pytest.raises(NotFound, match="memory://nothing"):
        await anext(Storage("memory://nothing").changes(SyncState()))
    with pytest.raises(InvalidRequest, match="unheard"):
        await anext(Storage("unheard://x").changes(SyncState()))


async def test_a_storage_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "url_to_fs", absent)
    with pytest.raises(MissingExtra, match="s3fs"):
        await anext(Storage("s3://bucket").changes(SyncState()))
