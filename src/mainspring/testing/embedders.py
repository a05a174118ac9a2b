"""The contract of embedders, and an embedder without a model."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest

from mainspring.engines.base import Embedded, Embedder


class WordEmbedder:
    """Maps texts to the words that they share: deterministic, without a model. Implements ``Embedder``."""

    name = "words"
    dimensions = 256
    max_tokens = 256

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w+|[^\w\s]", text)) for text in texts]

    async def embed(
        self,
        texts: Sequence[str],
        kind: Literal["query", "passage"] = "passage",  # noqa: ARG002
    ) -> Embedded:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row, 0] = 1e-3
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, 1 + zlib.crc32(word.encode()) % (self.dimensions - 1)] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        tokens = self.count_tokens(texts)
        return Embedded(vectors, sum(tokens), sum(count > self.max_tokens for count in tokens))

    async def close(self) -> None: ...


@pytest.mark.asyncio
class EmbedderSuite:
    """A subclass, or its module, has a fixture ``embedder``, which gives one that is ready."""

    texts = ("The harbour opens at six.", "Six is when the harbour opens.", "Bread is baked at night.", "日本語", "")

    async def test_vectors_have_the_shape_and_length_that_is_promised(self, embedder: Embedder) -> None:
        found = await embedder.embed(self.texts)
        assert found.vectors.shape == (len(self.texts), embedder.dimensions)
        assert found.vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-3)

    async def test_the_same_text_has_the_same_vector_whatever_stands_beside_it(self, embedder: Embedder) -> None:
        together = (await embedder.embed(self.texts)).vectors
        alone = np.concatenate([(await embedder.embed([text])).vectors for text in self.texts])
        assert np.min(np.sum(together * alone, axis=1)) > 0.99

    async def test_texts_that_say_the_same_are_nearer(self, embedder: Embedder) -> None:
        one, same, other = (await embedder.embed(self.texts[:3])).vectors
        assert one @ same > one @ other

    async def test_queries_are_embedded_into_the_same_space(self, embedder: Embedder) -> None:
        (query,) = (await embedder.embed(["When does the harbour open?"], "query")).vectors
        harbour, _, bread = (await embedder.embed(self.texts[:3])).vectors
        assert query @ harbour > query @ bread

    async def test_tokens_are_counted_and_what_is_cut_is_told(self, embedder: Embedder) -> None:
        short, long = embedder.count_tokens(["one", "one two three four"])
        assert 0 < short < long
        assert embedder.count_tokens([]) == []
        found = await embedder.embed(["word " * (2 * embedder.max_tokens), "short"])
        assert found.truncated == 1
        assert found.tokens > 0

    async def test_nothing_is_embedded_as_nothing(self, embedder: Embedder) -> None:
        assert (await embedder.embed([])).vectors.shape == (0, embedder.dimensions)
