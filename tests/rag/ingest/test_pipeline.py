"""Ingestion: what changed, what vanished, what failed, what a crash leaves."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.errors import Conflict, EngineError, NotFound, UnreadableDocument
from mainspring.rag.ingest.pipeline import Ingestor, Source, title_of
from mainspring.stores.documents.catalogue import About
from tests.rag.conftest import Room, WordEmbedder


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)


async def found(room: Room, query: str) -> list[str]:
    return [hit.text for hit in await room.retriever.search(room.collection, query, groups=None)]


async def headings(room: Room, query: str) -> list[str]:
    return [hit.heading for hit in await room.retriever.search(room.collection, query, groups=None)]


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
    assert await room.stores.vectors.count(room.collection.id) == 2


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
        patch.setattr(room.stores.collections, "publish_all", die)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.sync(room.collection, [folder])
    assert await found(room, "apples") == ["Apples are red."]
    report = await room.ingestor.sync(room.collection, [folder])
    assert report.updated == ["one.md"]
    assert await found(room, "apples") == ["Apples are blue."]
    assert await room.stores.vectors.count(room.collection.id) == 1


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
        await room.retriever.search(other, "words", groups=None)


async def test_a_missing_path_is_named(room: Room, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await room.ingestor.ingest_path(room.collection, [tmp_path / "nowhere"])


def paragraphs(count: int) -> list[str]:
    """Paragraphs of two chunks' length each, all different."""
    return [
        " ".join(f"Sentence {n} of paragraph {number} says {n * number}." for n in range(24)) for number in range(count)
    ]


async def test_of_a_changed_document_only_the_new_chunks_are_embedded(room: Room, tmp_path: Path) -> None:
    assert isinstance(room.embedder, WordEmbedder)
    texts = paragraphs(10)
    write(tmp_path / "docs", long="\n\n".join(texts))
    report = await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    before = room.embedder.embedded
    assert (report.chunks, report.embedded, report.reused) == (before, before, 0)
    texts[5] += " Quinces were added."
    write(tmp_path / "docs", long="\n\n".join(texts))
    report = await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    assert report.updated == ["long.md"]
    assert 0 < report.embedded < report.chunks / 3
    assert report.reused == report.chunks - report.embedded
    assert room.embedder.embedded == before + report.embedded
    assert any("Quinces" in text for text in await found(room, "quinces"))


async def test_equal_text_is_embedded_once_in_a_collection(room: Room, tmp_path: Path) -> None:
    assert isinstance(room.embedder, WordEmbedder)
    text = "# Fruit\n\nApples are red."
    write(tmp_path / "docs", one=text, two=text)
    await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    write(tmp_path / "docs", three=text)
    report = await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    assert (report.added, report.embedded, room.embedder.embedded) == (["three.md"], 0, 1)
    assert len(await found(room, "apples")) == 3


async def test_a_moved_file_keeps_its_document(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Apples are red.", two="Pears are green.")
    await room.ingestor.sync(room.collection, [folder])
    before = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    assert isinstance(room.embedder, WordEmbedder)
    embedded = room.embedder.embedded
    (folder / "fruit").mkdir()
    (folder / "one.md").rename(folder / "fruit" / "one.md")
    report = await room.ingestor.sync(room.collection, [folder])
    assert (report.moved, report.added, report.removed) == (["fruit/one.md"], [], [])
    after = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    assert after.keys() == {"fruit/one.md", "two.md"}
    moved = after["fruit/one.md"]
    assert (moved.document_id, moved.generation) == (before["one.md"].document_id, 1)
    assert moved.source_key == str((folder / "fruit" / "one.md").resolve())
    assert room.embedder.embedded == embedded
    assert (await room.ingestor.sync(room.collection, [folder])).moved == []


async def test_a_renamed_file_has_its_new_title(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Apples are red.", two="# Pears\n\nPears are green.", p17="Plums are blue.")
    await room.ingestor.sync(room.collection, [folder])
    before = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    assert isinstance(room.embedder, WordEmbedder)
    embedded = room.embedder.embedded
    for old, new in (("one.md", "apples.md"), ("two.md", "pears.md"), ("p17.md", "p18.md")):
        (folder / old).rename(folder / new)
    report = await room.ingestor.sync(room.collection, [folder])
    assert sorted(report.moved) == ["apples.md", "p18.md", "pears.md"]
    assert (report.updated, report.added, report.removed) == (["apples.md", "pears.md"], [], [])
    after = {each.name: each for each in await room.stores.collections.documents(room.collection, None)}
    for old, new in (("one.md", "apples.md"), ("two.md", "pears.md"), ("p17.md", "p18.md")):
        assert after[new].document_id == before[old].document_id
    # The title is part of what is embedded only where the document has none of its own.
    assert (report.embedded, room.embedder.embedded) == (1, embedded + 1)
    assert [(await headings(room, word))[0] for word in ("red", "green", "blue")] == ["apples", "Pears", ""]
    again = await room.ingestor.sync(room.collection, [folder])
    assert sorted(again.unchanged) == ["apples.md", "p18.md", "pears.md"]


async def test_a_renamed_file_that_was_not_read_again_is_read_at_the_next_sync(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    write(folder, one="Apples are red.")
    await room.ingestor.sync(room.collection, [folder])
    (folder / "one.md").rename(folder / "apples.md")
    with monkeypatch.context() as dying:

        async def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        dying.setattr(Ingestor, "_ingest", killed)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.sync(room.collection, [folder])
    assert await headings(room, "red") == ["one"]
    assert (await room.ingestor.sync(room.collection, [folder])).updated == ["apples.md"]
    assert await headings(room, "red") == ["apples"]


async def test_a_source_with_another_name_has_its_new_title(room: Room) -> None:
    for name in ("one.txt", "apples.txt", "apples.md"):
        source = Source("k", name, lambda: b"Apples are red.", mark="m")
        report = await room.ingestor.ingest(room.collection, [source])
    assert (report.updated, report.embedded) == (["apples.md"], 0)
    assert await headings(room, "red") == ["apples"]


async def test_other_settings_read_unchanged_files_again(room: Room, tmp_path: Path) -> None:
    write(tmp_path / "docs", long="\n\n".join(paragraphs(4)))
    await room.ingestor.sync(room.collection, [tmp_path / "docs"])
    shared = (room.stores.collections, room.stores.blobs, room.stores.vectors, room.embedder, room.parser)
    finer = Ingestor(*shared, room.settings.model_copy(update={"chunk_tokens": 32}))
    report = await finer.sync(room.collection, [tmp_path / "docs"])
    assert report.updated == ["long.md"]
    assert (await finer.sync(room.collection, [tmp_path / "docs"])).unchanged == ["long.md"]
    # What decides nothing about chunks changes nothing.
    answering = Ingestor(*shared, room.settings.model_copy(update={"chunk_tokens": 32, "top_k": 9}))
    assert (await answering.sync(room.collection, [tmp_path / "docs"])).unchanged == ["long.md"]


async def test_what_is_known_of_a_document_changes_without_reading_it(room: Room) -> None:
    collections = room.stores.collections

    def source(**facts: Any) -> Source:
        return Source("k", "a.txt", lambda: b"Apples are red.", **facts)

    await room.ingestor.ingest(room.collection, [source(attributes={"year": 2024, "draft": True}, modified_at=5.0)])
    (document,) = await collections.documents(room.collection, None)
    assert (document.attributes, document.modified_at) == ({"year": 2024, "draft": True}, 5.0)
    version = collections.version(room.collection)
    report = await room.ingestor.ingest(room.collection, [source(attributes={"year": 2025}, modified_at=6.0)])
    assert (report.described, report.embedded) == (["a.txt"], 0)
    (document,) = await collections.documents(room.collection, None)
    assert (document.attributes, document.modified_at, document.generation) == ({"year": 2025}, 6.0, 1)
    # Answers that were cached under the old version are no longer found.
    assert collections.version(room.collection) == version + 1


async def test_a_mark_that_is_known_spares_the_reading(room: Room) -> None:
    read: list[str] = []

    def source(mark: str) -> Source:
        return Source("k", "a.txt", lambda: read.append(mark) or b"Apples are red.", mark=mark)  # type: ignore[func-returns-value]

    for mark in ("v1", "v1", "v2", "v2", "", ""):
        await room.ingestor.ingest(room.collection, [source(mark)])
    assert read == ["v1", "v2", "", ""]


async def test_groups_decide_what_is_found(room: Room) -> None:
    hr, it = frozenset({"hr"}), frozenset({"it"})
    salaries = Source("s", "salaries.txt", lambda: b"Apples cost a salary.", groups=hr)
    plans = Source("p", "plans.txt", lambda: b"Apples are planned.", groups=hr | it)
    await room.ingestor.ingest(room.collection, [salaries, plans, Source("f", "fruit.txt", lambda: b"Apples are red.")])

    async def seen(groups: frozenset[str]) -> set[str]:
        hits = await room.retriever.search(room.collection, "apples", groups=groups)
        names = {each.name for each in await room.stores.collections.documents(room.collection, groups)}
        assert {hit.source for hit in hits} == names
        return names

    assert await seen(frozenset()) == {"fruit.txt"}
    assert await seen(it) == {"fruit.txt", "plans.txt"}
    assert await seen(hr | frozenset({"x"})) == {"fruit.txt", "plans.txt", "salaries.txt"}

    # Taken away, though nothing else of the document changed.
    await room.ingestor.ingest(room.collection, [dataclasses.replace(plans, groups=it)])
    assert await seen(hr) == {"fruit.txt", "salaries.txt"}
    assert await seen(it) == {"fruit.txt", "plans.txt"}


async def test_a_failed_update_neither_opens_nor_keeps_access(room: Room) -> None:
    hr, it = frozenset({"hr"}), frozenset({"it"})
    collections = room.stores.collections
    await room.ingestor.ingest(room.collection, [Source("s", "s.txt", lambda: b"Secret apples.", groups=hr)])
    broken = Source("s", "s.txt", lambda: b"\x00" * 100)

    async def admitted() -> list[bool]:
        return [bool(await collections.current(room.collection, groups)) for groups in (frozenset(), it, hr)]

    assert await admitted() == [False, False, True]
    # The new text would be for everyone; what is still read was not.
    await room.ingestor.ingest(room.collection, [broken])
    assert await admitted() == [False, False, True]
    await room.ingestor.ingest(room.collection, [dataclasses.replace(broken, groups=it)])
    assert await admitted() == [False, False, False]
    await room.ingestor.ingest(room.collection, [Source("s", "s.txt", lambda: b"Open apples.", groups=it)])
    assert await admitted() == [False, True, False]


async def test_an_upload_keeps_what_was_said_of_it(room: Room) -> None:
    about = About({"year": 2024}, frozenset({"hr"}), 5.0)
    await room.stores.collections.begin(room.collection, "file-1", "0" * 64, "a.txt", "file-1", about)
    document = await room.ingestor.ingest_file(room.collection, "a.txt", b"Some words.", "file-1")
    assert dataclasses.replace(document.about, recipe="") == about
    assert await room.stores.collections.current(room.collection, frozenset()) == {}


async def test_chunks_that_a_dead_process_left_are_forgotten(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("k", "a.txt", lambda: b"Apples are red.")

    async def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    async def rows() -> int:
        return await room.stores.vectors.count(room.collection.id)

    # One dies before its commit, one after it and before it forgets what the commit made stale.
    with monkeypatch.context() as patch:
        patch.setattr(room.stores.collections, "publish_all", die)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.ingest(room.collection, [source])
    with monkeypatch.context() as patch:
        patch.setattr(room.stores.vectors, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.ingest(room.collection, [source])
    assert await rows() == 2
    await room.ingestor.ingest(room.collection, [source])
    assert await rows() == 1
    (document,) = await room.stores.collections.documents(room.collection, None)
    with monkeypatch.context() as patch:
        patch.setattr(room.stores.vectors, "forget", die)
        with pytest.raises(KeyboardInterrupt):
            await room.ingestor.remove(room.collection, document.document_id)
    assert await rows() == 1
    await room.ingestor.ingest(room.collection, [source])
    assert await rows() == 1
    assert await room.stores.collections.stale(room.collection) == []


async def test_nothing_is_left_of_what_was_removed_while_it_was_ingested(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    collections, vectors = room.stores.collections, room.stores.vectors
    put = room.stores.blobs.put
    source = Source("k", "a.txt", lambda: b"Apples are red.")
    text = room.stores.blobs.path(hashlib.sha256(b"Apples are red.").hexdigest())

    async def document_goes(data: bytes) -> str:
        (document,) = await collections.documents(room.collection, None)
        await collections.remove(room.collection, document.document_id)
        return await put(data)

    async def collection_goes(data: bytes) -> str:
        await collections.delete("default", room.collection.id)
        await vectors.drop(room.collection.table)
        return await put(data)

    monkeypatch.setattr(room.stores.blobs, "put", document_goes)
    report = await room.ingestor.ingest(room.collection, [source])
    assert [failure.name for failure in report.failed] == ["a.txt"]
    assert (await vectors.count(room.collection.table), text.exists()) == (0, False)
    monkeypatch.setattr(room.stores.blobs, "put", collection_goes)
    with pytest.raises(NotFound):
        await room.ingestor.ingest(room.collection, [source])
    assert (await vectors.count(room.collection.table), text.exists()) == (0, False)


async def test_a_text_that_is_removed_with_another_document_is_written_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = room.stores.blobs.put

    async def swept(data: bytes) -> str:
        sha256 = await put(data)
        room.stores.blobs.unlink(sha256)
        return sha256

    monkeypatch.setattr(room.stores.blobs, "put", swept)
    await room.ingestor.ingest(room.collection, [Source("k", "a.txt", lambda: b"Apples are red.")])
    (document,) = await room.stores.collections.documents(room.collection, None)
    assert await room.stores.collections.text(document) == "Apples are red."


async def test_what_cannot_be_published_is_not_left_in_progress(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    moved = Conflict("the collection was re-indexed meanwhile")

    monkeypatch.setattr("mainspring.stores.documents.table_moves.moved", lambda *_: moved)
    await room.ingestor.ingest(room.collection, [Source("k", "a.txt", lambda: b"Apples are red.")])
    assert await room.documents() == {"a.txt": "failed"}


async def test_a_moved_file_that_another_ingest_has_begun_is_a_new_document(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, collections = tmp_path / "docs", room.stores.collections
    write(folder, one="Apples are red.")
    await room.ingestor.sync(room.collection, [folder])
    (folder / "one.md").rename(folder / "uno.md")
    write(folder, two="Pears are green.")
    describe = collections.describe

    async def overtaken(collection: Any, document_id: str, *rest: Any) -> None:
        await collections.begin(collection, str(folder / "one.md"), "0" * 64, "one.md")
        await describe(collection, document_id, *rest)

    monkeypatch.setattr(collections, "describe", overtaken)
    report = await room.ingestor.sync(room.collection, [folder])
    assert (sorted(report.added), report.removed, report.moved) == (["two.md", "uno.md"], ["one.md"], [])


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
