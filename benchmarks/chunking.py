"""Chunking strategies on SQuAD's articles: what is found, and what a fixed budget of retrieved tokens holds.

    MAINSPRING_DATA=... python benchmarks/chunking.py [--small]

The paragraphs of an article are one document. Search is exact over the vectors alone, so that only the chunks differ.
``hit@5``: a gold answer stands in what is read of the first five. ``in 512 tokens``: it stands in what is read until
512 tokens are full, so that large chunks gain nothing by their size; what is read of a chunk is its parent where it
has one, each place once. Questions are those of the development draw of ``answers.py`` alone: this is for choosing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from _library import bench, data
from _report import Figure, table
from answers import Question, draw, holds, squad
from mainspring.engines.base import Embedder
from mainspring.rag.chunk import Chunk, chunker
from mainspring.rag.document import Parsed
from mainspring.settings import Chunking, RagSettings

BUDGET = 512
SMALL_ARTICLES = 3
# ``code`` and ``auto`` are ``structure`` for prose.
STRATEGIES: tuple[Chunking, ...] = tuple(name for name in get_args(Chunking) if name not in ("code", "auto"))


@dataclass(frozen=True, slots=True)
class Index:
    """Chunks with the text of their documents, and their vectors (chunks, dimensions)."""

    chunks: list[tuple[str, Chunk]]
    vectors: Any
    seconds: float


def articles(small: bool) -> dict[str, str]:
    """Each article as one text, by title."""
    found = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    texts = {each["title"]: "\n\n".join(part["context"] for part in each["paragraphs"]) for each in found}
    return dict(list(texts.items())[:SMALL_ARTICLES]) if small else texts


async def fill(texts: dict[str, str], embedder: Embedder, rag: RagSettings) -> Index:
    started = time.monotonic()
    cutter = chunker(rag, embedder)
    chunks: list[tuple[str, Chunk]] = []
    for title, text in texts.items():
        chunks += [(text, one) for one in await cutter.chunk(Parsed(text), title=title.replace("_", " "))]
    vectors = (await embedder.embed([one.embedded for _, one in chunks])).vectors
    return Index(chunks, vectors, time.monotonic() - started)


def read(index: Index, order: Sequence[int]) -> Iterator[str]:
    """What is read of each chunk in turn, each place once."""
    seen: set[tuple[int, int, int]] = set()
    for number in order:
        text, one = index.chunks[number]
        start, end = one.parent or (one.start, one.end)
        if (id(text), start, end) not in seen:
            seen.add((id(text), start, end))
            yield text[start:end]


def within(passages: Iterator[str], embedder: Embedder) -> str:
    """Whole passages until the budget is full; of the first one that exceeds it, its words that still fit."""
    shown: list[str] = []
    left = BUDGET
    for passage in passages:
        (tokens,) = embedder.count_tokens([passage])
        if tokens > left:
            shown.append(passage[: len(passage) * left // tokens].rsplit(" ", 1)[0])
            break
        shown.append(passage)
        left -= tokens
    return "\n\n".join(shown)


async def measure(
    strategy: Chunking, texts: dict[str, str], questions: Sequence[Question], embedder: Embedder
) -> dict[str, Figure]:
    index = await fill(texts, embedder, RagSettings(chunker=strategy))
    queries = (await embedder.embed([question.text for question in questions], "query")).vectors
    hits = held = 0
    for question, scores in zip(questions, queries @ index.vectors.T, strict=True):
        order = np.argsort(-scores, kind="stable")[:50].tolist()
        hits += any(holds(passage, question.answers) for passage in read(index, order[:5]))
        held += holds(within(read(index, order), embedder), question.answers)
    count = max(1, len(questions))
    against = f"{len(questions)} development questions, {len(texts)} articles, vectors alone"
    return {
        f"{strategy} hit@5": Figure(hits / count, "", "higher", against=against),
        f"{strategy} gold answer in {BUDGET} tokens": Figure(held / count, "", "higher", against=against),
        f"{strategy} chunks": Figure(len(index.chunks), "", "lower"),
        f"{strategy} vectors": Figure(index.vectors.nbytes / 2**20, "MiB", "lower"),
        f"{strategy} cut and embedded": Figure(index.seconds, "s", "lower"),
    }


async def main(small: bool) -> None:
    texts = articles(small)
    paragraphs, questions = squad()
    held = {name for name, text in paragraphs if any(text in article for article in texts.values())}
    drawn = [question for question in draw(questions, development=True) if question.paragraph in held]
    figures: dict[str, Figure] = {}
    async with bench() as library:
        await library.embedder.start()
        for strategy in STRATEGIES:
            figures |= await measure(strategy, texts, drawn, library.embedder)
    print(table(figures))


if __name__ == "__main__":
    asyncio.run(main("--small" in sys.argv))
