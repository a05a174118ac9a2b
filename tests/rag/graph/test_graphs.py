"""Graph search over a collection: the passages that it finds, who may see them, and the effect of changes."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mainspring.core.errors import InvalidRequest, NotFound, StoreError
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.rag.connect.base import Source
from mainspring.rag.graph import graphs as graph_search
from mainspring.rag.graph.read.reader import GraphBuilder, Reader
from mainspring.rag.graph.read.rules import extract
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.search.recommend import Recommender
from mainspring.rag.search.search_service import Search, SearchRequest, SearchResult
from mainspring.rag.search.selection import SearchOptions
from mainspring.stores.documents.collections import Collection
from mainspring.telemetry.tracing import Tracing
from tests.rag.conftest import Room

BOARD = frozenset({"board"})
NOBODY: frozenset[str] = frozenset()
PIER = "The Long Pier\n\nThe Long Pier is a drama film directed by Ada Holm. It was shown in spring."
ADA = "Ada Holm\n\nAda Holm was born in Tromsø. Her house stands there still."
OTHERS = {f"other{n}.txt": f"Number {n}\n\nSome film was born of wind and rain, director {n} says." for n in range(6)}
QUESTION = "Where was the director of The Long Pier born?"


def source(name: str, text: str, groups: frozenset[str] = NOBODY) -> Source:
    return Source(name, name, text.encode, groups=groups)


async def fill(room: Room, *, secret: bool = False) -> None:
    sources = [source("pier.txt", PIER), source("ada.txt", ADA, BOARD if secret else NOBODY)]
    await room.ingestor.ingest(room.collection, sources + [source(name, text) for name, text in OTHERS.items()])


def graphs(room: Room) -> graph_search.Graphs:
    return graph_search.Graphs(room.stores.graphs, room.retriever)


def searching(room: Room) -> Search:
    return Search(
        room.stores.collections,
        room.retriever,
        Recommender(room.stores.events),
        room.stores.events,
        Tracing(writers=()),
        graphs=graphs(room),
    )


async def search(
    room: Room, query: str, graph: str, groups: frozenset[str] = NOBODY, k: int = 2, tenant: str = ""
) -> SearchResult:
    context = Context(Principal(tenant or "default", "key", groups=groups))
    wanted = SearchRequest((query,), k, options=SearchOptions.parse({"graph": graph}))
    return await searching(room).search(context, room.collection.id, wanted)


async def test_the_second_hop_is_found_and_the_path_to_it_is_shown(room: Room) -> None:
    await fill(room)
    found = await search(room, QUESTION, "local")
    assert {each.hit.source for each in found.hits} == {"pier.txt", "ada.txt"}
    assert all(0 <= each.hit.score <= 1 for each in found.hits)
    assert found.walked is not None
    (path,) = [each for each in found.walked.paths if "Tromsø" in each.text()]
    assert path.text() == "Long Pier -directed by-> Ada Holm -born in-> Tromsø"
    assert [step.source for step in path.steps] == ["pier.txt", "ada.txt"]
    for step in path.steps:
        text = PIER if step.source == "pier.txt" else ADA
        assert text[step.start : step.end] == step.quote
    assert [step.name for step in found.steps] == ["retrieve", "graph"]


async def test_what_is_hidden_is_in_no_hit_path_or_theme(room: Room) -> None:
    await fill(room, secret=True)
    for mode in ("local", "global"):
        found = await search(room, QUESTION, mode)
        assert "Tromsø" not in repr(found)
        assert "ada.txt" not in repr(found)
    assert "ada.txt" in {each.hit.source for each in (await search(room, QUESTION, "local", BOARD)).hits}
    with pytest.raises(NotFound, match="no document names"):
        await graphs(room).path(room.collection, "Ada Holm", "Tromsø", groups=NOBODY)
    assert (await graphs(room).path(room.collection, "Long Pier", "Tromsø", groups=BOARD)).steps


async def test_another_tenant_finds_nothing(room: Room) -> None:
    await fill(room)
    with pytest.raises(NotFound):
        await search(room, QUESTION, "local", tenant="other")


async def test_what_is_removed_or_closed_is_gone_at_once(room: Room) -> None:
    await fill(room)
    same = graphs(room)
    assert (await same.path(room.collection, "Long Pier", "Tromsø", groups=NOBODY)).steps
    await room.ingestor.ingest(room.collection, [source("ada.txt", ADA, BOARD)])
    with pytest.raises(NotFound):
        await same.path(room.collection, "Long Pier", "Tromsø", groups=NOBODY)
    assert (await same.path(room.collection, "Long Pier", "Tromsø", groups=BOARD)).steps
    (ada,) = [d for d in await room.stores.collections.documents(room.collection, None) if d.name == "ada.txt"]
    await room.ingestor.remove(room.collection, ada.document_id)
    with pytest.raises(NotFound):
        await same.path(room.collection, "Long Pier", "Tromsø", groups=BOARD)
    assert ada.document_id not in await room.stores.graphs.marks(room.collection)


async def test_a_changed_document_rewrites_its_own_graph_only(room: Room) -> None:
    await fill(room)
    before = await room.stores.graphs.marks(room.collection)
    await room.ingestor.ingest(room.collection, [source("ada.txt", ADA.replace("Tromsø", "Hammerfest"))])
    after = await room.stores.graphs.marks(room.collection)
    changed = [name for name in after if before[name] != after[name]]
    assert len(changed) == 1
    assert after[changed[0]][0] == before[changed[0]][0] + 1
    path = await graphs(room).path(room.collection, "Long Pier", "Hammerfest", groups=NOBODY)
    assert len(path.steps) == 2
    with pytest.raises(NotFound):
        await graphs(room).path(room.collection, "Long Pier", "Tromsø", groups=NOBODY)


async def test_unchanged_documents_are_not_read_again(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(room)
    same = graphs(room)
    await same.of(room.collection, NOBODY)
    read: list[int] = []
    inner = room.stores.graphs.read

    async def counted(collection: Collection, current: Mapping[str, int]) -> dict[str, str]:
        read.append(len(current))
        return await inner(collection, current)

    monkeypatch.setattr(room.stores.graphs, "read", counted)
    await room.ingestor.ingest(room.collection, [source("ada.txt", ADA + " So be it.")])
    await same.of(room.collection, NOBODY)
    await same.of(room.collection, NOBODY)
    assert read == [1]


async def test_graphs_can_be_built_afterwards(room: Room) -> None:
    plain = Ingestor(
        room.stores.collections,
        room.stores.blobs,
        room.stores.vectors,
        room.embedder,
        room.parser,
        room.settings.model_copy(update={"graph": "off"}),
    )
    await plain.ingest(room.collection, [source("pier.txt", PIER), source("ada.txt", ADA)])
    assert await room.stores.graphs.marks(room.collection) == {}
    before = (await search(room, QUESTION, "local")).walked
    assert before is not None
    assert before.paths == ()
    builder = GraphBuilder(room.stores.collections, room.stores.graphs, room.retriever, Reader())
    built = await builder.build(room.collection)
    assert (built.documents, built.tokens) == (2, 0)
    assert (await builder.build(room.collection)).documents == 0
    assert (await builder.build(room.collection, again=True)).documents == 2
    assert (await graphs(room).path(room.collection, "Long Pier", "Tromsø", groups=NOBODY)).steps


async def test_a_graph_of_a_superseded_generation_is_not_kept(room: Room) -> None:
    await fill(room)
    (ada,) = [d for d in await room.stores.collections.documents(room.collection, None) if d.name == "ada.txt"]
    graph = extract(ADA, [], []).dump()
    await room.ingestor.ingest(room.collection, [source("ada.txt", ADA + " So be it.")])
    assert await room.stores.graphs.put(room.collection, [(ada.document_id, ada.generation, graph)]) == 0
    assert (await room.stores.graphs.marks(room.collection))[ada.document_id][0] == ada.generation + 1


async def test_a_publish_that_fails_leaves_the_graph_that_is_read(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(room)
    before = await room.stores.graphs.marks(room.collection)

    async def fails(*arguments: object) -> None:
        raise StoreError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(room.stores.collections, "publish_all", fails)
        with pytest.raises(StoreError):
            await room.ingestor.ingest(room.collection, [source("ada.txt", ADA.replace("Tromsø", "Hammerfest"))])
    assert await room.stores.graphs.marks(room.collection) == before
    assert "Tromsø" in repr((await search(room, QUESTION, "local")).walked)


async def test_themes_quote_the_documents(room: Room) -> None:
    await fill(room)
    found = await search(room, "What is it all about?", "global", k=3)
    assert found.walked is not None
    (theme, *_) = found.walked.themes
    assert {"Long Pier", "Ada Holm"} & set(theme.entities)
    assert all(sentence.quote in PIER + ADA + "".join(OTHERS.values()) for sentence in theme.sentences)
    assert found.hits[0].hit.score >= found.hits[-1].hit.score


async def test_an_answer_shows_the_path_with_its_citations(room: Room) -> None:
    await fill(room)
    asked = ChatRequest("handbook", (Message("user", QUESTION),), options={"graph": "local"})
    answer = await collect(
        await room.answerer(graphs=graphs(room)).respond(asked, Context(Principal("default", "key")))
    )
    assert "Path: Long Pier -directed by-> Ada Holm" in answer.text
    numbers = [citation.index for citation in answer.citations]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(f"[{number}]" in answer.text for number in numbers)
    themes = ChatRequest("handbook", (Message("user", "What are the themes?"),), options={"graph": "global"})
    answer = await collect(
        await room.answerer(graphs=graphs(room)).respond(themes, Context(Principal("default", "key")))
    )
    assert "Ada Holm" in answer.text
    assert answer.citations


async def test_wrong_values_name_the_field(room: Room) -> None:
    await fill(room)
    with pytest.raises(InvalidRequest) as caught:
        SearchOptions.parse({"graph": "sideways"})
    assert caught.value.param == "options.graph"
    asked = ChatRequest("handbook", (Message("user", "x y"),), options={"graph": True})
    with pytest.raises(InvalidRequest) as caught:
        await room.answerer().respond(asked, Context(Principal("default", "key")))
    assert caught.value.param == "options.graph"
    with pytest.raises(InvalidRequest):
        await graphs(room).path(room.collection, " ", "Tromsø", groups=NOBODY)


async def test_an_empty_collection_has_no_graph_and_no_error(room: Room) -> None:
    assert (await search(room, QUESTION, "local")).hits == ()
    assert (await search(room, QUESTION, "global")).hits == ()


async def test_the_ceo_of_the_company_that_acquired_another_is_two_steps_away(room: Room) -> None:
    texts = {
        "deal.txt": "Twitter was acquired by X Corp in 2022. The price was agreed in spring.",
        "people.txt": "Elon Musk is the CEO of X Corp. He lives in Texas.",
        "globex.txt": "The CEO of Globex is Hank Scorpio. The company makes weather machines.",
    }
    sources = [source(name, text) for name, text in (texts | OTHERS).items()]
    await room.ingestor.ingest(room.collection, sources)
    path = await graphs(room).path(room.collection, "Twitter", "Elon Musk", groups=NOBODY)
    assert path.text() == "Twitter -acquired by-> X Corp <-ceo of- Elon Musk"
    assert [step.source for step in path.steps] == ["deal.txt", "people.txt"]
    path = await graphs(room).path(room.collection, "Globex", "Hank Scorpio", groups=NOBODY)
    assert path.text() == "Globex -ceo-> Hank Scorpio"
    found = await search(room, "Who runs the business that bought Twitter?", "local", k=3)
    assert {each.hit.source for each in found.hits} >= {"deal.txt", "people.txt"}
