"""Ingestion: what changed, what vanished, what failed, what a crash leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.errors import Conflict, EngineError, NotFound, UnreadableDocument
from mainspring.rag.ingest import Source, title_of
from tests.rag.conftest import Room, WordEmbedder


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)


async def found(room: Room, query: str) -> list[str]:
    return [hit.text for hit in await room.retriever.search(room.collection, query)]


async def test_only_what_changed_is_read_again_and_what_vanished_goes(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Apples are red.", two="Pears are green.", three="Plums are blue.")
    seen: list[tuple[int, int, str]] = []
    report = await room.ingestor.sync(room.collection, [folder], lambda *step: seen.append(step))
    assert sorted(report.added) == ["one.md", "three.md", "two.md"]
    assert [(done, of) for done, of, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert isinstance(room.embedder, WordEmbedder)
    embedded = room.embedder.embedded

    report = await room.ingestor.sync(room.collection, [folder])
    assert (report.added, report.updated, len(report.unchanged)) == ([], [], 3)
    assert room.embedder.embedded == embedded

    write(folder, two="Pears are yellow now.")
    (folder / "three.md").unlink()
    report = await room.ingestor.sync(room.collection, [folder])
    assert (report.updated, report.removed) == (["two.md"], ["three.md"])
    assert await found(room, "pears") == ["Pears are yellow now.", "Apples are red."]
    assert await room.documents() == {"one.md": "completed", "two.md": "completed"}
    # The superseded and the removed generation are gone from the vectors too.
    assert await room.stores.vectors.count(room.collection.id) == 2  # type: ignore[attr-defined]


async def test_a_failure_is_recorded_and_the_rest_goes_on(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder, good="Good words.")
    (folder / "bad.pdf").write_bytes(b"no pdf")
    (folder / ".hidden").write_text("hidden")
    (folder / "empty.txt").write_text("")
    report = await room.ingestor.sync(room.collection, [folder])
    assert report.added == ["good.md"]
    assert sorted(failure.name for failure in report.failed) == ["bad.pdf", "empty.txt"]
    assert await room.documents() == {"bad.pdf": "failed", "empty.txt": "failed", "good.md": "completed"}


async def test_a_failed_update_leaves_the_old_text_readable(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Old words.")
    await room.ingestor.sync(room.collection, [folder])
    (folder / "one.md").write_bytes(b"\x00" * 100)
    report = await room.ingestor.sync(room.collection, [folder])
    assert len(report.failed) == 1
    assert await found(room, "words") == ["Old words."]


async def test_an_upload_raises_and_is_recorded(room: Room) -> None:
    document = await room.ingestor.ingest_file(room.collection, "a.txt", b"Some words.", "file-1")
    assert (document.status, document.file_id, document.chunks) == ("completed", "file-1", 1)
    with pytest.raises(UnreadableDocument):
        await room.ingestor.ingest_file(room.collection, "b.pdf", b"no pdf", "file-2")
    assert await room.documents() == {"a.txt": "completed", "b.pdf": "failed"}


async def test_sync_leaves_uploads_alone(room: Room, tmp_path: Path) -> None:
    await room.ingestor.ingest_file(room.collection, "a.txt", b"Some words.", "file-1")
    write(tmp_path / "docs", one="Apples.")
    report = await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    assert report.removed == []


async def test_what_was_written_and_not_published_is_invisible(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Apples are red.")
    await room.ingestor.sync(room.collection, [folder])
    write(folder, one="Apples are blue.")

    async def die(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(room.stores.collections, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.sync(room.collection, [folder])
    assert await found(room, "apples") == ["Apples are red."]
    report = await room.ingestor.sync(room.collection, [folder])
    assert report.updated == ["one.md"]
    assert await found(room, "apples") == ["Apples are blue."]
    assert await room.stores.vectors.count(room.collection.id) == 1  # type: ignore[attr-defined]


async def test_an_embedder_that_fails_marks_its_documents(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise EngineError("the embedder is closed")

    monkeypatch.setattr(room.embedder, "embed", fail)
    with pytest.raises(EngineError):
        await room.ingestor.ingest(room.collection, [Source("k", "a.txt", lambda: b"words")])
    assert await room.documents() == {"a.txt": "failed"}


async def test_another_embedding_model_is_refused(room: Room) -> None:
    other = await room.stores.collections.create("default", "other", embedder="something-else")
    with pytest.raises(Conflict, match=r"models\.embedding"):
        await room.ingestor.ingest(other, [])
    with pytest.raises(Conflict):
        await room.retriever.search(other, "words")


async def test_a_missing_path_is_named(room: Room, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await room.ingestor.ingest_path(room.collection, [tmp_path / "nowhere"])


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("returns-and-refunds.pdf", "returns and refunds"),
        ("scan0012.pdf", ""),
        ("a/b/Tarn_Press.txt", "Tarn Press"),
    ],
)
def test_titles(name: str, title: str) -> None:
    assert title_of(name) == title
