"""The library's background work: what one file's failure does to the others, and what is taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, Literal, cast

import pytest

from mainspring.core.errors import StoreError, UnreadableDocument
from mainspring.core.types import Principal
from mainspring.engines.base import Embedded, Embedder
from mainspring.engines.encode.embedders import Embedders, embedders_of
from mainspring.rag.connect.sync import Syncer
from mainspring.rag.ingest import intake as module
from mainspring.rag.ingest.reindex import reindex
from mainspring.rag.library import AnswererFactory, Library
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.search.search_service import Search
from mainspring.stores.documents.catalogue import About
from mainspring.stores.documents.collections import Collection
from tests.rag.conftest import Room
from tests.rag.test_embedders import Narrow

WHO = Principal("default", "key")


class NoSearch:
    embedder = SimpleNamespace(name="words")


def made(room: Room) -> Library:
    return Library(
        room.stores,
        room.ingestor,
        Syncer(room.ingestor, room.stores.sources, room.stores.blobs.path("0" * 64).parent),
        cast(Search, NoSearch()),
        cast(AnswererFactory, None),
    )


@pytest.fixture
async def library(room: Room) -> AsyncIterator[Library]:
    opened = made(room)
    await opened.start()
    yield opened
    await opened.close()


async def upload(room: Room, name: str) -> str:
    return (await room.stores.files.add("default", name, f"Words of {name}.".encode(), "assistants")).id


async def settled(room: Room) -> dict[str, str]:
    """Name and status of each document once nothing is under way."""
    async with asyncio.timeout(20):
        while "in_progress" in (found := await room.documents()).values():
            await asyncio.sleep(0.02)
    return found


async def test_what_nobody_expects_of_one_file_does_not_end_the_work(
    room: Room, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    parse = room.parser.parse

    async def exhausted(data: bytes, name: str = "") -> Parsed:
        if name == "a.txt":
            raise OSError("too many open files")
        return await parse(data, name)

    monkeypatch.setattr(room.parser, "parse", exhausted)
    await library.attach(WHO, "handbook", await upload(room, "a.txt"))
    assert await settled(room) == {"a.txt": "failed"}
    await library.attach(WHO, "handbook", await upload(room, "b.txt"))
    assert await settled(room) == {"a.txt": "failed", "b.txt": "completed"}
    (failed,) = [each for each in await library.documents(WHO, "handbook") if each.status == "failed"]
    assert failed.error == "too many open files"


async def test_a_database_that_fails_for_a_moment_is_asked_again(
    room: Room, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfinished, asked = room.stores.collections.unfinished, 0

    async def locked() -> Any:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise StoreError("the database is locked")
        return await unfinished()

    monkeypatch.setattr(module, "RETRY_S", 0.01)
    monkeypatch.setattr(room.stores.collections, "unfinished", locked)
    await library.attach(WHO, "handbook", await upload(room, "a.txt"))
    assert await settled(room) == {"a.txt": "completed"}


async def test_a_file_that_is_attached_again_while_it_fails_is_read_again(
    room: Room, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = await upload(room, "a.txt")
    parse, asked = room.parser.parse, 0

    async def late(data: bytes, name: str = "") -> Parsed:
        nonlocal asked
        asked += 1
        if asked == 1:
            await library.attach(WHO, "handbook", file_id)
            raise UnreadableDocument("its parser died")
        return await parse(data, name)

    monkeypatch.setattr(room.parser, "parse", late)
    await library.attach(WHO, "handbook", file_id)
    assert await settled(room) == {"a.txt": "completed"}


async def test_a_document_with_an_access_list_is_taken_up_after_a_restart(room: Room, library: Library) -> None:
    await library.close()
    file_id, hr = await upload(room, "a.txt"), frozenset({"hr"})
    await room.stores.collections.begin(room.collection, file_id, "0" * 64, "a.txt", file_id, About(groups=hr))
    await library.start()
    assert await settled(room) == {"a.txt": "completed"}
    assert await library.documents(WHO, "handbook") == []


async def test_a_file_that_was_read_while_its_collection_moved_is_read_for_the_new_model(
    room: Room, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.ingestor, "_embedders", Embedders(room.embedder, Narrow))
    parse = room.parser.parse
    moved: list[Collection] = []

    async def slowly(data: bytes, name: str = "") -> Parsed:
        if not moved:
            moved.append(await reindex(room.stores, room.collection, Narrow("narrow"), grace_s=0))
        return await parse(data, name)

    monkeypatch.setattr(room.parser, "parse", slowly)
    await library.attach(WHO, "handbook", await upload(room, "a.txt"))
    async with asyncio.timeout(20):
        while (await room.documents()) != {"a.txt": "completed"}:
            await asyncio.sleep(0.02)
    assert await room.stores.vectors.count(moved[0].table) == 1


class Endless:
    """An embedder whose passages of one kind wait until they are let on; it counts what it was asked for."""

    def __init__(self, room: Room) -> None:
        self._embedder = room.embedder
        self.held = asyncio.Event()
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        if any("tome" in text for text in texts):
            self.asked += 1
            if self.asked > 1:
                await self.held.wait()
        return await self._embedder.embed(texts, kind)


TOME = "\n\n".join(
    f"Page {number} of the tome tells of the matter number {number} at length." * 3 for number in range(1500)
)


async def put(library: Library, room: Room, who: Principal, store: str, name: str, text: str) -> str:
    file_id = (await room.stores.files.add(who.tenant, name, text.encode(), "assistants")).id
    await library.attach(who, store, file_id)
    return file_id


async def status(library: Library, who: Principal, store: str, file_id: str) -> str:
    return (await library.document(who, store, file_id)).status


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_a_sentence_of_one_tenant_is_ready_while_the_books_of_another_go_on(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Endless(room)
    monkeypatch.setattr(room.ingestor, "_embedders", embedders_of(cast(Embedder, slow)))
    library = made(room)
    await library.start()
    other = Principal("b", "key")
    await library.create(other, "notes")
    books = [await put(library, room, WHO, "handbook", f"tome{number}.txt", TOME) for number in range(3)]
    await until(lambda: _is(slow.asked > 1))
    note = await put(library, room, other, "notes", "note.txt", "One sentence of the other tenant.")

    async def ready() -> bool:
        return await status(library, other, "notes", note) == "completed"

    await until(ready)
    assert [await status(library, WHO, "handbook", each) for each in books] == ["in_progress"] * 3
    # How far the first is, and that the others wait.
    documents = [await library.document(WHO, "handbook", each) for each in books]
    reading = library.intake.reading(documents[0].document_id)
    assert reading is not None
    assert reading.stage == "embedding"
    assert 0 < reading.done < reading.total
    assert [library.intake.ahead(each.document_id) for each in documents] == [None, 0, 1]
    # What is deleted is read no further, and the next is taken up.
    before = slow.asked
    await library.detach(WHO, "handbook", books[0])
    await until(lambda: _is(slow.asked > before))
    assert library.intake.reading(documents[0].document_id) is None
    assert library.intake.reading(documents[1].document_id) is not None
    await library.delete(WHO, "handbook")
    await until(lambda: _is(library.intake.reading(documents[1].document_id) is None))
    before = slow.asked
    slow.held.set()
    await asyncio.sleep(0.1)
    assert slow.asked == before
    await library.close()


async def test_what_another_process_deletes_is_read_no_further(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Endless(room)
    monkeypatch.setattr(room.ingestor, "_embedders", embedders_of(cast(Embedder, slow)))
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    library = made(room)
    await library.start()
    await put(library, room, WHO, "handbook", "tome.txt", TOME)
    await until(lambda: _is(slow.asked > 1))
    (document,) = await library.documents(WHO, "handbook")
    await room.stores.collections.remove(room.collection, document.document_id)
    await until(lambda: _is(library.intake.reading(document.document_id) is None))
    await library.close()


async def test_tenants_are_read_in_turn(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    library = made(room)
    monkeypatch.setattr(module, "AT_ONCE", 1)
    read: list[str] = []
    ingest_file = room.ingestor.ingest_file

    async def noted(collection: Collection, name: str, *arguments: Any, **fields: Any) -> Any:
        read.append(name)
        return await ingest_file(collection, name, *arguments, **fields)

    monkeypatch.setattr(room.ingestor, "ingest_file", noted)
    for tenant, count in (("default", 4), ("b", 1), ("c", 1)):
        who = Principal(tenant, "key")
        if tenant != "default":
            await library.create(who, "handbook")
        for number in range(count):
            await put(library, room, who, "handbook", f"{tenant}{number}.txt", f"Words of {tenant} {number}.")
    await library.start()
    await until(lambda: _is(len(read) == 6))
    assert read[:3] == ["default0.txt", "b0.txt", "c0.txt"]
    await library.close()


async def _is(value: bool) -> bool:
    return value
