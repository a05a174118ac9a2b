"""Hybrid retrieval: vectors and BM25, fused, over the current generations of one or more collections."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache

from mainspring.engines.base import Embedder
from mainspring.errors import Conflict, InvalidRequest
from mainspring.rag import terms
from mainspring.settings import RagSettings
from mainspring.stores.blobs import Blobs
from mainspring.stores.collections import Collection, Collections
from mainspring.stores.documents import Document
from mainspring.stores.vectors import SearchHit, VectorStore

Filters = Mapping[str, Sequence[str]]
_FILTERS = ("document_id", "source_key", "file_id", "name")
_RRF_K = 60
# Parsed texts of documents that were shown lately are kept in memory, up to this many characters in all.
_TEXT_CHARACTERS = 20_000_000


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. ``source`` is its document's name, ``text`` is ``[start:end]`` of that document.

    ``score`` is the fused score in [0, 1]: comparable within one search only. ``dense_score`` is the cosine to
    the query and ``lexical_score`` the BM25 score (None: not found by words); ranks count from 1 among the
    candidates.
    """

    chunk_id: str
    document_id: str
    collection_id: str
    source: str
    text: str
    start: int
    end: int
    page: int | None
    heading: str
    score: float
    dense_score: float
    lexical_score: float | None
    dense_rank: int
    lexical_rank: int | None
    text_blob: str


class Retriever:
    """Searches collections that were embedded with ``embedder``."""

    def __init__(
        self,
        collections: Collections,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder,
        settings: RagSettings,
    ) -> None:
        self._collections = collections
        self._blobs = blobs
        self._vectors = vectors
        self._settings = settings
        self._texts: LRUCache[str, str] = LRUCache(_TEXT_CHARACTERS, getsizeof=len)
        self.embedder = embedder

    async def search(
        self,
        within: Collection | Sequence[Collection],
        query: str,
        k: int | None = None,
        filters: Filters | None = None,
    ) -> list[Hit]:
        """The best ``k`` (``rag.top_k``) chunks for ``query``, best first.

        ``filters`` keeps documents whose ``document_id``, ``source_key``, ``file_id`` or ``name`` is one of the
        values given. Raises ``InvalidRequest`` for an empty query or an unknown filter, ``Conflict`` where a
        collection was embedded with another model.
        """
        return (await self.candidates(within, query, k or self._settings.top_k, filters))[: k or self._settings.top_k]

    async def candidates(
        self,
        within: Collection | Sequence[Collection],
        query: str,
        k: int = 0,
        filters: Filters | None = None,
    ) -> list[Hit]:
        """All that was considered for ``search``: ``rag.candidates`` (or ``k``, if more) by vector and as many
        by words, best first."""
        if not query.strip():
            raise InvalidRequest("the query is empty", param="query")
        chosen = [within] if isinstance(within, Collection) else list(within)
        for collection in chosen:
            self._check(collection)
        vector = await self.vector(query)
        depth = max(k, self._settings.candidates)
        found = await asyncio.gather(*(self._found(collection, query, vector, depth, filters) for collection in chosen))
        pairs = [(collection, hit) for collection, hits in zip(chosen, found, strict=True) for hit in hits]
        return await self._ranked(query, pairs)

    async def vector(self, query: str) -> Any:
        """The query's embedding, float32 of shape (dimensions,)."""
        return (await self.embedder.embed([query], "query")).vectors[0]

    async def texts(self, hits: Sequence[Hit]) -> dict[str, str]:
        """The stored text of each document among ``hits``, by id, checked against its sha256."""
        found: dict[str, str] = {}
        for hit in hits:
            if hit.document_id in found:
                continue
            text = self._texts.get(hit.text_blob)
            if text is None:
                text = (await self._blobs.get(hit.text_blob)).decode()
                if len(text) <= _TEXT_CHARACTERS // 4:
                    self._texts[hit.text_blob] = text
            found[hit.document_id] = text
        return found

    def _check(self, collection: Collection) -> None:
        if collection.embedder != self.embedder.name:
            raise Conflict(
                f"collection {collection.name} was embedded with {collection.embedder}, not {self.embedder.name}",
                remedy="Set models.embedding to that model, or ingest the documents into a new collection",
            )

    async def _found(
        self, collection: Collection, query: str, vector: Any, k: int, filters: Filters | None
    ) -> list[SearchHit]:
        current = await self._collections.current(collection)
        if filters:
            wanted = _filtered(await self._collections.documents(collection), filters)
            current = {name: generation for name, generation in current.items() if name in wanted}
        return await self._vectors.search(collection.id, vector=vector, text=query, k=k, current=current)

    async def _ranked(self, query: str, pairs: Sequence[tuple[Collection, SearchHit]]) -> list[Hit]:
        hits = [hit for _, hit in pairs]
        scores = fuse(query, hits, self._settings)
        dense = _ranks([hit.dense if hit.dense is not None else -1.0 for hit in hits])
        lexical = _ranks([hit.lexical or 0.0 for hit in hits])
        documents = await self._documents(pairs)
        ranked = [
            Hit(
                chunk_id=hit.chunk_id,
                document_id=hit.document_id,
                collection_id=collection.id,
                source=documents[hit.document_id].name,
                text=hit.text,
                start=hit.start,
                end=hit.end,
                page=hit.page,
                heading=hit.heading,
                score=scores[number],
                dense_score=hit.dense or 0.0,
                lexical_score=hit.lexical,
                dense_rank=dense[number],
                lexical_rank=lexical[number] if hit.lexical is not None else None,
                text_blob=documents[hit.document_id].text_blob,
            )
            for number, (collection, hit) in enumerate(pairs)
            # A document that was removed or replaced since the search is no longer to be shown.
            if hit.document_id in documents and documents[hit.document_id].generation == hit.generation
        ]
        return sorted(ranked, key=lambda hit: (-hit.score, hit.chunk_id))

    async def _documents(self, pairs: Sequence[tuple[Collection, SearchHit]]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        homes = {hit.document_id: collection for collection, hit in pairs}
        for collection in {collection.id: collection for collection in homes.values()}.values():
            wanted = {name for name, home in homes.items() if home.id == collection.id}
            found.update(await self._collections.named(collection, wanted))
        return found


def fuse(query: str, hits: Sequence[SearchHit], settings: RagSettings) -> list[float]:
    """One score in [0, 1] for each candidate.

    ``convex``: ``dense_weight`` of the cosine, scaled from the worst to the best candidate, and the rest half of the
    BM25 score, scaled from 0 to the best, half of the share of the query's words that the chunk has, each weighted by
    its rarity among the candidates. ``rrf``: reciprocal ranks (k = 60) of cosine and BM25, weighted alike.
    """
    if not hits:
        return []
    dense = [hit.dense if hit.dense is not None else 0.0 for hit in hits]
    lexical = [hit.lexical or 0.0 for hit in hits]
    weight = settings.dense_weight
    if settings.fusion == "rrf":
        by_dense, by_lexical = _ranks(dense), _ranks(lexical)
        top = 1 / (_RRF_K + 1)
        return [
            (weight / (_RRF_K + a) + ((1 - weight) / (_RRF_K + b) if score else 0.0)) / top
            for a, b, score in zip(by_dense, by_lexical, lexical, strict=True)
        ]
    low, spread = min(dense), (max(dense) - min(dense)) or 1.0
    best = max(lexical) or 1.0
    asked = terms.content(query)
    contents = [terms.content(f"{hit.heading} {hit.text}") & asked for hit in hits]
    rare = terms.rarity(asked, contents)
    return [
        weight * (cosine - low) / spread + (1 - weight) * (score / best + terms.overlap(rare, words)) / 2
        for cosine, score, words in zip(dense, lexical, contents, strict=True)
    ]


def _ranks(scores: Sequence[float]) -> list[int]:
    order = sorted(range(len(scores)), key=lambda index: -scores[index])
    ranks = [0] * len(scores)
    for rank, index in enumerate(order, 1):
        ranks[index] = rank
    return ranks


def _filtered(documents: Sequence[Document], filters: Filters) -> set[str]:
    unknown = [name for name in filters if name not in _FILTERS]
    if unknown:
        raise InvalidRequest(
            f"documents cannot be filtered by {unknown[0]}", remedy=f"Use {', '.join(_FILTERS)}", param="filters"
        )
    return {
        document.document_id
        for document in documents
        if all(getattr(document, name) in values for name, values in filters.items())
    }
