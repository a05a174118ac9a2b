"""The contract of chunkers."""

from __future__ import annotations

import pytest

from mainspring.engines.base import Embedder
from mainspring.rag.chunk.base import Chunker
from mainspring.rag.parse.parsed import Heading, Page, Parsed
from mainspring.testing.embedders import WordEmbedder

FIRST = "# Harbour\n\nThe harbour opens at six. Boats pay at the gate.\n\n"
SECOND = "## Winter\n\nIn winter it opens at eight. " + "A long sentence about the ice goes on and on. " * 40
DOCUMENT = Parsed(
    FIRST + SECOND,
    pages=(Page(1, 0, len(FIRST)), Page(2, len(FIRST), len(FIRST + SECOND))),
    headings=(Heading(1, "Harbour", 0, 9), Heading(2, "Winter", len(FIRST), len(FIRST) + 9)),
    kind="markdown",
)


@pytest.mark.asyncio
class ChunkerSuite:
    """A subclass has a fixture ``chunker``, which gives one over the ``embedder`` of this suite (or of its own)."""

    whole = True
    """Whether every word of a document is in some chunk."""

    @pytest.fixture
    def embedder(self) -> Embedder:
        return WordEmbedder()

    async def test_chunks_lie_in_the_text_in_the_order_of_their_starts(self, chunker: Chunker) -> None:
        found = await chunker.chunk(DOCUMENT, name="harbour.md", title="Harbour")
        assert found
        assert all(0 <= each.start < each.end <= len(DOCUMENT.text) for each in found)
        assert [each.start for each in found] == sorted(each.start for each in found)
        assert all(DOCUMENT.text[each.start : each.end].strip() for each in found)

    async def test_nothing_that_is_embedded_is_longer_than_the_model_reads(
        self, chunker: Chunker, embedder: Embedder
    ) -> None:
        found = await chunker.chunk(DOCUMENT, name="harbour.md", title="Harbour")
        assert max(embedder.count_tokens([each.embedded for each in found])) <= embedder.max_tokens
        assert [each.tokens for each in found] == embedder.count_tokens(
            [DOCUMENT.text[each.start : each.end] for each in found]
        )

    async def test_every_word_is_in_a_chunk(self, chunker: Chunker) -> None:
        if not self.whole:
            pytest.skip("this chunker leaves words out on purpose")
        covered = [False] * len(DOCUMENT.text)
        for each in await chunker.chunk(DOCUMENT, name="harbour.md", title="Harbour"):
            start, end = each.parent or (each.start, each.end)
            covered[start:end] = [True] * (end - start)
        left = "".join(letter for letter, held in zip(DOCUMENT.text, covered, strict=True) if not held)
        assert not left.replace("#", "").replace("Harbour", "").replace("Winter", "").strip()

    async def test_chunks_say_on_which_page_they_are(self, chunker: Chunker) -> None:
        for each in await chunker.chunk(DOCUMENT, name="harbour.md", title="Harbour"):
            assert each.page == DOCUMENT.page_at(each.start)

    async def test_it_cuts_the_same_again(self, chunker: Chunker) -> None:
        one, other = [await chunker.chunk(DOCUMENT, name="harbour.md", title="Harbour") for _ in range(2)]
        assert one == other

    @pytest.mark.parametrize("text", ["", " \n\t\n "])
    async def test_a_document_without_words_has_no_chunks(self, chunker: Chunker, text: str) -> None:
        assert await chunker.chunk(Parsed(text)) == []

    @pytest.mark.parametrize(
        "text", ["x", "日本語の文章です。", "e\u0301\u200b\U0001f600", "word " * 4000, "x" * 20_000]
    )
    async def test_any_text_is_cut(self, chunker: Chunker, embedder: Embedder, text: str) -> None:
        found = await chunker.chunk(Parsed(text))
        assert found
        assert max(embedder.count_tokens([each.embedded for each in found])) <= embedder.max_tokens
