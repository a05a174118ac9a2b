"""Configured sources: kept with their cursors, followed again, and read as users write them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mainspring.core.errors import InvalidRequest, NotFound, UpstreamError
from mainspring.rag.connect.registry import Spec, connector
from mainspring.rag.connect.sync import Syncer
from mainspring.rag.connect.watch import watch
from tests.rag.conftest import Room
from tests.rag.connect.test_git import Repository


@pytest.mark.parametrize(
    ("text", "kind", "location"),
    [
        ("https://example.org/docs#top", "web", "https://example.org/docs"),
        ("git+https://example.org/a/b.git@v1.0", "git", "git+https://example.org/a/b.git@v1.0"),
        ("git+https://example.org/a/b.git", "git", "git+https://example.org/a/b.git@HEAD"),
        ("git+ssh://git@example.org/a/b.git", "git", "git+ssh://git@example.org/a/b.git@HEAD"),
        ("mbox:/var/mail/ann", "mail", "mbox:/var/mail/ann"),
        ("s3://bucket/prefix/", "storage", "s3://bucket/prefix"),
        ("/srv/docs/../handbook", "folder", "/srv/handbook"),
    ],
)
def test_sources_are_read_as_they_are_written(text: str, kind: str, location: str, tmp_path: Path) -> None:
    made = connector(Spec(text), tmp_path)
    assert (made.kind, made.location) == (kind, location)


def test_options_belong_to_their_kind(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="depth is not an option of a folder"):
        connector(Spec("/srv", {"depth": 2}), tmp_path)
    with pytest.raises(InvalidRequest, match="--query"):
        connector(Spec("sql+sqlite:///x.db", {"id": "id", "text": ["body"]}), tmp_path)


async def test_a_configured_source_is_followed_from_its_cursor(room: Room, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    repository.commit(one="Apples are red.", two="Pears are green.")
    syncer = Syncer(room.ingestor, room.stores.sources, tmp_path / "sources")
    spec = Spec(f"git+{repository.path.as_uri()}@main", {"exclude": ["two*"]})
    report = await syncer.add(room.collection, spec)
    assert report.added == ["one.txt"]
    (row,) = await syncer.sources(room.collection)
    assert (row.kind, row.cursor, row.error) == ("git", repository.git("rev-parse", "main").strip(), "")
    assert row.synced_at is not None
    (document,) = await room.stores.collections.documents(room.collection, None)
    assert document.about.source_id == row.id

    repository.commit(three="Plums are blue.")
    assert (await syncer.sync(room.collection, row)).added == ["three.txt"]
    # Other options are another question to the whole source.
    assert (await syncer.add(room.collection, Spec(spec.text))).added == ["two.txt"]
    assert [each.id for each in await syncer.sources(room.collection)] == [row.id]


async def test_why_a_sync_failed_is_kept(room: Room, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "origin")
    repository.commit(one="Apples are red.")
    syncer = Syncer(room.ingestor, room.stores.sources, tmp_path / "sources")
    await syncer.add(room.collection, Spec(f"git+{repository.path.as_uri()}"))
    repository.path.rename(tmp_path / "away")
    (row,) = await syncer.sources(room.collection)
    with pytest.raises(UpstreamError):
        await syncer.sync(room.collection, row)
    (failed,) = await syncer.sources(room.collection)
    assert "git fetch failed" in failed.error
    assert (failed.cursor, failed.synced_at) == (row.cursor, row.synced_at)
    assert await room.documents() == {"one.txt": "completed"}
    with pytest.raises(NotFound):
        await room.stores.sources.remove(room.collection, "src_nothing")
    await room.stores.sources.remove(room.collection, row.id)
    assert await syncer.sources(room.collection) == []


async def test_sources_go_with_their_collection(room: Room, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Apples.")
    syncer = Syncer(room.ingestor, room.stores.sources, tmp_path)
    await syncer.add(room.collection, Spec(str(tmp_path / "a.txt")))
    await room.stores.collections.delete("default", room.collection.id)
    assert await syncer.sources(room.collection) == []


@pytest.mark.parametrize("polling", [False, True])
async def test_watching_tells_that_something_changed(tmp_path: Path, polling: bool) -> None:
    (tmp_path / "a.txt").write_text("Apples.")
    changes = watch([tmp_path], poll_s=0.05, polling=polling)
    waiting = asyncio.ensure_future(anext(changes))
    # The watcher needs a moment before it sees anything; until it does, the file keeps changing.
    for number in range(200):
        await asyncio.sleep(0.05)
        (tmp_path / "a.txt").write_text("Pears." * (number + 1))
        if waiting.done():
            break
    assert waiting.done()
    await changes.aclose()  # type: ignore[attr-defined]
