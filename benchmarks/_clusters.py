"""A large collection for measuring searches: real sentences, vectors in clusters of clusters, some chunks a document.

Chunks are sentences of SQuAD's paragraphs and of Cranfield's and CACM's abstracts, drawn anew, so that words are as
common and rare, and chunks as long, as in documents; each document has a topic (a paragraph) that part of its sentences
come from, and a word of its own. Queries are SQuAD's questions on a topic. Uniform random vectors have no neighbours
worth the name, so every index looks bad on them; here each document lies near its topic and each chunk near its
document, as embeddings of text do.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.stores.vectors.base import ChunkRow

CHUNKS_A_DOCUMENT = 5
DIMENSIONS = 384
_SENTENCES_A_CHUNK = 6
_OF_THE_TOPIC = 3
_FIELDS = 50
# Of the unit sphere: how far topics lie from their field, documents from their topic, and chunks from their document.
_TOPIC_SPREAD = 0.9
_DOCUMENT_SPREAD = 0.8
_CHUNK_SPREAD = 0.6


@dataclass(frozen=True, slots=True)
class Query:
    """A query as a search takes it: a vector near some document, and a question on its topic."""

    vector: Any
    text: str


@dataclass(frozen=True, slots=True)
class _Topic:
    sentences: Sequence[str]
    question: str


class Clusters:
    """``rows`` chunks; the same for the same ``seed``, in whatever parts they are made."""

    def __init__(self, rows: int, folder: Path, seed: int = 7) -> None:
        self.rows = rows
        self.documents = -(-rows // CHUNKS_A_DOCUMENT)
        self._seed = seed
        self._topics = _topics(folder)
        self._sentences = [sentence for topic in self._topics for sentence in topic.sentences]
        draw = np.random.default_rng(seed)
        fields = _unit(draw.normal(size=(_FIELDS, DIMENSIONS)))
        noise = draw.normal(size=(len(self._topics), DIMENSIONS)) / DIMENSIONS**0.5
        self._centres = _unit(fields[draw.integers(_FIELDS, size=len(self._topics))] + _TOPIC_SPREAD * noise)

    def name(self, document: int) -> str:
        return f"doc_{document:07d}"

    def batches(self, documents: int = 1000) -> Iterator[list[ChunkRow]]:
        """All chunks, some documents at a time."""
        for start in range(0, self.documents, documents):
            end = min(start + documents, self.documents)
            yield [row for document in range(start, end) for row in self.chunks(document)]

    def chunks(self, document: int, generation: int = 1) -> list[ChunkRow]:
        draw = np.random.default_rng((self._seed, document, generation))
        topic, centre = self._place(draw)
        noise = draw.standard_normal((CHUNKS_A_DOCUMENT, DIMENSIONS), np.float32) / DIMENSIONS**0.5
        vectors = _unit(centre + _CHUNK_SPREAD * noise).astype(np.float32)
        name = self.name(document)
        rows = []
        for number, text in enumerate(self.texts(document, generation, topic)):
            start = number * 1200
            row = ChunkRow(
                chunk_id=f"{name}.{generation}.{number}",
                document_id=name,
                generation=generation,
                text=text,
                start=start,
                end=start + len(text),
                page=None,
                heading="",
                vector=vectors[number],
                digest=hashlib.sha256(text.encode()).hexdigest(),
            )
            rows.append(row)
        return rows

    def texts(self, document: int, generation: int = 1, topic: int | None = None) -> list[str]:
        """The texts of a document's chunks."""
        if topic is None:
            topic, _ = self._place(np.random.default_rng((self._seed, document, generation)))
        draw = random.Random(f"{self._seed} {document} {generation}")
        own = self._topics[topic].sentences
        return [
            " ".join(
                [
                    *draw.choices(own, k=_OF_THE_TOPIC),
                    *draw.choices(self._sentences, k=_SENTENCES_A_CHUNK - _OF_THE_TOPIC),
                    f"Filed as {document:x}{'xyzuvw'[generation % 6]}.",
                ]
            )
            for _ in range(CHUNKS_A_DOCUMENT)
        ]

    def queries(self, count: int) -> list[Query]:
        """Near documents of the collection, and none of its chunks."""
        draw = np.random.default_rng((self._seed, 1 << 40))
        made: list[Query] = []
        while len(made) < count:
            topic, centre = self._place(np.random.default_rng((self._seed, int(draw.integers(self.documents)), 1)))
            if question := self._topics[topic].question:
                noise = draw.normal(size=DIMENSIONS) / DIMENSIONS**0.5
                vector = _unit((centre + _CHUNK_SPREAD * noise)[None])[0].astype(np.float32)
                # Queries are told apart by their text.
                made.append(Query(vector, f"{question} {len(made)}"))
        return made

    def _place(self, draw: np.random.Generator) -> tuple[int, Any]:
        # The first draws of a document's generator, so that a query finds the same place.
        topic = int(draw.integers(len(self._topics)))
        noise = draw.normal(size=DIMENSIONS) / DIMENSIONS**0.5
        return topic, _unit((self._centres[topic] + _DOCUMENT_SPREAD * noise)[None])[0]


def _topics(folder: Path) -> list[_Topic]:
    found = []
    for article in json.loads((folder / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            asked = [each["question"] for each in paragraph["qas"] if each["answers"]]
            found.append(_Topic(_split(paragraph["context"]), asked[0] if asked else ""))
    for file in ("retrieval/cranfield/cran.all.1400", "retrieval/cacm/cacm.all"):
        records = re.split(r"^\.I ", (folder / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
        for record in records[1:]:
            abstract = re.search(r"^\.W\n(.*?)(?=^\.[A-Z]\n|\Z)", record, re.DOTALL | re.MULTILINE)
            if abstract and len(sentences := _split(abstract[1])) >= _OF_THE_TOPIC:
                found.append(_Topic(sentences, ""))
    return found


def _split(text: str) -> list[str]:
    return [each for each in re.split(r"(?<=[.?!])\s+", " ".join(text.split())) if len(each) > 20] or [text]


def _unit(matrix: Any) -> Any:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
