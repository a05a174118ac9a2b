"""Retrieval: fusion, filters, provenance."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.errors import InvalidRequest
from mainspring.rag.ingest import Source
from mainspring.rag.retrieve import fuse
from mainspring.settings import RagSettings
from mainspring.stores.vectors import SearchHit
from tests.rag.conftest import Room


def hit(number: int, dense: float, lexical: float | None) -> SearchHit:
    return SearchHit(f"c{number}", "d", 1, "", 0, 0, None, "", dense, lexical)


HITS = st.lists(st.tuples(st.floats(-1, 1), st.none() | st.floats(0.01, 30)), min_size=1, max_size=30).map(
    lambda pairs: [hit(number, *pair) for number, pair in enumerate(pairs)]
)


@given(HITS, st.sampled_from(["convex", "rrf"]), st.floats(0, 1))
def test_fused_scores_are_bounded_and_respect_dominance(hits: list[SearchHit], fusion: str, weight: float) -> None:
    scores = fuse("words", hits, RagSettings(fusion=fusion, dense_weight=weight))
    assert all(-1e-9 <= score <= 1 + 1e-9 for score in scores)
    for a, one in enumerate(hits):
        for b, other in enumerate(hits):
            better = (one.dense or 0) > (other.dense or 0) and (one.lexical or 0) > (other.lexical or 0)
            assert not better or scores[a] >= scores[b] - 1e-9


def test_the_weight_decides_between_meaning_and_words() -> None:
    hits = [hit(0, 0.9, None), hit(1, 0.1, 9.0)]
    assert fuse("words", hits, RagSettings(dense_weight=1)) == [1, 0]
    assert fuse("words", hits, RagSettings(dense_weight=0)) == [0, 0.5]


async def fill(room: Room) -> None:
    texts = {"a": "Apples are red and round.", "b": "Pears are green.", "c": "Trains run on rails."}
    sources = [Source(name, f"{name}.txt", text.encode) for name, text in texts.items()]
    await room.ingestor.ingest(room.collection, sources)


async def test_hits_say_where_they_come_from(room: Room) -> None:
    await fill(room)
    (best, *_) = await room.retriever.search(room.collection, "red apples", k=2)
    assert (best.source, best.text, best.dense_rank, best.lexical_rank) == (
        "a.txt",
        "Apples are red and round.",
        1,
        1,
    )
    texts = await room.retriever.texts([best])
    assert texts[best.document_id][best.start : best.end] == best.text


async def test_filters(room: Room) -> None:
    await fill(room)
    hits = await room.retriever.search(room.collection, "apples", filters={"name": ["b.txt", "c.txt"]})
    assert {one.source for one in hits} == {"b.txt", "c.txt"}
    with pytest.raises(InvalidRequest, match="colour"):
        await room.retriever.search(room.collection, "apples", filters={"colour": ["red"]})


@pytest.mark.parametrize("query", ["", "   "])
async def test_an_empty_query_is_refused(room: Room, query: str) -> None:
    with pytest.raises(InvalidRequest):
        await room.retriever.search(room.collection, query)


@pytest.mark.parametrize("query", ["?!", "the of and", "'; DROP TABLE", '"', "a" * 8000, "(+apples -pears) OR *"])
async def test_odd_queries_search(room: Room, query: str) -> None:
    await fill(room)
    assert len(await room.retriever.search(room.collection, query)) == 3


async def test_another_collection_is_another_table(room: Room) -> None:
    await fill(room)
    other = await room.stores.collections.create("tenant-b", "handbook", embedder=room.embedder.name)
    assert await room.retriever.search(other, "apples") == []
