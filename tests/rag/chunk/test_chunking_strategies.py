"""Every strategy: sizes, coverage, overlap, provenance; and what each one is for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.rag.chunk.base import windows
from mainspring.rag.chunk.chunking import RESERVED_TOKENS, Chunk, chunker
from mainspring.rag.chunk.semantic import similarities
from mainspring.rag.parse.markup.markdown import headings
from mainspring.rag.parse.parsed import Page, Parsed
from tests.rag.conftest import WordEmbedder

STRATEGIES = ("structure", "sentence", "fixed", "recursive", "semantic", "parent_child", "sentence_window", "code")
# Those that repeat nothing of the chunk before.
DISJOINT = ("semantic", "sentence_window")
PARENT = 60

TABLE = "| Zone | Express | Days |\n|---|---|---|\n" + "".join(f"| Z{n} | {n}.50 pounds | {n} |\n" for n in range(30))
PIECES = (
    "One two three.",
    "Alpha beta gamma delta epsilon zeta eta theta.",
    "# Head\n\n",
    "## Sub head\n",
    "| Zone | Price |\n|---|---|\n| 1 | 2.50 |\n| 2 | 3.50 |\n",
    "- item one\n- item two\n",
    "word " * 45,
    "```\ncode here\n```\n",
    "x" * 300,
    "日本語の文章です。もう一つの文。" * 3,
    "---\n",
    "\n\n",
    " ",
    "e\u0301\u200b\U0001f600 ",
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join) | st.text(max_size=300)


class Words(WordEmbedder):
    """Counts words, of endless ones every tenth character."""

    max_tokens = 48 + RESERVED_TOKENS

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [sum(-(-len(word) // 10) for word in text.split()) for text in texts]


def cut(
    strategy: str,
    text: str | Parsed,
    size: int = 32,
    overlap: int = 8,
    embedder: Embedder | None = None,
    name: str = "",
    **others: float,
) -> list[Chunk]:
    rag = RagSettings(
        chunker=strategy, chunk_tokens=size, chunk_overlap=overlap, **({"parent_tokens": PARENT} | others)
    )
    parsed = Parsed(text, headings=headings(text)) if isinstance(text, str) else text
    return asyncio.run(chunker(rag, embedder or Words()).chunk(parsed, name=name, title="title"))


def check(strategy: str, parsed: Parsed, found: Sequence[Chunk], size: int, embedder: Embedder) -> None:
    """What holds for every chunk of every strategy."""
    text = parsed.text
    bodies = [text[one.start : one.end] for one in found]
    window = embedder.max_tokens - RESERVED_TOKENS
    for one, body, tokens, embedded in zip(
        found,
        bodies,
        embedder.count_tokens(bodies),
        embedder.count_tokens([one.embedded for one in found]),
        strict=True,
    ):
        assert body.strip()
        assert one.tokens == tokens <= size
        assert embedded <= window
        assert one.embedded.endswith(body)
        assert one.page == parsed.page_at(one.start)
        if one.parent:
            assert one.parent[0] <= one.start < one.end <= one.parent[1]
            assert text[one.parent[0] : one.parent[1]].strip()
    covered = np.zeros(len(text), bool)
    for one in found:
        covered[one.start : one.end] = True
    assert not [text[at] for at in np.flatnonzero(~covered) if text[at].isalnum()]
    for before, after in pairwise(found):
        assert before.start < after.start
        assert before.end < after.end
        if strategy in DISJOINT:
            assert before.end <= after.start


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, size=st.integers(32, 60), overlap=st.integers(0, 20))
def test_any_text_is_covered_by_chunks_of_exact_size(strategy: str, text: str, size: int, overlap: int) -> None:
    half = len(text) // 2
    parsed = Parsed(text, (Page(1, 0, half), Page(2, half, len(text))), headings(text))
    check(strategy, parsed, cut(strategy, parsed, size, overlap), size, Words())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_white_space_in_front_of_a_parent_is_in_none_of_its_children(strategy: str) -> None:
    words = "word " * 45
    text = " ".join(["x" * 300, words, "\n\n", words, words])
    half = len(text) // 2
    parsed = Parsed(text, (Page(1, 0, half), Page(2, half, len(text))))
    check(strategy, parsed, cut(strategy, parsed, 44, 0), 44, Words())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_same_with_the_real_tokenizer(strategy: str, real_embedder: OpenVinoEmbedder) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True)
    @given(text=TEXTS, size=st.integers(32, 200), overlap=st.integers(0, 60))
    def holds(text: str, size: int, overlap: int) -> None:
        parsed = Parsed(text, headings=headings(text))
        check(strategy, parsed, cut(strategy, parsed, size, overlap, real_embedder), size, real_embedder)

    holds()


@pytest.mark.parametrize("strategy", ["structure", "sentence", "fixed", "recursive", "parent_child"])
@pytest.mark.parametrize("overlap", [0, 9, 16])
def test_neighbours_share_no_more_than_the_overlap(strategy: str, overlap: int) -> None:
    text = " ".join(f"Sentence number {number} has exactly seven words." for number in range(90))
    found = cut(strategy, text, 32, overlap)
    shared = [Words().count_tokens([text[b.start : a.end]])[0] if b.start < a.end else 0 for a, b in pairwise(found)]
    assert max(shared) <= overlap
    if overlap and strategy != "parent_child":
        assert min(shared) > 0
    if not overlap:
        assert sum(one.tokens for one in found) == Words().count_tokens([text])[0]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rows_stay_whole_and_carry_their_header(strategy: str) -> None:
    text = f"# Prices\n\nWhat each zone costs.\n\n{TABLE}\nAfter the table."
    found = cut(strategy, text, 36, 0)
    rows = [line for line in text.split("\n") if line.startswith("| Z")]
    held = [one for one in found if "| Z2" in text[one.start : one.end]]
    for row in rows:
        assert any(row in text[one.start : one.end] for one in found), row
    assert len(held) > 1
    assert all("| Zone | Express | Days |" in one.embedded for one in held)


def test_a_header_row_never_ends_a_chunk() -> None:
    for words in range(1, 40):
        text = f"{'word ' * words}.\n\n{TABLE}"
        bodies = [text[one.start : one.end] for one in cut("structure", text, 40, 0)]
        assert not any(body.rstrip().endswith(("| Days |", "|---|")) for body in bodies)


def test_fixed_windows_are_as_full_as_they_can_be() -> None:
    text = " ".join(f"w{number}" for number in range(200))
    found = cut("fixed", text, 40, 10)
    assert [one.tokens for one in found[:-1]] == [40] * (len(found) - 1)
    assert text[found[1].start :].startswith("w30 ")


def test_windows_always_move_on() -> None:
    assert windows([5, 5, 5, 5], 10, 9) == [(0, 2), (1, 3), (2, 4)]
    assert windows([10, 10], 10, 9) == [(0, 1), (1, 2)]
    assert windows([], 10, 9) == []


def test_recursive_prefers_paragraphs_then_lines_then_sentences() -> None:
    short = "Six words stand in this paragraph."
    text = "\n\n".join([short] * 7 + ["Every sentence has five words. " * 12] + [short])
    bodies = [text[one.start : one.end] for one in cut("recursive", text, 32, 0)]
    assert bodies[0] == "\n\n".join([short] * 5)
    assert all(body.startswith("Every") and body.endswith("words.") for body in bodies[2:-1])
    assert bodies[-1] == short


def test_semantic_breaks_where_the_subject_changes() -> None:
    otters = "Otters swim in rivers. Otters eat river fish. River otters swim far."
    taxes = "Taxes fall due in April. The tax office sends letters. April letters name the tax."
    (first, second) = cut("semantic", f"{otters} {taxes}", 40, semantic_percentile=10)
    assert first.end == len(otters)
    assert second.start == len(otters) + 1


def test_similarities_compare_both_sides_of_each_boundary() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], np.float32)
    assert similarities(vectors, 1).tolist() == [1.0, 0.0, 1.0]
    assert similarities(vectors[:1]).tolist() == []


def test_children_know_the_section_they_are_part_of() -> None:
    sections = "\n\n".join(f"## Part {n}\n\n" + f"Sentence about part {n} here. " * 8 for n in range(4))
    text = f"# Title\n\n{sections}"
    found = cut("parent_child", text, 32, 0)
    parents = {one.parent for one in found}
    assert len(parents) == 4 < len(found)
    for one in found:
        assert one.parent is not None
        body = text[one.parent[0] : one.parent[1]]
        assert Words().count_tokens([body])[0] <= PARENT
        assert body.count("## Part") == 1
    spans = sorted(parent for parent in parents if parent)
    assert all(a[1] <= b[0] for a, b in pairwise(spans))


def test_a_sentence_is_read_with_those_around_it() -> None:
    text = "# A\n\nOne is here. Two is here. Three is here. Four is here.\n\n# B\n\nFive is here."
    found = cut("sentence_window", text, window_sentences=1)
    bodies = [text[one.start : one.end] for one in found]
    assert bodies == ["# A\n\nOne is here.", "Two is here.", "Three is here.", "Four is here.", "# B\n\nFive is here."]
    read = [text[one.parent[0] : one.parent[1]] for one in found if one.parent]
    assert read[1] == "# A\n\nOne is here. Two is here. Three is here."
    assert read[3] == "Three is here. Four is here."
    assert read[4] == "# B\n\nFive is here."


def test_a_chunk_as_large_as_the_window_leaves_room_for_its_heading() -> None:
    text = "# A heading of five words\n\n" + "word " * 400
    assert all("A heading of five words\n" in one.embedded for one in cut("fixed", text, 48, 0))
