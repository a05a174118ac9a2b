"""What every SQL database must do for collections, their documents and their graphs."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib

import pytest

from mainspring import stores
from mainspring.core.errors import Conflict, InvalidRequest, NotFound
from mainspring.core.settings import Settings
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import Publication
from mainspring.stores.sql.pages import Page
from tests.conformance.stored import publish
from tests.databases import opened, settings

__all__ = ["opened", "settings"]


async def test_collections_are_seen_by_their_groups_only(opened: Stores) -> None:
    everyone = await opened.collections.create("a", "everyone", embedder="mini")
    restricted = await opened.collections.create("a", "restricted", frozenset({"hr"}), embedder="mini")
    assert await opened.collections.list("a") == [everyone]
    assert await opened.collections.list("a", groups=frozenset({"hr"})) == [everyone, restricted]
    assert await opened.collections.list("b", groups=frozenset({"hr"})) == []
    for name in ("restricted", restricted.id):
        assert await opened.collections.get("a", name, groups=frozenset({"hr", "x"})) == restricted
        for groups in (frozenset[str](), frozenset({"it"})):
            with pytest.raises(NotFound):
                await opened.collections.get("a", name, groups=groups)
        with pytest.raises(NotFound):
            await opened.collections.get("b", name, groups=frozenset({"hr"}))


async def test_names_are_unique_in_a_tenant(opened: Stores) -> None:
    await opened.collections.create("a", "c", embedder="mini")
    await opened.collections.create("b", "c", embedder="mini")
    with pytest.raises(Conflict):
        await opened.collections.create("a", "c", embedder="mini")
    for name in ("", " ", "vs_x"):
        with pytest.raises(InvalidRequest):
            await opened.collections.create("a", name, embedder="mini")


async def test_a_generation_is_current_from_its_publication_on(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    document_id, first = await publish(opened, collection, "s", "first")
    assert await opened.collections.current(collection, None) == {document_id: first}
    begun = await opened.collections.begin(collection, "s", "0" * 64, "s")
    assert (begun.document_id, begun.current) == (document_id, first)
    assert await opened.collections.current(collection, None) == {document_id: first}
    document = await opened.collections.document(collection, document_id, None)
    assert (document.status, document.generation) == ("in_progress", first)
    assert await opened.collections.text(document) == "first"
    blob = await opened.blobs.put(b"second")
    superseded = await opened.collections.publish(
        collection, document_id, begun.generation, chars=6, chunks=2, parser="text", text_blob=blob, pages=3
    )
    assert superseded == first
    assert await opened.collections.current(collection, None) == {document_id: begun.generation}
    (document,) = await opened.collections.documents(collection, None)
    assert (document.status, document.chunks, document.pages, document.sha256) == ("completed", 2, 3, "0" * 64)
    assert await opened.collections.text(document) == "second"
    assert not opened.blobs.holds(hashlib.sha256(b"first").hexdigest())


async def test_the_latest_to_begin_wins(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    slow = await opened.collections.begin(collection, "s", "0" * 64, "s")
    document_id, generation = await publish(opened, collection, "s", "fast")
    assert document_id == slow.document_id
    with pytest.raises(Conflict):
        await opened.collections.publish(
            collection,
            document_id,
            slow.generation,
            chars=4,
            chunks=1,
            parser="text",
            text_blob=hashlib.sha256(b"fast").hexdigest(),
        )
    await opened.collections.fail(collection, document_id, "too late", generation=slow.generation)
    assert (await opened.collections.document(collection, document_id, None)).status == "completed"
    assert await opened.collections.current(collection, None) == {document_id: generation}


async def test_a_failed_ingest_keeps_what_was_there(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    document_id, generation = await publish(opened, collection, "s", "good")
    await opened.collections.begin(collection, "s", "1" * 64, "s")
    assert [(c.id, d.document_id) for c, d in await opened.collections.unfinished()] == [(collection.id, document_id)]
    await opened.collections.fail(collection, document_id, "encrypted")
    document = await opened.collections.document(collection, document_id, None)
    assert (document.status, document.error, document.generation) == ("failed", "encrypted", generation)
    assert await opened.collections.current(collection, None) == {document_id: generation}
    assert await opened.collections.unfinished() == []


async def test_the_version_grows_with_what_can_be_found(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    assert opened.collections.version(collection) == 0
    document_id, _ = await publish(opened, collection, "s", "x")
    assert opened.collections.version(collection) == 1
    await opened.collections.begin(collection, "s", "0" * 64, "s")
    assert opened.collections.version(collection) == 1
    await opened.collections.remove(collection, document_id)
    assert opened.collections.version(collection) == 2
    assert (await opened.collections.get("a", "c")).version == 2
    assert await opened.collections.current(collection, None) == {}
    await opened.collections.delete("a", collection.id)
    assert opened.collections.version(collection) == -1


async def test_another_process_is_followed(settings: Settings, opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    assert await opened.collections.current(collection, None) == {}
    async with stores.open(settings) as other:
        document = await publish(other, collection, "s", "x")
    assert await opened.collections.current(collection, None) == dict([document])


async def test_a_deleted_collection_takes_its_documents_along(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    await publish(opened, collection, "s", "x")
    with pytest.raises(NotFound):
        await opened.collections.delete("b", collection.id)
    await opened.collections.delete("a", collection.id)
    assert not opened.blobs.holds(hashlib.sha256(b"x").hexdigest())
    for act in (
        opened.collections.get("a", "c"),
        opened.collections.current(collection, None),
        opened.collections.begin(collection, "t", "0" * 64, "t"),
        opened.collections.delete("a", collection.id),
    ):
        with pytest.raises(NotFound):
            await act
    assert await opened.collections.documents(collection, None) == []


async def test_concurrent_publications_count_each(opened: Stores) -> None:
    collection = await opened.collections.create("a", "c", embedder="mini")
    published = await asyncio.gather(*(publish(opened, collection, f"s{n}", f"text {n}") for n in range(12)))
    assert await opened.collections.current(collection, None) == dict(published)
    assert (await opened.collections.get("a", "c")).version == 12


async def test_a_file_is_as_restricted_as_the_collections_that_it_is_in(opened: Stores) -> None:
    info = await opened.files.add("a", "plan.txt", b"secret", "assistants")
    assert await opened.files.get("a", info.id) == info
    legal = await opened.collections.create("a", "legal", frozenset({"legal"}), embedder="e")
    await opened.collections.begin(legal, info.id, info.sha256, info.name, file_id=info.id)
    for groups in (frozenset[str](), frozenset({"sales"})):
        assert await opened.files.list("a", groups=groups) == []
        for attempt in (opened.files.get, opened.files.content, opened.files.delete):
            with pytest.raises(NotFound):
                await attempt("a", info.id, groups=groups)
    assert await opened.files.content("a", info.id, groups=frozenset({"legal"})) == b"secret"
    everybody = await opened.collections.create("a", "open", embedder="e")
    await opened.collections.begin(everybody, info.id, info.sha256, info.name, file_id=info.id)
    assert await opened.files.list("a") == [info]


async def test_documents_are_paged_by_file_or_document_id(opened: Stores) -> None:
    home = await opened.collections.create("a", "c", embedder="e")
    begun = [await opened.collections.begin(home, f"k{n}", "s", "n", f"file-{n}") for n in range(3)]
    await opened.collections.fail(home, begun[0].document_id, "unreadable")
    nobody = frozenset[str]()
    first = await opened.collections.documents_page(home, Page(limit=1), groups=nobody)
    assert (first.rows[0].document_id, first.more) == (begun[2].document_id, True)
    for cursor in ("file-2", begun[2].document_id):
        rest = await opened.collections.documents_page(home, Page(after=cursor), groups=nobody)
        assert [each.document_id for each in rest.rows] == [begun[1].document_id, begun[0].document_id]
    failed = await opened.collections.documents_page(home, Page(after="file-2"), groups=nobody, status="failed")
    assert [each.document_id for each in failed.rows] == [begun[0].document_id]
    with pytest.raises(InvalidRequest):
        await opened.collections.documents_page(home, Page(after="file-9"), groups=nobody)
    found = await opened.collections.document_called(home, "file-1", groups=nobody)
    assert found.document_id == begun[1].document_id


async def test_a_hidden_name_is_free_and_stays_with_those_who_use_it(opened: Stores) -> None:
    hr, everybody = frozenset({"hr"}), frozenset[str]()
    older = await opened.collections.create("a", "plans", hr, embedder="e", metadata={"k": "v"}, description="d")
    newer = await opened.collections.create("a", "plans", embedder="e")
    assert await opened.collections.get("a", "plans") == newer
    assert await opened.collections.get("a", "plans", groups=hr) == older
    assert (await opened.collections.page("a", Page(), groups=hr)).rows == [newer, older]
    for groups in (hr, everybody):
        with pytest.raises(Conflict):
            await opened.collections.create("a", "plans", groups, embedder="e", seen_by=hr)
    other = await opened.collections.create("a", "other", embedder="e")
    with pytest.raises(Conflict):
        await opened.collections.update(other, name="plans", seen_by=everybody)
    renamed = await opened.collections.update(other, name="others", metadata={"a": "b"}, seen_by=everybody)
    assert await opened.collections.get("a", "others") == renamed
    # The two of one name keep it when something else of them is changed.
    assert (await opened.collections.update(newer, metadata={"x": "y"}, seen_by=hr)).metadata == {"x": "y"}


async def test_one_name_claimed_at_once_goes_to_one(opened: Stores) -> None:
    hr = frozenset({"hr"})
    claims = [opened.collections.create("a", "c", each, embedder="e", seen_by=hr) for each in (hr, frozenset[str]())]
    done = await asyncio.gather(*claims, return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["Collection", "Conflict"]


async def test_a_graph_lives_and_goes_with_the_generation_that_is_read(opened: Stores) -> None:
    collection = await opened.collections.create("a", "graphs", embedder="mini")

    async def publish(text: str, graph: str) -> Publication:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        begun = await opened.collections.begin(collection, "k", sha256, "k")
        blob = await opened.blobs.put(text.encode())
        wanted = Publication(begun.document_id, begun.generation, len(text), 1, "text", blob, text=text, graph=graph)
        await opened.collections.publish_all(collection, [wanted])
        return wanted

    first = await publish("one", '{"graph": 1}')
    current = {first.document_id: 1}
    assert await opened.graphs.read(collection, current) == {first.document_id: '{"graph": 1}'}
    assert await opened.graphs.missing(collection, current) == {}
    await publish("two", '{"graph": 2}')
    # Who still reads the first generation gets nothing of the second.
    assert await opened.graphs.read(collection, current) == {}
    assert await opened.graphs.read(collection, {first.document_id: 2}) == {first.document_id: '{"graph": 2}'}
    stranger = dataclasses.replace(collection, tenant="b")
    assert await opened.graphs.read(stranger, {first.document_id: 2}) == {}
    assert await opened.graphs.put(collection, [(first.document_id, 1, "old"), (first.document_id, 2, "new")]) == 1
    assert await opened.graphs.read(collection, {first.document_id: 2}) == {first.document_id: "new"}
    await publish("three", "")
    assert await opened.graphs.missing(collection, {first.document_id: 3}) == {first.document_id: 3}
    await publish("four", "{}")
    await opened.collections.remove(collection, first.document_id)
    assert await opened.graphs.marks(collection) == {}
    await publish("five", "{}")
    await opened.collections.delete("a", collection.id)
    assert await opened.graphs.marks(collection) == {}
    with pytest.raises(NotFound):
        await opened.graphs.put(collection, [])
