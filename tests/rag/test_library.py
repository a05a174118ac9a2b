"""The library's background work: what one file's failure does to the others, and what is taken up again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from mainspring.engines.embedders import Embedders
from mainspring.errors import StoreError, UnreadableDocument
from mainspring.rag import library as module
from mainspring.rag.connect.sync import Syncer
from mainspring.rag.document import Parsed
from mainspring.rag.library import Answering, Library
from mainspring.rag.reindex import reindex
from mainspring.rag.search import Search
from mainspring.stores.collections import Collection
from mainspring.stores.documents import About
from mainspring.types import Principal
from tests.rag.conftest import Room
from tests.rag.test_embedders import Narrow

WHO = Principal("default", "key")


class NoSearch:
    embedder_name = "words"


@pytest.fixture
async def library(room: Room) -> AsyncIterator[Library]:
    made = Library(
        room.stores,
        room.ingestor,
        Syncer(room.ingestor, room.stores.sources, room.stores.blobs.path("0" * 64).parent),
        cast(Search, NoSearch()),
        cast(Answering, None),
    )
    await made.start()
    yield made
    await made.close()


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

    monkeypatch.setattr(module, "_RETRY_S", 0.01)
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
