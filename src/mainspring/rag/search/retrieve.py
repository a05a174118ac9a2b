"""Hybrid retrieval: vectors and BM25, fused, over the current generations of one or more collections.

Every search says for which groups it is made: documents that they may not see are not searched, not counted and not
named. ``groups=None`` is for maintenance and measurements, never for callers.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as AnyCollection
from dataclasses import replace
from typing import Any

import numpy as np
from cachetools import LRUCache

from mainspring.core.settings import RagSettings
from mainspring.core.types import Context
from mainspring.engines.base import COMPUTES_HERE, Embedder, Reranker
from mainspring.engines.encode.embedders import Embedders, embedders_of
from mainspring.rag.query.plan import Query, QueryPlan
from mainspring.rag.query.query_results import best_of, embedded, fused, key, mean
from mainspring.rag.query.vector_memo import CachingEmbedder
from mainspring.rag.search import filters as filtering
from mainspring.rag.search.fusion import combine, fuse, ranks
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.rerank import rerank
from mainspring.rag.search.scope import Groups, Scope, Scopes
from mainspring.rag.search.selection import SearchOptions, decay, select
from mainspring.rag.tenant_turns import TenantTurns
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.vectors.base import ChunkRow, SearchHit, Stages, VectorStore
from mainspring.telemetry.tracing import OPERATION, Span, Tracing, span_of

__all__ = ["Filters", "Groups", "Hit", "Retriever", "fuse"]

Filters = Mapping[str, Any] | filtering.Filter
"""A filter, or what ``filters.parse`` reads."""
# Parsed texts of documents that were shown lately are kept in memory, up to this many characters in all.
_TEXT_CHARACTERS = 20_000_000
_DEFAULT = SearchOptions()


class Retriever:
    """Searches collections, each with the embedder that its vectors are of.

    ``embedder`` is the default one: sentences and token counts are by it, whatever the collection's. ``remembered`` is
    it too, and keeps the vectors of questions and sentences.
    """

    def __init__(
        self,
        collections: Collections,
        blobs: Blobs,
        vectors: VectorStore,
        embedder: Embedder | Embedders,
        settings: RagSettings,
        reranker: Reranker | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self._blobs = blobs
        self._vectors = vectors
        self._settings = settings
        self._texts: LRUCache[str, str] = LRUCache(_TEXT_CHARACTERS, getsizeof=len)
        self.scopes = Scopes(collections)
        self.embedders = embedders_of(embedder)
        self.embedder = self.embedders.default
        self.remembered = CachingEmbedder(self.embedder)
        self.reranker = reranker
        self.turns = TenantTurns()

    def with_reranker(self, reranker: Reranker) -> Retriever:
        """This one, with another reranker; all else is shared."""
        other = copy.copy(self)
        other.reranker = reranker
        return other

    async def search(
        self,
        within: Collection | Sequence[Collection],
        query: str,
        k: int | None = None,
        filters: Filters | None = None,
        *,
        groups: Groups,
        plan: QueryPlan | None = None,
        options: SearchOptions = _DEFAULT,
    ) -> list[Hit]:
        """The best ``k`` (``rag.top_k``) chunks for ``query``, best first, as ``options`` select them.

        Raises ``InvalidRequest`` for an empty query or a wrong filter, and what ``Embedders.get`` raises if the
        model of a collection is not at hand.
        """
        k = k or self._settings.top_k
        found = await self.candidates(within, query, k, filters, groups=groups, plan=plan, options=options)
        return select(found, k, options)

    async def candidates(
        self,
        within: Collection | Sequence[Collection],
        query: str,
        k: int = 0,
        filters: Filters | None = None,
        *,
        groups: Groups,
        plan: QueryPlan | None = None,
        options: SearchOptions = _DEFAULT,
        context: Context | None = None,
        charged: ChargedModels | None = None,
        worth: Callable[[Sequence[Hit]], bool] | None = None,
    ) -> list[Hit]:
        """All that was considered for ``search``: ``rag.candidates`` (or ``k``, if more) by vector and as many
        by words, for each query of ``plan`` (None: ``query`` alone), best first. A reranker that asks a model does so
        within ``context``, and what ``charged`` makes of models is charged to it. What is not ``worth`` it (None: all
        is) is not reranked."""
        with span_of(self._tracing, "retrieve", context, **{OPERATION: "retrieval"}) as span:
            found = await self._candidates(
                within, query, k, filters, groups, plan, options, context and span.context, charged, worth, span
            )
            span.set("mainspring.candidates", len(found))
            return found

    async def _candidates(
        self,
        within: Collection | Sequence[Collection],
        query: str,
        k: int,
        filters: Filters | None,
        groups: Groups,
        plan: QueryPlan | None,
        options: SearchOptions,
        context: Context | None,
        charged: ChargedModels | None,
        worth: Callable[[Sequence[Hit]], bool] | None,
        span: Span,
    ) -> list[Hit]:
        plan = QueryPlan.of(query) if plan is None else plan.checked()
        chosen = [within] if isinstance(within, Collection) else list(within)
        tree = filtering.parse(filters)
        async with self.turns.of(chosen[0].tenant if chosen else ""):
            scopes, vectors = await asyncio.gather(
                asyncio.gather(*(self.scopes.of(collection, groups, tree) for collection in chosen)),
                self._vectors_of(plan, options, chosen, context, charged),
            )
            depth = options.depth(k, self._settings.candidates)
            found = [{name: each[number] for name, each in vectors.items()} for number in range(len(plan.queries))]
            rounds = await asyncio.gather(
                *(
                    self._round(scopes, query, vector, depth, options, span)
                    for query, vector in zip(plan.queries, found, strict=True)
                )
            )
            with span_of(self._tracing, "fuse", context):
                ranked = await self._ranked(plan, rounds, options, groups)
            if self.reranker is None or not options.rerank or options.mode == "sparse":
                return ranked
            if worth is not None and not worth(ranked):
                return ranked
            if getattr(self.reranker, COMPUTES_HERE, False):
                return await self._reread(self.reranker, plan, ranked, context, charged)
        return await self._reread(self.reranker, plan, ranked, context, charged)

    async def _reread(
        self,
        reranker: Reranker,
        plan: QueryPlan,
        ranked: Sequence[Hit],
        context: Context | None,
        charged: ChargedModels | None,
    ) -> list[Hit]:
        """One that computes in this process does so within the tenant's turn; others would hold it while they wait."""
        with span_of(self._tracing, "rerank", context) as reading:
            context = context and reading.context
            bound = getattr(reranker, "within", None)
            chosen = bound(context) if bound is not None and context is not None else reranker
            if bound is None and context is not None and charged is not None:
                chosen = charged.reranker(chosen, context)
            return await rerank(chosen, plan.queries[0].text, ranked, self._settings)

    def reading(
        self, embedder: Embedder, context: Context | None = None, charged: ChargedModels | None = None
    ) -> Embedder:
        """``embedder`` for one request: the embedder that ``charged`` makes charges ``context``, and does not read
        texts again that the default one has read for the same tenant."""
        inner = embedder if context is None or charged is None else charged.embedder(embedder, context)
        if embedder is not self.embedder:
            return inner
        return self.remembered if context is None else self.remembered.of(context.principal.tenant, inner)

    async def texts(self, hits: Sequence[Hit]) -> dict[str, str]:
        """The stored text of each document among ``hits``, by id, checked against its sha256."""
        found: dict[str, str] = {}
        for hit in hits:
            if hit.document_id not in found:
                found[hit.document_id] = await self.text(hit.text_blob)
        return found

    async def text(self, text_blob: str) -> str:
        """The parsed text that the blob holds. Raises ``NotFound`` if its document was removed."""
        text = self._texts.get(text_blob)
        if text is None:
            text = (await self._blobs.get(text_blob)).decode()
            if len(text) <= _TEXT_CHARACTERS // 4:
                self._texts[text_blob] = text
        return text

    async def embedder_of(self, collection: Collection) -> Embedder:
        """The model of the collection's vectors. Raises what ``Embedders.get`` raises."""
        return await self.embedders.get(collection.embedder, f"collection {collection.name}")

    async def chunks(
        self,
        collection: Collection,
        wanted: Mapping[str, AnyCollection[str]],
        query: str,
        *,
        groups: Groups,
        read_by: Callable[[Embedder], Embedder] | None = None,
    ) -> list[Hit]:
        """The chunks with these ids, of some hundred documents at most, as hits without a search score (0) but with
        their cosine to ``query``: current ones that ``groups`` may see."""
        scope = await self.scopes.of(collection, groups)
        current = {name: scope.current[name] for name in wanted if name in scope.current}
        if not current:
            return []
        embedder = await self.embedder_of(collection)
        embedder = self.reading(embedder) if read_by is None else read_by(embedder)
        vector = (await embedder.embed([query], "query")).vectors[0]
        rows, documents = await asyncio.gather(
            self._vectors.read(collection.table, current), self.scopes.named(collection, current, groups)
        )
        found = []
        for row in rows:
            document = documents.get(row.document_id)
            if row.chunk_id in wanted[row.document_id] and document and document.generation == row.generation:
                dense = float(np.asarray(row.vector) @ vector)
                hit = SearchHit(
                    row.chunk_id,
                    row.document_id,
                    row.generation,
                    row.text,
                    row.start,
                    row.end,
                    row.page,
                    row.heading,
                    dense,
                    parent_start=row.parent_start,
                    parent_end=row.parent_end,
                )
                found.append(_hit(scope, hit, document, 0.0, 0, 0))
        return found

    async def spans(self, collection: Collection, current: Mapping[str, int]) -> dict[str, list[ChunkRow]]:
        """The chunks of these generations, some hundred documents at most, by document; for maintenance."""
        found: dict[str, list[ChunkRow]] = {}
        for row in await self._vectors.read(collection.table, current):
            found.setdefault(row.document_id, []).append(row)
        return found

    async def _vectors_of(
        self,
        plan: QueryPlan,
        options: SearchOptions,
        chosen: Sequence[Collection],
        context: Context | None,
        charged: ChargedModels | None,
    ) -> dict[str, list[Any]]:
        """The vector of each query by each embedder of ``chosen``, by its name; None in sparse mode."""
        names = {collection.embedder: collection for collection in chosen}
        if options.mode == "sparse":
            return {name: [None] * len(plan.queries) for name in names}
        asked = list({query.dense or query.text: None for query in plan.queries if query.vector is None})
        passages = list({text: None for query in plan.queries if query.vector is None for text in query.passages})
        found = {}
        with span_of(self._tracing, "embed query", context) as span:
            for name, collection in names.items():
                reader = self.reading(await self.embedder_of(collection), context and span.context, charged)
                each = await asyncio.gather(embedded(reader, asked, "query"), embedded(reader, passages, "passage"))
                found[name] = [mean(query, *each) for query in plan.queries]
        return found

    async def _round(
        self,
        scopes: Sequence[Scope],
        query: Query,
        vectors: Mapping[str, Any],
        depth: int,
        options: SearchOptions,
        span: Span,
    ) -> list[tuple[Scope, SearchHit]]:
        """The results of one query in all collections."""
        stages: Stages = []
        text = None if options.mode == "dense" else (query.lexical or query.text)
        found = await asyncio.gather(
            *(
                self._vectors.search(
                    scope.collection.table,
                    vector=vectors[scope.collection.embedder],
                    text=text,
                    k=depth,
                    current=scope.current,
                    effort=options.effort,
                    stages=stages,
                )
                for scope in scopes
            )
        )
        for stage in stages:
            span.past(*stage)
        return [(scope, hit) for scope, hits in zip(scopes, found, strict=True) for hit in hits]

    async def _ranked(
        self,
        plan: QueryPlan,
        rounds: Sequence[Sequence[tuple[Scope, SearchHit]]],
        options: SearchOptions,
        groups: Groups,
    ) -> list[Hit]:
        settings = self._settings.model_copy(
            update={
                name: value
                for name, value in (("fusion", options.fusion), ("dense_weight", options.dense_weight))
                if value is not None
            }
        )
        scored = [
            dict(zip(map(key, pairs), fused(query.text, pairs, settings, options.mode), strict=True))
            for query, pairs in zip(plan.queries, rounds, strict=True)
        ]
        scores = combine([query.weight for query in plan.queries], scored, settings.fusion)
        best = best_of(rounds)
        dense = ranks([hit.dense if hit.dense is not None else -1.0 for _, hit in best])
        lexical = ranks([hit.lexical or 0.0 for _, hit in best])
        documents = await self._documents(best, groups)
        half_life = self._settings.half_life_days if options.half_life_days is None else options.half_life_days
        now = time.time()
        ranked = []
        for number, (scope, hit) in enumerate(best):
            document = documents.get(hit.document_id)
            # A document that was removed, replaced or closed to these groups meanwhile is no longer to be shown.
            if document is None or document.generation != hit.generation:
                continue
            score = scores[key((scope, hit))] * decay(now - _modified(document), half_life)
            made = _hit(scope, hit, document, score, dense[number], lexical[number])
            ranked.append(replace(made, foreign=scope.collection.embedder != self.embedders.default.name))
        return sorted(ranked, key=lambda hit: (-hit.score, hit.chunk_id))

    async def _documents(self, pairs: Sequence[tuple[Scope, SearchHit]], groups: Groups) -> dict[str, Document]:
        found: dict[str, Document] = {}
        homes = {hit.document_id: scope.collection for scope, hit in pairs}
        for collection in {collection.id: collection for collection in homes.values()}.values():
            wanted = {name for name, home in homes.items() if home.id == collection.id}
            found.update(await self.scopes.named(collection, wanted, groups))
        return found


def _modified(document: Document) -> float:
    return document.updated_at if document.modified_at is None else document.modified_at


def _hit(scope: Scope, hit: SearchHit, document: Document, score: float, dense_rank: int, lexical_rank: int) -> Hit:
    return Hit(
        chunk_id=hit.chunk_id,
        document_id=hit.document_id,
        collection_id=scope.collection.id,
        source=document.name,
        text=hit.text,
        start=hit.start,
        end=hit.end,
        page=hit.page,
        heading=hit.heading,
        score=score,
        dense_score=hit.dense or 0.0,
        lexical_score=hit.lexical,
        dense_rank=dense_rank,
        lexical_rank=lexical_rank if hit.lexical is not None else None,
        text_blob=document.text_blob,
        attributes=document.attributes,
        modified_at=_modified(document),
        parent_start=hit.parent_start,
        parent_end=hit.parent_end,
        file_id=document.file_id,
    )
