"""Collections of several embedders, side by side: searched, filled, and moved from one to another under way."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from mainspring.core.errors import Conflict, ModelNotPulled, UnknownModel
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.engines.base import Embedded
from mainspring.engines.encode.embedders import Embedders
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.ingest.reindex import reindex
from mainspring.rag.ingest.vocabulary import Vocabularies
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.search.similar import Similar
from mainspring.rag.text import terms
from mainspring.stores.documents.collections import Collection
from tests.rag.conftest import Room, WordEmbedder

WHO = Context(Principal("default", "key"))


class Narrow(WordEmbedder):
    """The same idea with other words in other places, and all cosines above a half."""

    dimensions = 64

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.loaded = False
        self.loads = 0

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        self.loads += not self.loaded
        self.loaded = True
        vectors = np.full((len(texts), self.dimensions), 1.0, np.float32)
        for row, text in enumerate(texts):
            for word in terms.words(text):
                vectors[row, zlib.crc32(f"{self.name} {word}".encode()) % self.dimensions] += 4
        return Embedded(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), 0)

    def unload(self) -> None:
        self.loaded = False


class Shelf:
    """A catalogue of narrow embedders; one of them was never pulled."""

    def __init__(self) -> None:
        self.made: dict[str, Narrow] = {}

    def __call__(self, name: str) -> Narrow:
        if name == "unpulled":
            raise ModelNotPulled("unpulled is not pulled")
        if not name.startswith("narrow"):
            raise UnknownModel(f"no model {name}")
        return self.made.setdefault(name, Narrow(name))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def equipped(room: Room, shelf: Shelf) -> tuple[Ingestor, Retriever]:
    embedders = Embedders(room.embedder, shelf)
    kept = (room.stores.collections, room.stores.blobs, room.stores.vectors, embedders)
    return Ingestor(*kept, room.parser, room.settings), Retriever(*kept, room.settings)


async def collection_of(room: Room, name: str, embedder: str) -> Collection:
    return await room.stores.collections.create("default", name, embedder=embedder)


async def test_collections_of_two_embedders_are_filled_and_searched_side_by_side(room: Room, shelf: Shelf) -> None:
    ingestor, retriever = equipped(room, shelf)
    other = await collection_of(room, "rivers", "narrow")
    await ingestor.ingest_file(room.collection, "trains.txt", b"Trains run on rails through the tunnel.")
    await ingestor.ingest_file(other, "otters.txt", b"Otters swim in the river and sleep holding hands.")
    await ingestor.ingest_file(other, "boats.txt", b"Boats float past the village mill.")
    for within, asked, expected in (
        (room.collection, "trains rails", "trains.txt"),
        (other, "otters swim", "otters.txt"),
        ([room.collection, other], "trains rails tunnel", "trains.txt"),
        ([other, room.collection], "otters sleep river", "otters.txt"),
    ):
        found = await retriever.search(within, asked, groups=None)
        assert (found[0].source, found[0].foreign) == (expected, expected != "trains.txt")
        for mode in ("dense", "sparse"):
            hits = await retriever.search(within, asked, groups=None, options=SearchOptions.parse({"mode": mode}))
            assert hits[0].source == expected or (mode == "dense" and len(hits) > 1)
            assert all(0 <= hit.score <= 1 for hit in hits)

    like = Similar(retriever, Vocabularies(retriever.scopes, retriever.text))
    (hit, *_) = await like.to_text(other, "An otter in its river", 1, groups=None)
    assert hit.source == "otters.txt"
    answerer = DocumentAnswerer(retriever, room.stores.collections, room.settings)
    request = ChatRequest("document-qa", (Message("user", "Where do otters swim?"),))
    text = "".join([getattr(event, "text", "") async for event in await answerer.respond(request, WHO)])
    assert "Otters swim in the river" in text


async def test_only_so_many_are_in_memory_and_each_comes_back(shelf: Shelf) -> None:
    embedders = Embedders(WordEmbedder(), shelf, keep=2)
    first = await embedders.get("narrow 0")
    for number in (0, 1, 2, 3, 3, 2):
        await (await embedders.get(f"narrow {number}")).embed(["a text"])
        assert sum(each.loaded for each in shelf.made.values()) <= 2
    assert [each.loads for each in shelf.made.values()] == [1, 1, 1, 1]
    # Who still holds one that was let go can use it all the same.
    await first.embed(["a text"])
    assert shelf.made["narrow 0"].loads == 2


async def test_a_model_that_is_not_at_hand_is_named_with_the_remedy(room: Room, shelf: Shelf) -> None:
    ingestor, retriever = equipped(room, shelf)
    unpulled = await collection_of(room, "later", "unpulled")
    unknown = await collection_of(room, "gone", "of-another-age")
    for use in (lambda c: retriever.search(c, "x", groups=None), lambda c: ingestor.ingest_file(c, "a.txt", b"a")):
        with pytest.raises(ModelNotPulled, match=r"collection later was embedded with unpulled.*models pull unpulled"):
            await use(unpulled)
        with pytest.raises(Conflict, match=r"collection gone was embedded with of-another-age.*reindex"):
            await use(unknown)
    # Questions to all documents are answered from those that can be searched.
    await ingestor.ingest_file(room.collection, "trains.txt", b"Trains run on rails.")
    request = ChatRequest("document-qa", (Message("user", "What do trains run on?"),))
    answerer = DocumentAnswerer(retriever, room.stores.collections, room.settings)
    text = "".join([getattr(event, "text", "") async for event in await answerer.respond(request, WHO)])
    assert "rails" in text


async def test_searches_never_fail_while_a_collection_moves(room: Room, shelf: Shelf) -> None:
    ingestor, retriever = equipped(room, shelf)
    for number in range(40):
        await ingestor.ingest_file(room.collection, f"{number}.txt", f"Train {number} leaves platform.".encode())
    searched: set[str] = set()
    moving = asyncio.create_task(reindex(room.stores, room.collection, Narrow("narrow"), grace_s=0.2))

    async def search() -> None:
        while True:
            fresh = await room.stores.collections.get("default", "handbook")
            (hit, *_) = await retriever.search(fresh, "train 7 platform", groups=None)
            assert hit.source == "7.txt"
            searched.add(fresh.embedder)
            if moving.done() and fresh.embedder == "narrow":
                return

    async with asyncio.timeout(30):
        await asyncio.gather(*(search() for _ in range(3)))
    assert searched == {"words", "narrow"}
    moved = await moving
    report = await ingestor.ingest_file(moved, "new.txt", b"Ferries leave at noon.")
    assert report.status == "completed"
    assert (await retriever.search(moved, "ferries noon", groups=None))[0].source == "new.txt"
