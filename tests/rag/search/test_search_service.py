"""Search as a product: pages with everything on them, documents that are alike, recommendations; and who may see it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mainspring.core.errors import InvalidRequest, NotFound, Unsupported
from mainspring.core.facts.registry import read
from mainspring.core.types import Context, EventRecord, Principal
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.search import filters
from mainspring.rag.search.recommend import Recommender, count, recommend
from mainspring.rag.search.search_service import Search, SearchRequest
from mainspring.rag.search.selection import SearchOptions
from mainspring.stores.sql import ids
from mainspring.telemetry.tracing import Span, Tracing
from tests.rag.conftest import Room
from tests.rag.query.test_understand import Model, Pieces
from tests.rag.shelf import put

BOARD = frozenset({"board"})


class Spans:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.kept: list[Span] = []

    def offer(self, spans: Any) -> int:
        self.kept += spans
        return 0


def searching(room: Room, spans: Spans | None = None, model: Model | None = None) -> Search:
    room.retriever.embedder = Pieces(room.embedder)  # type: ignore[assignment]

    def ask(context: Context) -> ModelAsk:
        assert model is not None
        return ModelAsk(model, "model", context, capable=True)

    return Search(
        room.stores.collections,
        room.retriever,
        Recommender(room.stores.events),
        room.stores.events,
        Tracing(writers=(spans,) if spans else ()),
        ask=ask if model else None,
    )


def asker(groups: frozenset[str] = frozenset()) -> Context:
    return Context(Principal("default", "key", groups=groups))


@pytest.fixture
async def shelf(room: Room) -> dict[str, str]:
    """Documents by name; one of them is the board's."""
    return {
        "grinder.txt": await put(
            room,
            "grinder.txt",
            "The grinder has steel burrs. The warranty of the grinder is two years.\n\nClean the burrs weekly.",
            attributes={"kind": "manual", "year": 2024},
        ),
        "kettle.txt": await put(
            room,
            "kettle.txt",
            "The kettle boils water. The warranty of the kettle is one year.",
            attributes={"kind": "manual", "year": 2023},
        ),
        "shop.txt": await put(room, "shop.txt", "The shop in Leeds opens at nine.", attributes={"kind": "notice"}),
        "board.txt": await put(
            room,
            "board.txt",
            "The grinder warranty will be shortened, says project Nightjar.",
            groups=BOARD,
            attributes={"kind": "secret"},
        ),
    }


@pytest.mark.usefixtures("shelf")
async def test_a_page_has_everything_that_was_asked_for(room: Room) -> None:
    spans = Spans()
    wanted = SearchRequest(
        ("grinder waranty",),
        2,
        filters=filters.parse({"type": "eq", "key": "kind", "value": "manual"}),
        techniques=("spelling",),
        facets=("kind", "year", "name"),
        spelling=True,
        summary="extractive",
    )
    found = await searching(room, spans).search(asker(), "handbook", wanted)
    assert found.queries == ("grinder warranty",)
    assert found.suggestion == "grinder warranty"
    best = found.hits[0]
    assert best.hit.source == "grinder.txt"
    assert [best.hit.text[start:end] for start, end in best.spans] == ["grinder", "warranty", "grinder"]
    assert best.snippet is not None
    assert [(each.value, each.documents) for each in found.facets["kind"]] == [("manual", 2)]
    assert {each.value for each in found.facets["year"]} == {2023, 2024}
    assert found.summary is not None
    assert found.summary.text.count("[") == len(found.summary.citations) > 0
    texts = await room.retriever.texts([each.hit for each in found.hits])
    for citation in found.summary.citations:
        assert texts[citation.document_id][citation.start : citation.end] == citation.quote
    assert [step.name for step in found.steps] == ["spelling", "retrieve", "suggest", "summary"]
    (span,) = spans.kept
    assert span.attributes["mainspring.search.retrieve.ms"] > 0


@pytest.mark.usefixtures("shelf")
async def test_a_plain_search_is_plain(room: Room) -> None:
    found = await searching(room).search(asker(), "handbook", SearchRequest(("grinder waranty",), 5, highlights=False))
    assert found.queries == ("grinder waranty",)
    assert (found.suggestion, found.facets, found.summary) == ("", {}, None)
    assert all(shown.spans == () and shown.snippet is None for shown in found.hits)


@pytest.mark.usefixtures("shelf")
async def test_several_queries_are_fused(room: Room) -> None:
    found = await searching(room).search(asker(), "handbook", SearchRequest(("kettle water", "Leeds shop"), 2))
    assert {shown.hit.source for shown in found.hits} == {"kettle.txt", "shop.txt"}


async def test_what_another_group_has_is_nowhere(room: Room, shelf: dict[str, str]) -> None:
    search = searching(room)
    wanted = SearchRequest(
        ("grinder Nightjat warranty",), 10, facets=("kind", "name"), spelling=True, summary="extractive"
    )
    hidden = await search.search(asker(), "handbook", wanted)
    shown = await search.search(asker(BOARD), "handbook", wanted)
    assert "board.txt" in {each.hit.source for each in shown.hits}
    assert shown.suggestion == "grinder Nightjar warranty"
    assert {"secret"} <= {each.value for each in shown.facets["kind"]}
    assert "board.txt" not in {each.hit.source for each in hidden.hits}
    assert hidden.suggestion == ""
    assert "secret" not in {each.value for each in hidden.facets["kind"]}
    assert "board.txt" not in {each.value for each in hidden.facets["name"]}
    assert hidden.summary is not None
    assert "Nightjar" not in hidden.summary.text
    like = await search.similar(asker(), "handbook", 10, document_id=shelf["grinder.txt"])
    assert "board.txt" not in {hit.source for hit in like}
    with pytest.raises(NotFound):
        await search.similar(asker(), "handbook", 10, document_id=shelf["board.txt"])
    with pytest.raises(NotFound):
        await search.recommend(asker(), "handbook", [shelf["board.txt"]], 5, 2)


async def test_a_removed_document_is_nowhere(room: Room, shelf: dict[str, str]) -> None:
    search = searching(room)
    wanted = SearchRequest(("kettle boils watr",), 10, facets=("name",), spelling=True)
    before = await search.search(asker(), "handbook", wanted)
    assert before.suggestion == "kettle boils water"
    await room.stores.collections.remove(room.collection, shelf["kettle.txt"])
    after = await search.search(asker(), "handbook", wanted)
    assert "kettle.txt" not in {each.hit.source for each in after.hits}
    assert "kettle.txt" not in {each.value for each in after.facets["name"]}
    assert after.suggestion == ""


async def test_more_like_this(room: Room, shelf: dict[str, str]) -> None:
    search = searching(room)
    like = await search.similar(asker(), "handbook", 2, document_id=shelf["grinder.txt"])
    assert like[0].source == "kettle.txt"
    assert len({hit.document_id for hit in like}) == len(like) == 2
    by_text = await search.similar(asker(), "handbook", 1, text="When does the Leeds shop open?")
    assert by_text[0].source == "shop.txt"
    part = await search.similar(asker(), "handbook", 1, document_id=shelf["kettle.txt"], span=(25, 63))
    assert part[0].source == "grinder.txt"
    with pytest.raises(InvalidRequest):
        await search.similar(asker(), "handbook", 1, document_id=shelf["kettle.txt"], span=(9_000, 9_001))
    with pytest.raises(InvalidRequest):
        await search.similar(asker(), "handbook", 1, text="of the and")


@pytest.mark.usefixtures("shelf")
async def test_models_are_asked_where_they_are_wanted_and_written_down(room: Room) -> None:
    context = asker()
    model = Model("The shop in Leeds opens at nine.")
    record = EventRecord(ids.new("evt_"), time.time(), "default", context.trace.trace_id, "", read("call", {}))
    context.settlement.records.append(record)
    found = await searching(room, model=model).search(
        context, "handbook", SearchRequest(("opening",), 1, techniques=("hyde",))
    )
    assert found.hits[0].hit.source == "shop.txt"
    assert found.steps[0].tokens == 30
    assert await room.stores.events.get("default", record.id)
    assert context.settlement.records == []
    with pytest.raises(Unsupported):
        await searching(room).search(context, "handbook", SearchRequest(("opening",), 1, techniques=("hyde",)))
    with pytest.raises(Unsupported):
        await searching(room).search(context, "handbook", SearchRequest(("opening",), 1, summary="generative"))


@pytest.mark.usefixtures("shelf")
async def test_options_reach_the_search(room: Room) -> None:
    search = searching(room)
    options = SearchOptions(mode="sparse", score_threshold=0.99)
    found = await search.search(asker(), "handbook", SearchRequest(("kettle",), 5, options=options))
    assert [shown.hit.source for shown in found.hits] == ["kettle.txt"]
    with pytest.raises(NotFound):
        await search.search(asker(), "elsewhere", SearchRequest(("kettle",), 5))


def test_pairs_need_their_support() -> None:
    together = count([frozenset("ab"), frozenset("ab"), frozenset("ac"), frozenset("b"), frozenset("bd")])
    found = recommend(together, ["a"], set("abcd"), 5)
    assert [(each.document_id, each.support) for each in found] == [("b", 2)]
    assert found[0].score == pytest.approx(2 / (3 * 4) ** 0.5)
    assert recommend(together, ["a"], set("acd"), 5) == []
    assert [each.document_id for each in recommend(together, [], set("abcd"), 5)] == ["b", "a"]


@pytest.fixture
def cited(room: Room) -> Any:
    async def write(documents: list[str], session: str = "", rating: str = "") -> None:
        answer, trace = ids.new("ans_"), ids.new("trace_")
        at = time.time()
        facts: dict[str, Any] = {
            "status": "completed",
            "key_id": "key",
            "cache": "miss",
            **({"session_id": session} if session else {}),
        }
        hits = [{"document_id": name} for name in documents]
        retrieval = {"collections": [room.collection.id], "hits": hits, "cited": hits}
        records = [
            EventRecord(ids.new("evt_"), at, "default", trace, answer, read("retrieval", retrieval)),
            EventRecord(answer, at, "default", trace, answer, read("answer", facts)),
        ]
        if rating:
            records.append(
                EventRecord(ids.new("evt_"), at, "default", trace, answer, read("feedback", {"rating": rating}))
            )
        await room.stores.events.append(*records)

    return write


async def test_recommendations_come_from_what_was_cited_together(room: Room, shelf: dict[str, str], cited: Any) -> None:
    grinder, kettle, shop, board = (shelf[name] for name in ("grinder.txt", "kettle.txt", "shop.txt", "board.txt"))
    for _ in range(3):
        await cited([grinder, kettle])
    for _ in range(2):
        await cited([grinder, shop], rating="down")
        await cited([grinder, board])
    search = searching(room)
    found = await search.recommend(asker(), "handbook", [grinder], 5, 2)
    assert [(document.name, each.support) for each, document in found] == [("kettle.txt", 3)]
    popular = await search.recommend(asker(), "handbook", [], 5, 2)
    assert {document.name for _, document in popular} == {"grinder.txt", "kettle.txt"}
    await room.stores.collections.remove(room.collection, kettle)
    assert await search.recommend(asker(), "handbook", [grinder], 5, 2) == []


async def test_a_text_that_is_mostly_blank_is_compared_all_the_same(room: Room, shelf: dict[str, str]) -> None:
    """All evenly spread pieces of it are blank."""
    text = " " * 800 + "When does the Leeds shop open?" + " " * 100_000
    like = await searching(room).similar(asker(), "handbook", 1, text=text)
    assert [hit.source for hit in like] == ["shop.txt"]
    assert 0 < like[0].dense_score <= 1.001
