"""Retrieval: fusion, modes, filters, access lists, plans of several queries, provenance."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.errors import Conflict, InvalidRequest
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Reranked
from mainspring.rag.query.plan import Query, QueryPlan
from mainspring.rag.search.fusion import combine, fuse
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.selection import SearchOptions
from mainspring.stores.vectors.base import SearchHit
from tests.rag.conftest import Room
from tests.rag.shelf import put

NOBODY: frozenset[str] = frozenset()


def hit(number: int, dense: float, lexical: float | None) -> SearchHit:
    return SearchHit(f"c{number}", "d", 1, "", 0, 0, None, "", dense, lexical)


HITS = st.lists(st.tuples(st.floats(-1, 1), st.none() | st.floats(0.01, 30)), min_size=1, max_size=30).map(
    lambda pairs: [hit(number, *pair) for number, pair in enumerate(pairs)]
)


@given(HITS, st.sampled_from(["convex", "rrf"]), st.floats(0, 1), st.sampled_from(["hybrid", "dense", "sparse"]))
def test_fused_scores_are_bounded_and_respect_dominance(
    hits: list[SearchHit], fusion: str, weight: float, mode: str
) -> None:
    scores = fuse("words", hits, RagSettings(fusion=fusion, dense_weight=weight), mode)  # type: ignore[arg-type]
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)
    for a, one in enumerate(hits):
        for b, other in enumerate(hits):
            better = (one.dense or 0) > (other.dense or 0) and (one.lexical or 0) > (other.lexical or 0)
            assert not better or scores[a] >= scores[b] - 1e-9


def test_the_weight_decides_between_meaning_and_words() -> None:
    hits = [hit(0, 0.9, None), hit(1, 0.1, 9.0)]
    assert fuse("words", hits, RagSettings(dense_weight=1)) == [1, 0]
    assert fuse("words", hits, RagSettings(dense_weight=0)) == [0, 0.5]


@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1), min_size=1, max_size=4),
    st.sampled_from(["convex", "rrf"]),
)
def test_combined_scores_are_bounded_and_one_query_stays_as_it_is(scores: list[dict[str, float]], fusion: str) -> None:
    found = combine([1.0] * len(scores), scores, fusion)
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in found.values())
    assert found.keys() == {key for each in scores for key in each}
    assert combine([0.3], scores[:1], fusion) == scores[0]


def test_what_two_queries_find_comes_before_what_one_finds() -> None:
    for fusion in ("convex", "rrf"):
        found = combine([1, 1], [{"a": 0.9, "b": 0.8}, {"c": 0.9, "b": 0.8}], fusion)
        assert max(found, key=lambda key: found[key]) == "b"


async def fill(room: Room) -> None:
    texts = {"a": "Apples are red and round.", "b": "Pears are green.", "c": "Trains run on rails."}
    for name, text in texts.items():
        await put(room, f"{name}.txt", text)


async def names(room: Room, query: str, **arguments: object) -> list[str]:
    arguments.setdefault("groups", NOBODY)
    hits = await room.retriever.search(room.collection, query, **arguments)  # type: ignore[arg-type]
    return [one.source for one in hits]


async def test_hits_say_where_they_come_from(room: Room) -> None:
    await fill(room)
    (best, *_) = await room.retriever.search(room.collection, "red apples", k=2, groups=NOBODY)
    assert (best.source, best.text, best.dense_rank, best.lexical_rank) == (
        "a.txt",
        "Apples are red and round.",
        1,
        1,
    )
    texts = await room.retriever.texts([best])
    assert texts[best.document_id][best.start : best.end] == best.text


async def test_filters(room: Room) -> None:
    await put(room, "a.txt", "Apples are red.", attributes={"year": 2023, "team": "north"})
    await put(room, "b.txt", "Apples are green.", attributes={"year": 2025, "team": "south"})
    await put(room, "c.txt", "Apples are round.")
    assert set(await names(room, "apples", filters={"name": ["b.txt", "c.txt"]})) == {"b.txt", "c.txt"}
    assert await names(room, "apples", filters={"type": "gt", "key": "year", "value": 2024}) == ["b.txt"]
    both = {"type": "and", "filters": [{"type": "eq", "key": "team", "value": "north"}]}
    assert await names(room, "apples", filters=both) == ["a.txt"]
    with pytest.raises(InvalidRequest, match="colour"):
        await names(room, "apples", filters={"colour": ["red"]})


async def test_a_filter_sees_what_changed(room: Room) -> None:
    wanted = {"type": "eq", "key": "team", "value": "north"}
    await put(room, "a.txt", "Apples are red.", attributes={"team": "south"})
    assert await names(room, "apples", filters=wanted) == []
    await put(room, "a.txt", "Apples are red.", attributes={"team": "north"})
    assert await names(room, "apples", filters=wanted) == ["a.txt"]


async def test_a_document_of_another_group_is_not_found(room: Room) -> None:
    await put(room, "open.txt", "Apples are red.")
    await put(room, "board.txt", "Apples are sold by the board.", groups=frozenset({"board"}))
    assert await names(room, "apples board") == ["open.txt"]
    assert await names(room, "apples board", groups=frozenset({"staff"})) == ["open.txt"]
    assert set(await names(room, "apples board", groups=frozenset({"board"}))) == {"open.txt", "board.txt"}
    assert await names(room, "apples", filters={"name": ["board.txt"]}) == []


async def test_access_that_is_taken_away_counts_at_once(room: Room) -> None:
    await put(room, "plan.txt", "Apples are sold.")
    assert await names(room, "apples") == ["plan.txt"]
    await put(room, "plan.txt", "Apples are sold.", groups=frozenset({"board"}))
    assert await names(room, "apples") == []


async def test_modes_search_by_one_half_alone(room: Room) -> None:
    await fill(room)
    sparse = await room.retriever.search(room.collection, "rails", groups=NOBODY, options=SearchOptions(mode="sparse"))
    assert [(one.source, one.score, one.dense_score) for one in sparse] == [("c.txt", 1.0, 0.0)]
    dense = await room.retriever.search(room.collection, "rails", groups=NOBODY, options=SearchOptions(mode="dense"))
    assert dense[0].source == "c.txt"
    assert all(one.lexical_score is None for one in dense)
    assert dense[0].score == pytest.approx(dense[0].dense_score)


async def test_effort_looks_at_more_candidates(room: Room) -> None:
    room.settings.__dict__["candidates"] = 2
    for number in range(30):
        await put(room, f"{number}.txt", f"Apples {number} are red.")
    found = {
        effort: len(
            await room.retriever.candidates(
                room.collection, "red apples", 1, groups=NOBODY, options=SearchOptions(effort=effort)
            )
        )
        for effort in (0.0, 0.5, 1.0)
    }
    assert found[0.0] < found[0.5] < found[1.0]


async def test_age_counts_where_it_is_asked_for(room: Room) -> None:
    day = 86_400
    await put(room, "old.txt", "Red apples are round.", modified_at=time.time() - 100 * day)
    await put(room, "new.txt", "Red apples are sold.", modified_at=time.time())
    assert (await names(room, "red round apples"))[0] == "old.txt"
    recent = SearchOptions(half_life_days=10)
    assert (await names(room, "red round apples", options=recent))[0] == "new.txt"
    hits = await room.retriever.search(room.collection, "red round apples", groups=NOBODY, options=recent)
    plain = await room.retriever.search(room.collection, "red round apples", groups=NOBODY)
    ratio = hits[1].score / next(one.score for one in plain if one.source == "old.txt")
    assert ratio == pytest.approx(2**-10, rel=0.01)


async def test_a_plan_is_searched_in_place_of_the_question(room: Room) -> None:
    await fill(room)
    plan = QueryPlan((Query("apples"), Query("trains", weight=0.5)))
    hits = await room.retriever.candidates(room.collection, "ignored", groups=NOBODY, plan=plan)
    assert [one.source for one in hits][:2] == ["a.txt", "c.txt"]
    assert len({one.chunk_id for one in hits}) == len(hits) == 3


async def test_passages_and_vectors_move_the_meaning(room: Room) -> None:
    await fill(room)
    dense = SearchOptions(mode="dense")
    moved = QueryPlan((Query("fruit", passages=("Pears are green.",)),))
    hits = await room.retriever.candidates(room.collection, "fruit", groups=NOBODY, plan=moved, options=dense)
    assert hits[0].source == "b.txt"
    vector = (await room.retriever.remembered.embed(["trains rails"], "query")).vectors[0]
    given = QueryPlan((Query("fruit", vector=vector),))
    hits = await room.retriever.candidates(room.collection, "fruit", groups=NOBODY, plan=given, options=dense)
    assert hits[0].source == "c.txt"


@pytest.mark.parametrize("query", ["", "   "])
async def test_an_empty_query_is_refused(room: Room, query: str) -> None:
    with pytest.raises(InvalidRequest):
        await names(room, query)


@pytest.mark.parametrize("query", ["?!", "the of and", "'; DROP TABLE", '"', "a" * 8000, "(+apples -pears) OR *"])
async def test_odd_queries_search(room: Room, query: str) -> None:
    await fill(room)
    assert len(await names(room, query)) == 3


async def test_another_collection_is_another_table(room: Room) -> None:
    await fill(room)
    other = await room.stores.collections.create("tenant-b", "handbook", embedder=room.embedder.name)
    assert await room.retriever.search(other, "apples", groups=NOBODY) == []


async def test_collections_of_another_embedder_are_refused(room: Room) -> None:
    other = await room.stores.collections.create("default", "other", embedder="another")
    with pytest.raises(Conflict, match="another"):
        await room.retriever.search(other, "apples", groups=NOBODY)


async def test_a_document_removed_during_the_search_is_not_shown(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(room)
    found: list[Hit] = await room.retriever.search(room.collection, "apples", groups=NOBODY)
    search = room.stores.vectors.search

    async def remove_then_return(*arguments: object, **named: object) -> list[SearchHit]:
        hits = await search(*arguments, **named)  # type: ignore[arg-type]
        await room.stores.collections.remove(room.collection, found[0].document_id)
        return hits

    monkeypatch.setattr(room.stores.vectors, "search", remove_then_return)
    assert found[0].source not in await names(room, "apples")


class _Reader:
    """A reranker that notes what it reads and prefers what was last."""

    name = fingerprint = "reader"

    def __init__(self) -> None:
        self.read: list[str] = []

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        self.read += passages
        return Reranked(np.arange(len(passages), dtype=np.float32), 1)

    async def close(self) -> None: ...


async def test_a_reranker_reads_only_where_it_is_asked_to(room: Room) -> None:
    await fill(room)
    reader = _Reader()
    plain = await room.retriever.search(room.collection, "rails", groups=NOBODY)
    room.retriever.reranker = reader
    assert await room.retriever.search(room.collection, "rails", groups=NOBODY) == plain
    sparse = SearchOptions(mode="sparse", rerank=True)
    await room.retriever.search(room.collection, "rails", groups=NOBODY, options=sparse)
    assert reader.read == []
    found = await room.retriever.candidates(room.collection, "rails", groups=NOBODY, options=SearchOptions(rerank=True))
    assert len(reader.read) == len(found) > 1
    assert found[0].rerank_score is not None
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
