"""Collections in files: what comes back, what is refused, what a death leaves behind."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mainspring import stores as store_room
from mainspring.core.errors import Conflict, InvalidRequest, ModelNotPulled, NotFound, StoreError
from mainspring.core.settings import Settings, StoresSettings
from mainspring.engines.catalogue.pull import Puller
from mainspring.rag.ingest import transfer
from mainspring.rag.ingest.transfer import ImportReport, export_collection, fingerprint_of, import_collection
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from tests.databases import database
from tests.rag.conftest import Room, WordEmbedder
from tests.rag.shelf import put

BOARD = frozenset({"board"})


class Other(WordEmbedder):
    name = "other"
    dimensions = 256


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Stores]:
    """Stores of another machine."""
    async with store_room.open(Settings(home=tmp_path / "elsewhere")) as opened:
        yield opened


@pytest.fixture
async def exported(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a collection of three documents, each in a row group of its own."""
    monkeypatch.setattr(transfer, "_BATCH_DOCUMENTS", 1)
    await put(
        room, "otters.md", "Otters sleep on their backs.\n\nThey hold hands.", attributes={"year": 2021, "ok": True}
    )
    await put(room, "minutes.md", "The board met.\n\nIt sleeps now.", groups=BOARD, modified_at=12.5)
    await put(room, "urchins.md", "Urchins are eaten.\n\nÜrchins sleep on rocks.")
    path = tmp_path / "out.zip"
    await export_collection(room.stores, room.collection, path, fingerprint="f" * 64)
    return path


async def bring(stores: Stores, path: Path, embedder: WordEmbedder | None = None, **more: Any) -> ImportReport:
    return await import_collection(stores, path, embedder or WordEmbedder(), tenant="theirs", **more)


async def hits(
    stores: Stores, collection: Collection, embedder: WordEmbedder, groups: frozenset[str] | None
) -> list[tuple[Any, ...]]:
    """What a hybrid search finds, by the names of the documents."""
    vector = (await embedder.embed(["otters sleep"])).vectors[0]
    current = await stores.collections.current(collection, groups)
    names = {each.document_id: each.name for each in await stores.collections.documents(collection, None)}
    found = await stores.vectors.search(collection.table, vector=vector, text="otters sleep", k=10, current=current)
    return sorted(
        (
            *(names[hit.document_id], hit.text, hit.start, hit.end, hit.page, hit.heading),
            *(None if score is None else round(score, 4) for score in (hit.dense, hit.lexical)),
        )
        for hit in found
    )


# --- round trip -------------------------------------------------------------------------------------------------


async def test_an_imported_collection_finds_the_same_and_shows_it_to_the_same(
    room: Room, exported: Path, elsewhere: Stores
) -> None:
    embedder = WordEmbedder()
    done = await bring(elsewhere, exported, embedder)
    assert embedder.embedded == 0
    assert (done.documents, done.kept, done.chunks) == (3, 0, 6)
    mine = done.collection
    assert (mine.tenant, mine.name, mine.embedder, dict(mine.metadata)) == ("theirs", "handbook", "words", {})
    for groups, count in ((None, 6), (frozenset[str](), 4), (BOARD, 6)):
        found = await hits(elsewhere, mine, embedder, groups)
        assert found == await hits(room.stores, room.collection, embedder, groups)
        assert len(found) == count
    before = await room.stores.collections.documents(room.collection, None)
    after = await elsewhere.collections.documents(mine, None)
    for old, new in zip(before, after, strict=True):
        assert (new.source_key, new.sha256, new.about, new.pages) == (old.source_key, old.sha256, old.about, old.pages)
        assert (new.chars, new.chunks, new.parser, new.status) == (old.chars, old.chunks, old.parser, "completed")
        assert await elsewhere.collections.text(new) == await room.stores.collections.text(old)
    with pytest.raises(NotFound):
        await elsewhere.collections.get("default", "handbook", groups=BOARD)
    assert stat.S_IMODE(exported.stat().st_mode) == 0o600


async def test_a_collection_of_groups_stays_theirs(room: Room, elsewhere: Stores, tmp_path: Path) -> None:
    secret = await room.stores.collections.create(
        "default", "secret", BOARD, embedder="words", metadata={"a": "b"}, description="d"
    )
    await put(room, "minutes.md", "The board met.", collection=secret)
    await export_collection(room.stores, secret, tmp_path / "s.zip")
    made = (await bring(elsewhere, tmp_path / "s.zip", name="board's")).collection
    assert (made.groups, dict(made.metadata), made.description) == (BOARD, {"a": "b"}, "d")
    with pytest.raises(NotFound):
        await elsewhere.collections.get("theirs", "board's")


async def test_embedding_anew(exported: Path, elsewhere: Stores) -> None:
    other = Other()
    made = (await bring(elsewhere, exported, other, reembed=True)).collection
    assert (made.embedder, other.embedded) == ("other", 6)
    found = await hits(elsewhere, made, other, None)
    assert found[2][:2] == ("otters.md", "Otters sleep on their backs.")
    assert found[2][-2] == max(hit[-2] for hit in found)


async def test_from_lance_to_postgres_and_back(room: Room, exported: Path, tmp_path: Path) -> None:
    async with database(vectors=True) as url:
        there = StoresSettings(database=url, vectors="postgres")
        async with store_room.open(Settings(home=tmp_path / "postgres", stores=there)) as postgres:
            brought = (await bring(postgres, exported)).collection
            await export_collection(postgres, brought, tmp_path / "back.zip")
        back = (await bring(room.stores, tmp_path / "back.zip")).collection
    embedder = WordEmbedder()
    expected = await hits(room.stores, room.collection, embedder, None)
    assert await hits(room.stores, back, embedder, None) == expected


# --- refusals ---------------------------------------------------------------------------------------------------


async def test_vectors_of_another_embedder(exported: Path, elsewhere: Stores) -> None:
    with pytest.raises(Conflict, match=r"embedded with words, and models\.embedding is other.*--reembed.*to words"):
        await bring(elsewhere, exported, Other())
    with pytest.raises(Conflict, match="words of fingerprint ffffffffffff, and the words of this machine has 000000"):
        await bring(elsewhere, exported, fingerprint="0" * 64)
    assert await elsewhere.collections.list("theirs", groups=BOARD) == []
    assert (await bring(elsewhere, exported, fingerprint="f" * 64)).documents == 3


async def test_a_file_that_is_not_whole_leaves_nothing(exported: Path, elsewhere: Stores, tmp_path: Path) -> None:
    data = bytearray(exported.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.zip").write_bytes(data)
    with pytest.raises(InvalidRequest, match=r"damaged\.zip cannot be imported: .*Copy it again"):
        await bring(elsewhere, tmp_path / "damaged.zip")
    assert await elsewhere.collections.list("theirs", groups=BOARD) == []
    with pytest.raises(StoreError, match="No such file"):
        await bring(elsewhere, tmp_path / "absent.zip")


async def test_what_is_there_stays(room: Room, exported: Path, elsewhere: Stores) -> None:
    with pytest.raises(Conflict, match=r"the file .* exists already"):
        await export_collection(room.stores, room.collection, exported)
    await bring(elsewhere, exported)
    with pytest.raises(Conflict, match=r"the collection handbook exists already.*--name"):
        await bring(elsewhere, exported)
    assert (await bring(elsewhere, exported, name="again")).documents == 3


# --- changes and deaths in between ------------------------------------------------------------------------------


async def test_documents_that_are_being_read_are_left_out_and_named(room: Room, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no chunks"):
        await export_collection(room.stores, room.collection, tmp_path / "none.zip")
    await put(room, "a.md", "Some words.")
    await put(room, "b.md", "Words for the board.", groups=BOARD)
    # What is read of it is the board's, and its newest access list does not say so.
    await room.stores.collections.begin(room.collection, "b.md", "0", "b.md")
    done = await export_collection(room.stores, room.collection, tmp_path / "some.zip")
    assert (done.manifest.documents, done.left_out) == (1, ("b.md",))
    assert not list(tmp_path.glob(".export-*"))


async def test_a_collection_that_changes_while_it_is_exported(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await put(room, "a.md", "Some words.\n\nAnd some more.")
    read = room.stores.vectors.read

    async def meanwhile(*arguments: Any) -> Any:
        await room.stores.vectors.delete(room.collection.table, name)
        return await read(*arguments)

    monkeypatch.setattr(room.stores.vectors, "read", meanwhile)
    with pytest.raises(Conflict, match="changed while it was exported"):
        await export_collection(room.stores, room.collection, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()


class Killed(BaseException):
    """What no code that is under test catches."""


async def test_an_import_that_died_is_taken_up(
    room: Room, exported: Path, elsewhere: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = elsewhere.vectors.write, 0

    async def dying(*arguments: Any) -> None:
        nonlocal written
        await write(*arguments)
        written += 1
        if written == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(elsewhere.vectors, "write", dying)
        with pytest.raises(Killed):
            await bring(elsewhere, exported)
    half = await elsewhere.collections.get("theirs", "handbook")
    assert set(half.metadata) == {transfer.UNFINISHED}
    assert len(await hits(elsewhere, half, WordEmbedder(), None)) == 2

    await put(room, "more.md", "What came later.")
    await export_collection(room.stores, room.collection, exported.with_name("later.zip"))
    with pytest.raises(Conflict, match="already"):
        await bring(elsewhere, exported.with_name("later.zip"))
    done = await bring(elsewhere, exported)
    assert (done.collection.id, done.documents, done.kept, dict(done.collection.metadata)) == (half.id, 2, 1, {})
    embedder = WordEmbedder()
    expected = await hits(room.stores, room.collection, embedder, None)
    found = await hits(elsewhere, done.collection, embedder, None)
    assert [hit[:-1] for hit in found] == [hit[:-1] for hit in expected if hit[0] != "more.md"]
    # The chunks of the run that died are forgotten.
    assert await elsewhere.vectors.count(done.collection.table) == 6


async def test_an_import_that_is_overtaken_says_so(
    exported: Path, elsewhere: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = elsewhere.vectors.write

    async def meanwhile(table: str, rows: Any) -> None:
        await write(table, rows)
        collection = await elsewhere.collections.get("theirs", "handbook")
        if len(await elsewhere.collections.documents(collection, None)) == 1:
            await elsewhere.collections.begin(collection, "minutes.md", "0", "minutes.md")

    monkeypatch.setattr(elsewhere.vectors, "write", meanwhile)
    with pytest.raises(Conflict, match=r"1 documents of handbook were changed meanwhile: minutes\.md"):
        await bring(elsewhere, exported)
    assert (await bring(elsewhere, exported)).kept == 2


def test_the_fingerprint_is_of_the_weights_and_not_of_the_graph() -> None:
    try:
        pulled = Puller(Settings()).local("all-minilm-l6-v2")
    except ModelNotPulled as error:
        pytest.skip(str(error))

    def changed(role: str) -> str:
        name = pulled.manifest["roles"][role]
        files = pulled.manifest["files"] | {name: pulled.manifest["files"][name] | {"sha256": "0" * 64}}
        return fingerprint_of(replace(pulled, manifest={**pulled.manifest, "files": files}))

    assert changed("graph") == fingerprint_of(pulled) != changed("weights")
