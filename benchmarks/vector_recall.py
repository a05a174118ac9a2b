"""Recall of the vector index on real texts with real embeddings: what it finds of the nearest, against every row.

    MAINSPRING_DATA=... python benchmarks/vector_recall.py
    MAINSPRING_DATA=... python benchmarks/vector_recall.py --keep FOLDER --seconds 120   # in pieces: until it reports

The chunks are the sentences of Cranfield's and CACM's abstracts and of SQuAD's paragraphs, embedded by the default
embedder; the queries are those of Cranfield and CACM. At this size the store has a graph (HNSW); inverted lists and
product-quantised ones, which it has from 250,000 and 2,000,000 rows, are forced here, and have other lengths there. A
filter leaves the documents of one in ten. Each interval is a bootstrap over queries.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _library import data
from _report import Figure, report, skip
from mainspring import stores
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import Settings
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from mainspring.features.evaluate.sets.loading import load
from mainspring.statistics.significance import interval
from mainspring.stores.vectors import lance_index
from mainspring.stores.vectors.base import EFFORT, ChunkRow, VectorStore

K, AT_ONCE, TABLE = 20, 512, "recall"
INDEXES = {"graph": {}, "lists, forced": {"IVF_ROWS": 0}, "quantised lists, forced": {"IVF_ROWS": 0, "PQ_ROWS": 0}}
LEAST = {"graph": 0.95}
"""The recall that is asked for at the size that the store makes the index for."""


def documents(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Names and sentences."""
    for name in ("cranfield", "cacm"):
        for document in load(name, folder).documents:
            yield f"{name}-{document.id}", sentences(document.read().decode())
    for article in json.loads((folder / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]:
        for number, paragraph in enumerate(article["paragraphs"]):
            yield f"squad-{article['title']}-{number}", sentences(paragraph["context"])


def sentences(text: str) -> list[str]:
    return [each for each in re.split(r"(?<=[.?!])\s+", " ".join(text.split())) if len(each) > 20]


async def embedded(embedder: KeptEmbedder, texts: Sequence[str], seconds: float) -> list[Any]:
    """The vectors of passages. Ends the run when its time is up; what was embedded is kept."""
    began, found = time.monotonic(), []
    for start in range(0, len(texts), AT_ONCE):
        found += list((await embedder.embed(texts[start : start + AT_ONCE])).vectors)
        if seconds and time.monotonic() - began > seconds:
            raise SystemExit(f"{len(found)} of {len(texts)} sentences are embedded: run it again")
    return found


def rows(named: Sequence[tuple[str, list[str]]], vectors: Sequence[Any]) -> list[ChunkRow]:
    made: list[ChunkRow] = []
    for name, texts in named:
        for number, text in enumerate(texts):
            digest = hashlib.sha256(text.encode()).hexdigest()
            vector = vectors[len(made)]
            made.append(ChunkRow(f"{name}.{number}", name, 1, text, 0, len(text), None, "", vector, digest=digest))
    return made


async def nearest(store: VectorStore, vector: Any, current: Mapping[str, int], effort: float = EFFORT) -> list[float]:
    """The cosines of the best ``K``, highest first."""
    hits = await store.search(TABLE, vector=vector, k=K, current=current, effort=effort)
    return sorted((hit.dense or 0.0 for hit in hits), reverse=True)[:K]


async def shares(store: VectorStore, queries: Sequence[Any], current: Mapping[str, int]) -> list[float]:
    """The share of the nearest ``K`` that the default effort finds, of each query. Of equally near ones any count."""
    found = []
    for vector in queries:
        exact = await nearest(store, vector, current, 1.0)
        near = [each for each in await nearest(store, vector, current) if each >= exact[-1] - 1e-6]
        found.append(len(near) / len(exact))
    return found


async def measured(
    made: Sequence[ChunkRow], queries: Sequence[Any], name: str, limits: Mapping[str, int]
) -> dict[str, Figure]:
    """The figures of one kind of index. Raises ``RuntimeError`` where the store made another."""
    before = {limit: getattr(lance_index, limit) for limit in limits}
    for limit, value in limits.items():
        setattr(lance_index, limit, value)
    try:
        with tempfile.TemporaryDirectory() as home:
            async with stores.open(Settings(home=Path(home))) as opened:
                for start in range(0, len(made), 5_000):
                    await opened.vectors.write(TABLE, made[start : start + 5_000])
                await opened.vectors.settle(TABLE)
                everything = {row.document_id: 1 for row in made}
                tenth = {each: 1 for number, each in enumerate(everything) if number % 10 == 0}
                figures = {}
                for label, current in (("all", everything), ("one document in ten", tenth)):
                    found = interval(await shares(opened.vectors, queries, current))
                    against = f"comparing every row; {len(queries)} queries, [{found.low:.4f}, {found.high:.4f}]"
                    figures[f"{name}, {label}: recall@{K}"] = Figure(
                        found.value, "share", "higher", LEAST.get(name), against=against
                    )
        return figures
    finally:
        for limit, value in before.items():
            setattr(lance_index, limit, value)


async def run(keep: Path, seconds: float) -> dict[str, Figure]:
    folder = data("retrieval/cranfield").parent.parent
    settings = Settings(home=keep)
    try:
        pulled = Puller(settings).local(settings.models.embedding)
    except ModelNotPulled as error:
        skip(str(error))
    embedder = KeptEmbedder(OpenVinoEmbedder(pulled, settings.engines.threads), keep)
    try:
        named = list(documents(folder))
        texts = [text for _, each in named for text in each]
        vectors = await embedded(embedder, texts, seconds)
        asked = [query.text for name in ("cranfield", "cacm") for query in load(name, folder).queries]
        queries = list((await embedder.embed(asked, "query")).vectors)
    finally:
        await embedder.close()
    made = rows(named, vectors)
    figures = {"chunks": Figure(len(made), "sentences", "higher", against=f"embedded by {settings.models.embedding}")}
    for name, limits in INDEXES.items():
        figures |= await measured(made, queries, name, limits)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, help="folder of the vectors of earlier runs")
    parser.add_argument("--seconds", type=float, default=0.0, help="end when this has passed while embedding")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        figures = asyncio.run(run(options.keep or Path(made), options.seconds))
    report("vector_recall", figures)


if __name__ == "__main__":
    main()
