"""A library over a collection of any size: real stores under a home, documents in SQL, chunks of ``Clusters``.

The embedder only looks vectors up, so that the measurement covers everything except the embedding.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa

from _clusters import CHUNKS_A_DOCUMENT, DIMENSIONS, Clusters, Query
from mainspring import stores
from mainspring.core.errors import NotFound
from mainspring.core.settings import Settings, StoresSettings
from mainspring.engines.base import Embedded
from mainspring.rag.ingest.pipeline import Ingestor
from mainspring.rag.parse.parser import Parser
from mainspring.rag.search.retrieve import Retriever
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from mainspring.stores.schema import collections, documents
from mainspring.stores.sql import rows

NAME = "bench"
# Of so many documents one has the attribute's value 0: half, a tenth and so on are kept by a filter.
PARTS = {"half": 2, "tenth": 10, "hundredth": 100, "thousandth": 1000}
# One document in ten is for the staff alone.
STAFF = 3


class LookUp:
    """An embedder whose vectors are given for queries, and follow from the text otherwise."""

    name = "look-up"
    dimensions = DIMENSIONS
    max_tokens = 512
    fingerprint = "look-up"

    def __init__(self, queries: Sequence[Query]) -> None:
        self._known = {query.text: query.vector for query in queries}
        self.embedded = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 5 + 1 for text in texts]

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        del kind
        self.embedded += len(texts)
        return Embedded(np.stack([self._of(text) for text in texts]), 0)

    async def close(self) -> None:
        return None

    def _of(self, text: str) -> Any:
        known = self._known.get(text)
        if known is not None:
            return known
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        vector = np.random.default_rng(seed).normal(size=DIMENSIONS)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Scale:
    """One collection, and what searches and changes it."""

    stores: Stores
    collection: Collection
    retriever: Retriever
    ingestor: Ingestor
    embedder: LookUp


@asynccontextmanager
async def scale(home: Path, queries: Sequence[Query], postgres: str = "") -> AsyncIterator[Scale]:
    """The library at ``home``; made when there is none. ``postgres`` names a database for rows and vectors both."""
    kinds = StoresSettings(database=postgres, vectors="postgres") if postgres else StoresSettings()
    settings = Settings(home=home, stores=kinds)
    embedder = LookUp(queries)
    async with stores.open(settings) as opened:
        try:
            collection = await opened.collections.get("default", NAME, groups=frozenset())
        except NotFound:
            collection = await opened.collections.create("default", NAME, embedder=embedder.name)
        parser = Parser(settings.rag)
        shared = (opened.collections, opened.blobs, opened.vectors, embedder)
        try:
            retriever = Retriever(*shared, settings.rag)
            yield Scale(opened, collection, retriever, Ingestor(*shared, parser, settings.rag), embedder)
        finally:
            await parser.close()


async def fill(library: Scale, clusters: Clusters) -> Mapping[str, float]:
    """Write documents and chunks and settle; seconds of each part."""
    took = {"documents": 0.0, "chunks": 0.0, "settle": 0.0}
    started = time.perf_counter()
    for start in range(0, clusters.documents, 5_000):
        numbers = range(start, min(start + 5_000, clusters.documents))
        values = [_document(library.collection, clusters.name(number), number) for number in numbers]
        await library.stores.database.write(_inserting(values), durable=True)
    await library.stores.database.write(_bumping(library.collection), durable=True)
    took["documents"] = time.perf_counter() - started
    for batch in clusters.batches():
        started = time.perf_counter()
        await library.stores.vectors.write(library.collection.table, batch)
        took["chunks"] += time.perf_counter() - started
    started = time.perf_counter()
    await library.stores.vectors.settle(library.collection.table)
    took["settle"] = time.perf_counter() - started
    return took


def attributes(number: int) -> dict[str, int]:
    """Those of a document."""
    return {key: number % part for key, part in PARTS.items()}


def groups(number: int) -> frozenset[str]:
    """Who may see a document; empty: everyone."""
    return frozenset(["staff"] if number % 10 == STAFF else [])


def _inserting(values: list[dict[str, Any]]) -> Any:
    return lambda connection: connection.execute(sa.insert(documents), values)


def _bumping(collection: Collection) -> Any:
    bumped = sa.update(collections).where(collections.c.id == collection.id).values(version=collections.c.version + 1)
    return lambda connection: connection.execute(bumped)


def _document(collection: Collection, name: str, number: int) -> dict[str, Any]:
    read = rows.names(groups(number))
    return {
        "tenant": collection.tenant,
        "collection_id": collection.id,
        "id": name,
        "source_key": f"{name}.txt",
        "name": f"{name}.txt",
        "sha256": hashlib.sha256(name.encode()).hexdigest(),
        "generation": 1,
        "begun": 1,
        "status": "completed",
        "error": "",
        "chars": 1200 * CHUNKS_A_DOCUMENT,
        "chunks": CHUNKS_A_DOCUMENT,
        "pages": None,
        "parser": "text",
        "text_blob": "",
        "created_at": 1.0,
        "updated_at": 1.0,
        "attributes": rows.dump(attributes(number)),
        "groups": read,
        "read_groups": read,
    }
