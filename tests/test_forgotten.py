"""What was deleted, or closed to somebody, is nowhere to be found: every way to text, over HTTP, on the real stores.

``SURFACES`` lists the ways. Each is asked by keys of several groups and tenants about documents that have marks of
their own: a word, an acronym, an attribute. A mark in an answer to somebody who may not see the document fails.
"""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mainspring.core.errors import NotFound
from mainspring.core.types import Principal
from mainspring.rag.connect.registry import Spec
from mainspring.rag.ingest.forget import Forgetter
from mainspring.rag.ingest.transfer import export_collection
from mainspring.stores.documents import table_moves
from mainspring.stores.documents.collections import Collection
from mainspring.stores.vectors.base import ChunkRow
from tests.stores.decode import holding, lance_texts, leftovers
from tests.world import EVERYONE, MARKS, Doc, Key, Pieces, World, opened, use_engines

# --- the ways to text -----------------------------------------------------------------------------------------------

Surface = Callable[[World, Key, Doc], Awaitable[str]]


async def _search(world: World, key: Key, doc: Doc, **body: Any) -> str:
    body = {"query": f"what about {doc.topic}", "max_num_results": 20, "options": {"effort": 1.0}, **body}
    answer = await world.call(key, "POST", f"/v1/vector_stores/{doc.store}/search", body)
    return answer.text


async def search(world: World, key: Key, doc: Doc) -> str:
    return await _search(world, key, doc, summary="extractive")


async def graph_local(world: World, key: Key, doc: Doc) -> str:
    return await _search(world, key, doc, options={"effort": 1.0, "graph": "local"})


async def graph_global(world: World, key: Key, doc: Doc) -> str:
    return await _search(world, key, doc, options={"effort": 1.0, "graph": "global"})


async def graph_answer(world: World, key: Key, doc: Doc) -> str:
    found = ""
    for mode in ("local", "global"):
        body = {"options": {"collections": [doc.store], "graph": mode}}
        found += (await world.chat(key, doc, body=body)).text
    return found


async def graph_read(world: World, key: Key, doc: Doc) -> str:
    """What ``mainspring rag graph`` reads: entities with what is said of them, paths, and themes."""
    principal = Principal(key.tenant, key.name, groups=key.groups)
    graphs = world.system.library.search.graphs
    assert graphs is not None
    try:
        home = await world.system.library.get(principal, doc.store)
    except NotFound:
        return ""
    found = str([theme for _, theme in (await graphs.themes(home, 50, groups=key.groups))[1]])
    for reading in (
        graphs.around(home, f"{doc.mark.title()} Pier", 20, groups=key.groups),
        graphs.path(home, f"{doc.mark.title()} Pier", f"{doc.mark.title()} Holm", groups=key.groups),
    ):
        try:
            found += str(await reading)
        except NotFound:
            continue
    return found


async def facets(world: World, key: Key, doc: Doc) -> str:
    found = json.loads(await _search(world, key, doc, facets=["name", "label"]))
    return json.dumps(found.get("facets"))


async def spelling(world: World, key: Key, doc: Doc) -> str:
    found = json.loads(await _search(world, key, doc, query=f"word {doc.mark[:-1]}", spelling=True))
    return str(found.get("suggestion"))


async def acronyms(world: World, key: Key, doc: Doc) -> str:
    return await _search(world, key, doc, query=f"the {doc.acronym}", techniques=["acronyms"])


async def similar_to_text(world: World, key: Key, doc: Doc) -> str:
    body = {"text": f"The {doc.topic} was looked into.", "max_num_results": 20}
    return (await world.call(key, "POST", f"/v1/vector_stores/{doc.store}/similar", body)).text


async def similar_to_document(world: World, key: Key, doc: Doc) -> str:
    other = next((each for each in world.docs if each is not doc and each.store == doc.store and each.alive), doc)
    body = {"document_id": other.document_id, "max_num_results": 20}
    found = (await world.call(key, "POST", f"/v1/vector_stores/{doc.store}/similar", body)).text
    body["document_id"] = doc.document_id
    return found + (await world.call(key, "POST", f"/v1/vector_stores/{doc.store}/similar", body)).text


async def recommendations(world: World, key: Key, doc: Doc) -> str:
    body: dict[str, Any] = {"max_num_results": 20}
    found = (await world.call(key, "POST", f"/v1/vector_stores/{doc.store}/recommendations", body)).text
    return found.replace(doc.document_id, doc.mark) if doc.document_id else found


async def answer(world: World, key: Key, doc: Doc) -> str:
    return (await world.chat(key, doc)).text


async def streamed_answer(world: World, key: Key, doc: Doc) -> str:
    return (await world.chat(key, doc, stream=True)).text


async def kept_answer(world: World, key: Key, doc: Doc) -> str:
    headers = {"idempotency-key": f"{key.name} {doc.number}"}
    return (await world.chat(key, doc, headers=headers)).text


async def collection_as_model(world: World, key: Key, doc: Doc) -> str:
    collection = await world.call(key, "GET", f"/v1/vector_stores/{doc.store}")
    if collection.status_code == 404:
        return collection.text
    body = {"model": collection.json()["name"], "options": {}}
    return (await world.chat(key, doc, body=body)).text


async def passage(world: World, key: Key, doc: Doc) -> str:
    path = f"/v1/vector_stores/{doc.store}/files/{doc.file_id or doc.document_id}"
    return (await world.call(key, "GET", path)).text + (await world.call(key, "GET", f"{path}/content")).text


async def listing(world: World, key: Key, doc: Doc) -> str:
    return (await world.call(key, "GET", f"/v1/vector_stores/{doc.store}/files?limit=100")).text


async def original(world: World, key: Key, doc: Doc) -> str:
    if not doc.file_id:
        return await passage(world, key, doc)
    return (await world.call(key, "GET", f"/v1/files/{doc.file_id}/content")).text


async def earlier_response(world: World, key: Key, doc: Doc) -> str:
    """A response that was given once, read again and continued."""
    await world.round()
    asked = {"model": "document-qa", "options": {"collections": [doc.store]}}
    known = key.name, doc.number
    if known not in world.responses:
        body = {**asked, "input": f"What do we know about {doc.topic}?"}
        world.responses[known] = (await world.call(key, "POST", "/v1/responses", body)).json().get("id", "none")
    path = f"/v1/responses/{world.responses[known]}"
    body = {**asked, "input": "And what else?", "previous_response_id": world.responses[known]}
    continued = await world.call(key, "POST", "/v1/responses", body)
    return (await world.call(key, "GET", path)).text + continued.text


async def events(world: World, key: Key, doc: Doc) -> str:
    await world.round()
    found = ""
    after = ""
    while True:
        page = (await world.call(key, "GET", f"/v1/events?limit=100{after}")).json()
        found += json.dumps(page["data"])
        if not page["has_more"]:
            return found
        after = f"&after={page['last_id']}"


SURFACES: tuple[Surface, ...] = (
    *(graph_local, graph_global, graph_answer, graph_read),
    *(search, facets, spelling, acronyms, similar_to_text, similar_to_document, recommendations),
    *(answer, streamed_answer, kept_answer, collection_as_model, passage, listing, original),
    *(earlier_response, events),
)
# These show a mark only after somebody's answers, to those who are in all groups of who asked or could see it when they
# asked, or beside another.
SOMETIMES = (recommendations, events, similar_to_document, earlier_response)


async def check(world: World, surfaces: tuple[Surface, ...] = SURFACES, docs: list[Doc] | None = None) -> None:
    """No key finds a mark of what it may not see, and each finds what it may, by questions about ``docs`` (None: all
    that there ever were)."""
    for key in world.keys.values():
        hidden = [each for each in world.docs if not each.seen_by(key)]
        for doc in world.docs if docs is None else docs:
            for surface in surfaces:
                found = (await surface(world, key, doc)).lower()
                for other in hidden:
                    where = f"{surface.__name__} shows {other.mark} to {key.name}"
                    assert other.mark not in found.replace(f"word {other.mark[:-1]}", ""), where
                if doc.seen_by(key) and surface not in SOMETIMES:
                    assert doc.mark in found, f"{surface.__name__} does not show {doc.mark} to {key.name}: {found}"


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    use_engines(monkeypatch, {})


@pytest.mark.slow
async def test_each_way_shows_a_document_to_those_who_may_see_it_and_to_nobody_after(tmp_path: Path) -> None:
    async with opened(tmp_path / "home") as world:
        red, blue, both, stranger = world.keys.values()
        for_all = await world.store(both, "for all")
        for_red = await world.store(red, "for red", red.groups)
        theirs = await world.store(stranger, "theirs")
        kept = await world.add(both, for_all, EVERYONE)
        deleted = await world.add(both, for_all, EVERYONE)
        narrowed = await world.add(both, for_all, EVERYONE)
        dropped = await world.add(red, for_red, red.groups)
        await world.add(stranger, theirs, EVERYONE)
        folder = tmp_path / "folder"
        folder.mkdir()
        synced = Doc(len(world.docs), "default", for_all, EVERYONE, path=folder / f"{MARKS[len(world.docs)]}.txt")
        world.docs.append(synced)
        synced.path.write_text(synced.text)  # type: ignore[union-attr]
        principal = Principal("default", "local", groups=both.groups)
        await world.system.library.add_source(principal, for_all, Spec(str(folder)))
        found = await world.system.library.documents(principal, for_all)
        synced.document_id = next(each.document_id for each in found if each.file_id is None)
        for doc in world.docs:
            for key in world.keys.values():
                for session in ("one", "two"):
                    await world.chat(key, doc, body={"session_id": session})
        await check(world)
        # Questions are remembered with their words: what is looked for below could be found there.
        assert await world.system.stores.similar.count("documents:default") > 0
        for key, doc in ((both, narrowed), (both, deleted), (red, dropped)):
            assert doc.mark in await events(world, key, doc)
            assert doc.mark in await recommendations(world, key, doc)
            assert doc.mark in await earlier_response(world, key, doc)
        assert deleted.mark in await similar_to_document(world, both, narrowed)

        await world.narrow(narrowed, red.groups)
        await check(world, docs=[narrowed])
        await world.call(both, "DELETE", f"/v1/vector_stores/{for_all}/files/{deleted.file_id}")
        deleted.alive = False
        # The file is its uploader's still; whoever could not see the document cannot see it either.
        ways = tuple(each for each in SURFACES if each is not original)
        await check(world, ways, docs=[deleted])
        await world.call(both, "DELETE", f"/v1/files/{deleted.file_id}")
        synced.path.unlink()  # type: ignore[union-attr]
        (source,) = await world.system.library.sources(principal, for_all)
        await world.system.library.sync(principal, for_all, source)
        synced.alive = False
        await check(world, docs=[synced])
        await world.call(red, "DELETE", f"/v1/vector_stores/{for_red}")
        dropped.alive = False
        assert dropped.mark not in await original(world, blue, dropped)
        await world.call(red, "DELETE", f"/v1/files/{dropped.file_id}")
        await check(world, docs=[dropped, kept])

        for exported in await _exported(world, for_all, tmp_path / "x.zip"):
            assert kept.mark.encode() in exported
            assert not [each for each in (deleted, synced, dropped) if each.mark.encode() in exported]
        # An index may have been made since the last sweep: what matters is that no file has a word of what is gone.
        await _no_bytes(tmp_path / "home", [deleted, synced, dropped], [kept, narrowed], settled=False)


async def _exported(world: World, store: str, path: Path) -> tuple[bytes, bytes]:
    """What an export of a vector store holds, beside its tables and in them."""
    stores = world.system.stores
    await export_collection(stores, await stores.collections.known("default", store), path)
    with zipfile.ZipFile(path) as archive:
        whole = b"".join(archive.read(name) for name in archive.namelist() if not name.endswith(".parquet"))
        tables = [name for name in archive.namelist() if name.endswith(".parquet")]
        return whole, str([_parquet(archive.read(name)) for name in tables]).encode()


def _parquet(data: bytes) -> str:
    import pyarrow.parquet as parquet

    return str(parquet.read_table(io.BytesIO(data)).to_pylist())


async def _no_bytes(home: Path, gone: list[Doc], there: list[Doc], *, settled: bool = True) -> None:
    """Nothing of ``gone`` is in any file of the home; the same look finds what is there. ``settled``: nothing was
    written since, so that all that the tables' files hold is what can be read of them."""
    texts = "\n".join(await lance_texts(home / "vectors")).lower()
    stores = {doc.store for doc in gone if settled}
    assert not [each for each in await leftovers(home / "vectors") if any(store in each for store in stores)]
    for doc in there:
        assert doc.mark in texts
        assert holding(home, doc.mark)
    for doc in gone:
        assert doc.mark not in texts
        assert not holding(home, doc.mark)
        assert not holding(home, doc.mark.title())
        assert not list((home / "vectors").glob(f"{doc.store}*")) or any(each.store == doc.store for each in there)


@pytest.mark.slow
async def test_any_order_of_changes(tmp_path: Path) -> None:
    draw = random.Random(20261125)
    async with opened(tmp_path / "home") as world:
        red, blue, both, stranger = world.keys.values()
        stores = [
            (both, await world.store(both, "open"), EVERYONE),
            (red, await world.store(red, "reds", red.groups), red.groups),
            (stranger, await world.store(stranger, "open"), EVERYONE),
        ]
        lists = (EVERYONE, red.groups, blue.groups)
        for _ in range(12):
            living = [each for each in world.docs if each.alive]
            change = draw.choice(("add", "add", "ask", "narrow", "detach", "drop"))
            if (change == "add" or not living) and len(world.docs) < len(MARKS):
                await world.add(*draw.choice(stores))
            elif change == "ask" and living:
                await world.chat(draw.choice(list(world.keys.values())), draw.choice(living))
            elif change == "narrow" and living:
                await world.narrow(draw.choice(living), draw.choice(lists))
            elif change == "detach" and living:
                doc = draw.choice(living)
                await world.call(_owner(world, doc), "DELETE", f"/v1/vector_stores/{doc.store}/files/{doc.file_id}")
                await world.call(_owner(world, doc), "DELETE", f"/v1/files/{doc.file_id}")
                doc.alive = False
            elif change == "drop" and living and len(stores) > 1 and draw.random() < 0.5:
                key, store, shelf = stores.pop(draw.randrange(len(stores)))
                del shelf
                await world.call(key, "DELETE", f"/v1/vector_stores/{store}")
                for doc in [each for each in living if each.store == store]:
                    await world.call(_owner(world, doc), "DELETE", f"/v1/files/{doc.file_id}")
                    doc.alive = False
            await check(world, tuple(draw.sample(SURFACES, 1)))
        await world.round()
        gone = [each for each in world.docs if not each.alive]
        assert gone
        await _no_bytes(tmp_path / "home", gone, [each for each in world.docs if each.alive], settled=False)


def _owner(world: World, doc: Doc) -> Key:
    """A key of the document's tenant that may see it."""
    doc_alive, doc.alive = doc.alive, True
    found = next(each for each in reversed(world.keys.values()) if doc.seen_by(each))
    doc.alive = doc_alive
    return found


@pytest.mark.slow
async def test_a_deletion_that_was_killed_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    with monkeypatch.context() as dying:
        # The process that deletes never gets beyond its commit.
        dying.setattr(Forgetter, "round", _nothing)
        async with opened(home) as world:
            red, _, both, _ = world.keys.values()
            for_red, for_all = await world.store(red, "for red", red.groups), await world.store(both, "for all")
            dropped = await world.add(red, for_red, red.groups)
            deleted, kept = [await world.add(both, for_all, EVERYONE) for _ in range(2)]
            for doc, key in ((dropped, red), (deleted, both), (kept, both)):
                await world.chat(key, doc)
            await table_moves.begin(world.system.stores.database, await _collection(world, dropped))
            building = (await _collection(world, dropped)).building
            await world.system.stores.vectors.write(building, [_row(dropped)])
            await world.call(red, "DELETE", f"/v1/vector_stores/{for_red}")
            await world.call(both, "DELETE", f"/v1/vector_stores/{for_all}/files/{deleted.file_id}")
            for doc in (dropped, deleted):
                await world.call(_owner(world, doc), "DELETE", f"/v1/files/{doc.file_id}")
                doc.alive = False
        texts = "\n".join(await lance_texts(home / "vectors"))
        assert dropped.mark in texts
        assert deleted.mark in texts
        assert holding(home, deleted.mark)
        assert {path.stem for path in (home / "vectors").glob("*.lance")} == {for_red, building, for_all}
    async with opened(home, world.keys) as again:
        again.docs = world.docs
        await again.round()
        assert {path.stem for path in (home / "vectors").glob("*.lance")} == {for_all}
        # An index may be made while it is swept; it leaves files, and no words.
        await _no_bytes(home, [dropped, deleted], [kept], settled=False)
        await check(again, (answer, search, original))
        # Until what was under way must have ended, the note stays for a second look.
        assert len(await again.system.stores.forgetting.list_all()) == 2
        again.system.library.forgetter._again_s = 0
        await again.round()
        assert not await again.system.stores.forgetting.list_all()


async def _nothing(self: Forgetter) -> None: ...


async def _collection(world: World, doc: Doc) -> Collection:
    return await world.system.stores.collections.known(doc.tenant, doc.store)


def _row(doc: Doc) -> ChunkRow:
    return ChunkRow("x", "x", 1, doc.text, 0, len(doc.text), None, "", np.ones(Pieces.dimensions, np.float32))
