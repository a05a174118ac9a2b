"""Chunking strategies on SQuAD's articles: the answers found, and those within a fixed budget of retrieved tokens.

    MAINSPRING_DATA=... python benchmarks/chunking.py [--small] [--keep FOLDER]

The paragraphs of an article are one document. Search is exact over the vectors alone, so that only the chunks differ.
``hit@5``: a gold answer stands in what is read of the first five. ``in 512 tokens``: it stands in what is read until
512 tokens are full, so that large chunks gain nothing by their size; what is read of a chunk is its parent where it
has one, each place once. Questions are those of the development draw of ``answers.py`` alone: this is for choosing.
p is that of the paired randomisation test against the default chunker, corrected by Holm over the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _library import bench, data
from _report import Figure, report, table
from answers import Question, draw, holds, squad
from mainspring.core import plugins
from mainspring.core.settings import RagSettings
from mainspring.engines.base import Embedder
from mainspring.rag.chunk.base import CHUNKER
from mainspring.rag.chunk.chunking import Chunk, chunker
from mainspring.rag.parse.parsed import Parsed
from mainspring.statistics.significance import compare

BUDGET = 512
SMALL_ARTICLES = 3
# ``code`` and ``auto`` are ``structure`` for prose.
STRATEGIES = tuple(name for name in plugins.registry().names(CHUNKER) if name not in ("code", "auto"))


@dataclass(frozen=True, slots=True)
class Index:
    """Chunks with the text of their documents, and their vectors (chunks, dimensions)."""

    chunks: list[tuple[str, Chunk]]
    vectors: Any


def articles(small: bool) -> dict[str, str]:
    """Each article as one text, by title."""
    found = json.loads((data("qa/squad") / "dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    texts = {each["title"]: "\n\n".join(part["context"] for part in each["paragraphs"]) for each in found}
    return dict(list(texts.items())[:SMALL_ARTICLES]) if small else texts


async def fill(texts: dict[str, str], embedder: Embedder, rag: RagSettings) -> Index:
    cutter = chunker(rag, embedder)
    chunks: list[tuple[str, Chunk]] = []
    for title, text in texts.items():
        chunks += [(text, one) for one in await cutter.chunk(Parsed(text), title=title.replace("_", " "))]
    vectors = (await embedder.embed([one.embedded for _, one in chunks])).vectors
    return Index(chunks, vectors)


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


@dataclass(frozen=True, slots=True)
class Measured:
    """``hits`` and ``held`` by question: is a gold answer in the first five, and in the budget."""

    index: Index
    hits: dict[str, float]
    held: dict[str, float]


async def measure(strategy: str, texts: dict[str, str], questions: Sequence[Question], embedder: Embedder) -> Measured:
    index = await fill(texts, embedder, RagSettings(chunker=strategy))
    queries = (await embedder.embed([question.text for question in questions], "query")).vectors
    found = Measured(index, {}, {})
    for number, (question, scores) in enumerate(zip(questions, queries @ index.vectors.T, strict=True)):
        order = np.argsort(-scores, kind="stable")[:50].tolist()
        name = str(number)
        found.hits[name] = float(any(holds(passage, question.answers) for passage in read(index, order[:5])))
        found.held[name] = float(holds(within(read(index, order), embedder), question.answers))
    return found


def figures_of(found: dict[str, Measured], against: str) -> dict[str, Figure]:
    default: str = RagSettings().chunker
    figures: dict[str, Figure] = {}
    for label, side in (("hit@5", "hits"), (f"gold answer in {BUDGET} tokens", "held")):
        values = {strategy: getattr(each, side) for strategy, each in found.items()}
        compared = compare(values, default)
        for strategy, scores in values.items():
            one = compared.get(strategy)
            p = (
                f"p = {one.corrected:.3f}, {one.won}/{one.lost} won/lost against {default}; "
                if one
                else "the default; "
            )
            figures[f"{strategy} {label}"] = Figure(
                statistics.fmean(scores.values()), "", "higher", against=f"{p}{against}"
            )
    for strategy, each in found.items():
        figures[f"{strategy} chunks"] = Figure(len(each.index.chunks), "", "lower")
        figures[f"{strategy} vectors"] = Figure(each.index.vectors.nbytes / 2**20, "MiB", "lower")
    return figures


async def main(small: bool, keep: Path | None) -> None:
    texts = articles(small)
    paragraphs, questions = squad()
    held = {name for name, text in paragraphs if any(text in article for article in texts.values())}
    drawn = [question for question in draw(questions, development=True) if question.paragraph in held]
    found: dict[str, Measured] = {}
    async with bench(keep=keep) as library:
        for strategy in STRATEGIES:
            found[strategy] = await measure(strategy, texts, drawn, library.embedder)
    figures = figures_of(found, f"{len(drawn)} development questions, {len(texts)} articles, vectors alone")
    if small:
        print(table(figures))
    else:
        report("chunking", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Chunking strategies")
    parser.add_argument("--small", action="store_true", help="three articles, printed only")
    parser.add_argument("--keep", type=Path, help="folder of vectors, so that no run embeds a passage twice")
    given = parser.parse_args()
    asyncio.run(main(given.small, given.keep))
