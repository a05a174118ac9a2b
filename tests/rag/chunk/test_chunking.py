"""Chunks: sizes, coverage, provenance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.core.settings import RagSettings
from mainspring.rag.chunk.chunking import RESERVED_TOKENS, Chunk, chunk, narrowed
from mainspring.rag.parse.markup.markdown import headings
from mainspring.rag.parse.parsed import Heading, Page, Parsed
from tests.rag.conftest import WordEmbedder


def count(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def cut(text: str, size: int = 20, overlap: int = 5, window: int = 30, title: str = "") -> list[Chunk]:
    return chunk(Parsed(text, headings=headings(text)), count, size=size, overlap=overlap, window=window, title=title)


SENTENCES = st.lists(
    st.sampled_from(
        [
            "One two three.",
            "Alpha beta gamma delta epsilon zeta.",
            "Short.",
            "# Head",
            "| a: 1 | b: 2 |",
            "- item",
            "word " * 45,
        ]
    ),
    max_size=40,
).map("\n\n".join)


@given(SENTENCES | st.text(max_size=400), st.integers(8, 40), st.integers(0, 20))
def test_everything_is_embedded_and_nothing_is_too_long(text: str, size: int, overlap: int) -> None:
    chunks = cut(text, size, overlap, window=48)
    covered: set[int] = set()
    for one in chunks:
        assert 0 <= one.start < one.end <= len(text)
        assert one.embedded.endswith(text[one.start : one.end])
        assert count([one.embedded])[0] <= 48
        assert one.tokens <= size
        covered.update(range(one.start, one.end))
    missing = [character for at, character in enumerate(text) if at not in covered and not character.isspace()]
    # Only marks (of rules, fences, empty rows) may stand outside.
    assert not any(character.isalnum() for character in missing)
    assert [one.start for one in chunks] == sorted(one.start for one in chunks)


def test_a_heading_that_does_not_fit_beside_its_row_stands_alone() -> None:
    for one in cut("Short.\n\n# Head\n\n| a: 1 | b: 2 |", 8, 0, window=48):
        assert one.tokens <= 8


@given(st.integers(20, 60), st.integers(0, 30))
def test_overlap_repeats_whole_sentences_and_never_more_than_asked(size: int, overlap: int) -> None:
    text = " ".join(f"Sentence number {number} has exactly seven words." for number in range(60))
    chunks = cut(text, size, overlap, window=80)
    assert len(chunks) > 1
    for before, after in pairwise(chunks):
        assert after.start > before.start
        assert after.end > before.end
        assert text[after.start :].startswith("Sentence number")
        assert count([text[after.start : before.end]])[0] <= overlap


def test_a_chunk_begins_at_a_heading_and_knows_its_path() -> None:
    text = "# Leave\n\nIntro words are here now.\n\n## Sick leave\n\n" + "Tell your manager before nine. " * 3
    chunks = cut(text, size=20)
    assert [one.heading for one in chunks][-1] == "Leave > Sick leave"
    assert text[chunks[-1].start :].startswith("## Sick leave")
    assert chunks[-1].embedded.startswith("Leave > Sick leave\n")


def test_the_title_opens_the_path_of_a_document_without_one() -> None:
    assert cut("Just some words.", title="warranty")[0].embedded == "warranty\nJust some words."
    assert cut("# Own title\n\nSome words.", title="file name")[0].heading == "Own title"


def test_a_long_path_loses_its_outer_parts_first() -> None:
    path = tuple(Heading(level, f"part {level} " + "long " * 4, 0, 1) for level in range(1, 5))
    found = chunk(Parsed("Words here.", headings=path), count, size=20, overlap=0, window=30)
    assert found[0].heading.startswith("part 1")
    assert found[0].embedded.startswith("part 4")


def test_pages() -> None:
    text = "First page words.\n\n" + "Second page has many more words than that. " * 4
    parsed = Parsed(text, pages=(Page(1, 0, 17), Page(2, 19, len(text))))
    found = chunk(parsed, count, size=10, overlap=0, window=20)
    assert found[0].page == 1
    assert found[-1].page == 2


@pytest.mark.parametrize("text", ["", " \n\n ", "---\n***"])
def test_nothing_to_say_is_no_chunk(text: str) -> None:
    assert cut(text) == []


def test_one_endless_word_is_cut() -> None:
    chunks = cut("x" * 100_000)
    assert max(one.end - one.start for one in chunks) <= 20 * 12
    assert sum(one.end - one.start for one in chunks) >= 100_000


def test_chunks_that_the_model_cannot_read_whole_are_reported() -> None:
    embedder = WordEmbedder()
    most = embedder.max_tokens - RESERVED_TOKENS
    assert narrowed(RagSettings(chunk_tokens=most), embedder) == ""
    said = narrowed(RagSettings(chunk_tokens=512), embedder)
    assert "rag.chunk_tokens is 512" in said
    assert f"{most} at most" in said


@pytest.mark.parametrize("block", ["item", "row", "code", "definition"])
def test_what_belongs_together_is_never_cut_where_it_fits(block: str) -> None:
    made = {
        "item": "- The {} item goes on. It wraps\n  over lines, and ends. Here.",
        "row": "| Name: {} | Price: 30 euros | Days: three to five |",
        "code": "```sh\nrun {} --now\n\nstop --never\n```",
        "definition": "- `--{}`: What it does. And when.\n\n  More of what it does. All of it.",
    }[block]
    parts = [made.format(f"number{number}") for number in range(40)]
    text = "# Title\n\nProse before it all. It is short.\n\n" + "\n\n".join(parts)
    found = chunk(Parsed(text), count, size=48, overlap=8, window=200)
    for part in parts:
        assert any(part in text[one.start : one.end] for one in found), part
