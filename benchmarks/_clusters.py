"""Synthetic chunks for measuring stores: vectors in clusters of clusters, words by Zipf's law, ten chunks a document.

Uniform random vectors have no neighbours worth the name, so every index looks bad on them and every ranking is noise.
Here each document lies near a topic and each chunk near its document, as embeddings of text do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.stores.vectors import ChunkRow

CHUNKS_A_DOCUMENT = 10
_VOCABULARY = 30_000
_WORDS_A_CHUNK = 60
_TOPIC_WORDS = 40
# Of the unit sphere: how far documents lie from their topic, and chunks from their document.
_DOCUMENT_SPREAD = 0.8
_CHUNK_SPREAD = 0.6


@dataclass(frozen=True, slots=True)
class Query:
    """A query as a search takes it: a vector near some document, and four words of its topic."""

    vector: Any
    text: str


class Clusters:
    """``rows`` chunks of ``dimensions`` floats; the same for the same ``seed``, in whatever parts they are made."""

    def __init__(self, rows: int, dimensions: int = 384, seed: int = 7) -> None:
        self.rows = rows
        self.dimensions = dimensions
        self.documents = -(-rows // CHUNKS_A_DOCUMENT)
        self._seed = seed
        topics = max(16, int(self.documents**0.5))
        self._topics = _unit(np.random.default_rng(seed).normal(size=(topics, dimensions)))
        self._words = np.array([_word(number) for number in range(_VOCABULARY)])

    def name(self, document: int) -> str:
        return f"doc_{document:07d}"

    def batches(self, documents: int = 500, generation: int = 1) -> Iterator[list[ChunkRow]]:
        """All chunks, some documents at a time."""
        for start in range(0, self.documents, documents):
            yield [
                row
                for document in range(start, min(start + documents, self.documents))
                for row in self.chunks(document, generation)
            ]

    def chunks(self, document: int, generation: int = 1) -> list[ChunkRow]:
        random = np.random.default_rng((self._seed, document, generation))
        topic, centre = self._place(random)
        noise = random.normal(size=(CHUNKS_A_DOCUMENT, self.dimensions)) / self.dimensions**0.5
        vectors = _unit(centre + _CHUNK_SPREAD * noise).astype(np.float32)
        name = self.name(document)
        rows = []
        for number, vector in enumerate(vectors):
            text = " ".join(self._text(random, topic, _WORDS_A_CHUNK))
            digest = hashlib.sha256(text.encode()).hexdigest()
            start = number * 400
            rows.append(
                ChunkRow(
                    chunk_id=f"{name}.{generation}.{number}",
                    document_id=name,
                    generation=generation,
                    text=text,
                    start=start,
                    end=start + len(text),
                    page=None,
                    heading="",
                    vector=vector,
                    digest=digest,
                )
            )
        return rows

    def queries(self, count: int) -> list[Query]:
        """Near documents of the collection, and none of its chunks."""
        random = np.random.default_rng((self._seed, 1 << 40))
        made = []
        for _ in range(count):
            document = int(random.integers(self.documents))
            topic, centre = self._place(np.random.default_rng((self._seed, document, 1)))
            noise = random.normal(size=self.dimensions) / self.dimensions**0.5
            vector = _unit((centre + _CHUNK_SPREAD * noise)[None])[0].astype(np.float32)
            made.append(Query(vector, " ".join(self._text(random, topic, 4))))
        return made

    def _place(self, random: np.random.Generator) -> tuple[int, Any]:
        # The first draws of a document's generator, so that a query finds the same place.
        topic = int(random.integers(len(self._topics)))
        noise = random.normal(size=self.dimensions) / self.dimensions**0.5
        return topic, _unit((self._topics[topic] + _DOCUMENT_SPREAD * noise)[None])[0]

    def _text(self, random: np.random.Generator, topic: int, words: int) -> list[str]:
        common = np.minimum(random.zipf(1.2, size=words), _VOCABULARY) - 1
        own = (topic * 7919 + random.integers(_TOPIC_WORDS, size=words) ** 2) % _VOCABULARY
        return list(self._words[np.where(random.random(words) < 0.3, own, common)])


def _unit(matrix: Any) -> Any:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def _word(number: int) -> str:
    # Consonant and vowel by turns: pronounceable, distinct, and no stop word among the first.
    letters = []
    number += 400
    while number:
        number, letter = divmod(number, 20)
        letters.append("bcdfghjklmnpqrstvwxz"[letter] + "aeiou"[letter % 5])
    return "".join(letters)
