"""Walks, communities and paths over graphs that are made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.rag.graph import communities, entity_linking, paths, spreading_activation
from mainspring.rag.graph.assemble import Graph, assemble
from mainspring.rag.graph.pagerank import Walker, nearest
from mainspring.rag.graph.read.graph_model import GraphPiece
from mainspring.rag.graph.read.rules import extract

TEXTS = {
    "pier": "Long Pier\n\nLong Pier was directed by Ada Holm.",
    "ada": "Ada Holm\n\nAda Holm was born in Tromsø.",
    "bo": "Bo Lind\n\nBo Lind lives in Bergen with Cai Moe.",
    "cai": "Cai Moe\n\nCai Moe works in Bergen for Bo Lind.",
}


def entity(found: Graph, name: str) -> int:
    number = entity_linking.entity(found, name)
    assert number is not None
    return number


def graph(texts: dict[str, str] = TEXTS) -> Graph:
    return assemble(
        {name: extract(text, [GraphPiece(f"{name}.0", 0, len(text))], [""]) for name, text in texts.items()}
    )


def test_the_order_of_documents_changes_nothing() -> None:
    one, other = graph(), graph(dict(reversed(TEXTS.items())))
    assert (one.names, one.chunks, one.seen, one.statements) == (
        other.names,
        other.chunks,
        other.seen,
        other.statements,
    )
    for field in ("of", "within", "weights", "ends", "ties"):
        assert np.array_equal(getattr(one, field), getattr(other, field))


def test_a_walk_stays_a_distribution_and_is_near_where_it_began() -> None:
    found = graph()
    walker = Walker(found)
    start = np.zeros(len(found.names))
    start[entity(found, "Ada Holm")] = 1.0
    here = walker.walk(start, np.zeros(len(found.chunks)))
    assert here.sum() == pytest.approx(1.0)
    chunks = dict(zip([chunk.document_id for chunk in found.chunks], walker.chunks(here), strict=True))
    assert min(chunks["ada"], chunks["pier"]) > max(chunks["bo"], chunks["cai"]) == 0.0
    assert walker.walk(start * 0, np.zeros(len(found.chunks))).sum() == 0
    assert {found.names[each] for each in nearest(found, entity(found, "Ada Holm"), 5)} == {"Long Pier", "Tromsø"}


def test_activation_goes_through_what_two_documents_name_and_not_within_one() -> None:
    found = graph()
    number = {chunk.document_id: place for place, chunk in enumerate(found.chunks)}
    reached = spreading_activation.spread(found, [entity(found, "Long Pier")], {number["pier"]: 1.0})
    assert set(reached) == {number["pier"], number["ada"]}
    assert reached[number["ada"]].origin == number["pier"]
    assert reached[number["pier"]].origin is None
    assert all(0 <= spreading_activation.gain(how, 1.0) <= 1 for how in reached.values())
    assert spreading_activation.gain(reached[number["ada"]], 0.9) > spreading_activation.gain(
        reached[number["ada"]], 0.1
    )


def test_a_path_has_no_more_steps_than_it_may() -> None:
    found = graph()
    ends = entity(found, "Long Pier"), entity(found, "Tromsø")
    assert [step.predicate for step in paths.between(found, *ends)] == ["directed by", "born in"]
    assert paths.between(found, *ends, most=1) == []
    assert paths.between(found, ends[0], ends[0]) == []
    assert paths.between(found, ends[0], entity(found, "Bergen")) == []


def test_questions_name_entities_in_any_case() -> None:
    found = graph()
    named = {found.names[each] for each in entity_linking.linked(found, "where was the director of long pier born?")}
    assert named == {"Long Pier"}
    assert entity_linking.linked(found, "who?") == []


def test_communities_follow_what_hangs_together() -> None:
    found = communities.communities(graph())
    made = graph()
    members = [{made.names[entity] for entity in each.entities} for each in found]
    assert {"Long Pier", "Ada Holm", "Tromsø"} in members
    assert {"Bo Lind", "Bergen", "Cai Moe"} in members
    assert sum(each.weight for each in found) <= 1 + 1e-9


def test_louvain_finds_two_cliques() -> None:
    clique = [(a, b, 1.0) for a in range(5) for b in range(a)]
    edges = [*clique, *((a + 5, b + 5, 1.0) for a, b, _ in clique), (0, 5, 0.1)]
    assert communities.louvain(11, edges) == [0] * 5 + [5] * 5 + [10]
    assert communities.louvain(0, []) == []


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.floats(0.1, 1.0)), max_size=20))
def test_louvain_joins_only_what_is_connected(edges: list[tuple[int, int, float]]) -> None:
    homes = communities.louvain(8, edges)
    sets = list(range(8))
    for _ in range(8):
        for a, b, _ in edges:
            sets[a] = sets[b] = min(sets[a], sets[b])
    for one in range(8):
        for other in range(8):
            if homes[one] == homes[other]:
                assert sets[one] == sets[other]
