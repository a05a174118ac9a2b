"""Which chunks are shown, and which others of their documents are read for sentences."""

from __future__ import annotations

from mainspring.rag.answer.findings import near_hits, shown_hits
from mainspring.rag.search.hit import Hit


def hit(document: str, number: int) -> Hit:
    name = f"{document}{number}"
    return Hit(name, document, "vs", document, name, 0, 2, None, "", 1 - number / 100, 0.5, 1.0, 1, 1, "blob")


def test_all_chunks_that_were_found_of_the_first_three_documents_are_read() -> None:
    candidates = [hit("a", 0), hit("a", 1), hit("b", 2), hit("c", 3), hit("d", 4), hit("a", 5), hit("d", 6)]
    best = shown_hits(candidates, 2)
    assert [each.chunk_id for each in best] == ["a0", "a1", "b2"]
    assert [each.chunk_id for each in near_hits(candidates, best)] == ["a5"]


def test_what_is_not_shown_at_all_is_not_read() -> None:
    candidates = [hit("a", 0), hit("b", 1), hit("a", 2)]
    assert [each.chunk_id for each in near_hits(candidates, shown_hits(candidates, 1))] == ["a2"]
