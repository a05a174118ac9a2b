"""Search as a product: hits with highlights, facets, a spelling suggestion, a summary, and the cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from mainspring.core.errors import NotFound, Unsupported
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Citation, Context, Message, Response
from mainspring.engines.base import Embedder
from mainspring.rag.answer.cite import cite
from mainspring.rag.answer.context import Sift, sifted
from mainspring.rag.answer.generate import AnswerWriter
from mainspring.rag.answer.verbatim import extract
from mainspring.rag.answer.write.first_sentence import Unwritten
from mainspring.rag.graph import citations as told
from mainspring.rag.graph.graphs import Graphs
from mainspring.rag.graph.results import GraphResult
from mainspring.rag.ingest.vocabulary import Vocabularies
from mainspring.rag.query.model import ModelAsk
from mainspring.rag.query.plan import PlanStep, QueryPlan, Steps
from mainspring.rag.query.understand import ASKING, MAX_TOKENS, QueryQuestion, Technique, Understanding
from mainspring.rag.search import facets, highlight, spelling
from mainspring.rag.search.filters import Filter
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.recommend import Recommended, Recommender
from mainspring.rag.search.retrieve import Retriever
from mainspring.rag.search.selection import SearchOptions, select
from mainspring.rag.search.similar import Similar
from mainspring.rag.text import terms
from mainspring.serving import Inspect
from mainspring.serving.admit import token_estimate
from mainspring.serving.guard.finished_text import FinishedTextRedactor
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.stores.documents.catalogue import Document
from mainspring.stores.documents.collections import Collection, Collections
from mainspring.stores.events.log import EventLog
from mainspring.telemetry.tracing import Span, Tracing

Summarising = Literal["extractive", "generative"]
_SUMMARY_SENTENCES, _SUMMARY_WORDS, _SUMMARISED_HITS = 4, 120, 8


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """The queries, and the options of their results.

    ``queries`` are fused with equal weights. ``facets`` names attributes, ``techniques`` apply to each query,
    ``spelling`` requests a suggestion without searching for it.
    """

    queries: tuple[str, ...]
    k: int
    filters: Filter | None = None
    options: SearchOptions = SearchOptions()
    techniques: tuple[Technique, ...] = ()
    facets: tuple[str, ...] = ()
    highlights: bool = True
    spelling: bool = False
    summary: Summarising | Literal["auto"] | None = None


@dataclass(frozen=True, slots=True)
class ShownHit:
    """A hit, the matched words as offsets into its text, and the part of it to show."""

    hit: Hit
    spans: tuple[highlight.Span, ...] = ()
    snippet: highlight.Snippet | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Text whose marks ``[n]`` are the citations' numbers."""

    kind: Summarising
    text: str
    citations: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The result of a search. ``queries`` are the searched ones, ``suggestion`` is the query without its misspellings
    (empty: none), ``walked`` the graph's result (None: not asked)."""

    queries: tuple[str, ...]
    hits: tuple[ShownHit, ...]
    facets: Mapping[str, Sequence[facets.FacetCount]] = field(default_factory=dict)
    suggestion: str = ""
    summary: Summary | None = None
    steps: tuple[PlanStep, ...] = ()
    walked: GraphResult | None = None


class Search:
    """Searches one collection for a caller. ``ask`` makes a chat model of a context, ``writer`` writes summaries (None:
    there is no chat model). ``grounded``: whether its model can be trusted with that if ``auto`` is asked for."""

    def __init__(
        self,
        collections: Collections,
        retriever: Retriever,
        recommender: Recommender,
        facts: EventLog,
        tracing: Tracing,
        *,
        ask: Callable[[Context], ModelAsk] | None = None,
        writer: AnswerWriter | None = None,
        grounded: bool = False,
        charged: ChargedModels | None = None,
        inspect: Inspect | None = None,
        redact: Callable[[str], str] | None = None,
        hiding: Callable[[Context], FinishedTextRedactor] | None = None,
        graphs: Graphs | None = None,
        vocabularies: Vocabularies | None = None,
        sift: Sift | None = None,
    ) -> None:
        self._collections = collections
        self._retriever = retriever
        self._recommender = recommender
        self._facts = facts
        self._tracing = tracing
        self._ask = ask
        self._writer = writer
        self._grounded = grounded and writer is not None
        self._charged = charged
        self._inspect = inspect
        self._redact = redact
        self._hiding = hiding
        self.graphs = graphs
        self._vocabularies = vocabularies or Vocabularies(retriever.scopes, retriever.text)
        self._sift = sift
        self._similar = Similar(retriever, self._vocabularies)
        self.understanding = Understanding(self._vocabularies, retriever.embedder)

    def written_by(self, ask: Callable[[Context], ModelAsk], writer: AnswerWriter | None, *, grounded: bool) -> None:
        """From now on these ask about queries and write answers."""
        self._ask, self._writer = ask, writer
        self._grounded = grounded and writer is not None

    @property
    def embedder(self) -> Embedder:
        """The model that searched collections are embedded with."""
        return self._retriever.embedder

    async def text(self, text_blob: str) -> str:
        """A document's parsed text. Raises ``NotFound`` if it was removed."""
        return await self._retriever.text(text_blob)

    def tokens(self, wanted: SearchRequest) -> int:
        """Tokens that models may read and write for it, estimated."""
        tokens = sum(token_estimate.text_tokens(query) for query in wanted.queries)
        if self._ask is not None and ASKING.intersection(wanted.techniques):
            tokens += MAX_TOKENS * len(wanted.queries)
        if self._writer is not None and self._kind(wanted) == "generative":
            tokens += self._writer.default_tokens + token_estimate.text_tokens(wanted.queries[0])
        return tokens

    async def search(self, context: Context, store: str, wanted: SearchRequest) -> SearchResult:
        """Raises ``NotFound`` for a collection that the principal may not see, ``InvalidRequest`` naming the faulty
        field, ``Unsupported`` if a model is needed and there is none."""
        collection = await self._collection(context, store)
        groups = context.principal.groups
        with self._tracing.span("search", context) as span:
            try:
                await self._guarded(wanted.queries, context, "query")
                plan = await self._plan(span.context, collection, wanted)
                steps = Steps(list(plan.steps))
                with steps.step("retrieve") as step:
                    candidates = await self._retriever.candidates(
                        collection,
                        plan.text,
                        wanted.k,
                        wanted.filters,
                        groups=groups,
                        plan=plan,
                        options=wanted.options,
                        context=span.context,
                        charged=self._charged,
                    )
                    step.changed, step.note = bool(candidates), f"{len(candidates)} candidates"
                walked = await self._walked(span.context, collection, plan, candidates, wanted, steps)
                candidates = candidates if walked is None else walked.hits
                hits = select(candidates, min(wanted.k, plan.top_k or wanted.k), wanted.options)
                found = SearchResult(
                    queries=tuple(query.text for query in plan.queries),
                    # Some fifty passages are tokenised and stemmed in a thread, so that the loop can serve others.
                    hits=await self._retriever.turns.to_thread(
                        collection.tenant, _all_shown, hits, plan, wanted.highlights
                    ),
                    facets=facets.facets(candidates, wanted.facets),
                    suggestion=await self._suggestion(collection, context, wanted, steps),
                    summary=await self._summary(span.context, plan, hits, candidates, wanted, steps),
                    steps=tuple(steps.done),
                    walked=walked,
                )
                _note(span, steps.done)
                return found if self._hiding is None else _hidden(found, self._hiding(context))
            finally:
                await self._settle(context)

    async def similar(
        self,
        context: Context,
        store: str,
        k: int,
        *,
        text: str | None = None,
        document_id: str = "",
        span: tuple[int, int] | None = None,
        filters: Filter | None = None,
    ) -> list[Hit]:
        """The documents most similar to ``text``, or to a document or its span ``[start:end]``."""
        collection = await self._collection(context, store)
        groups = context.principal.groups
        embedder = self._retriever.reading(await self._retriever.embedder_of(collection), context, self._charged)
        try:
            if text is not None:
                await self._guarded([text], context, "text")
                return await self._similar.to_text(
                    collection, text, k, groups=groups, filters=filters, embedder=embedder
                )
            return await self._similar.to_document(
                collection, document_id, k, groups=groups, span=span, filters=filters, embedder=embedder
            )
        finally:
            await self._settle(context)

    async def _guarded(self, texts: Sequence[str], context: Context, param: str) -> None:
        """Raises ``GuardRefused``."""
        if self._inspect is not None:
            await self._inspect(texts, context, param=param)

    async def recommend(
        self, context: Context, store: str, seeds: Sequence[str], k: int, min_support: int
    ) -> list[tuple[Recommended, Document]]:
        """Documents that people's conversations cited together with ``seeds``, or most often without any.

        Raises ``NotFound`` for a seed that the principal may not see.
        """
        collection = await self._collection(context, store)
        principal = context.principal
        allowed = (await self._retriever.scopes.of(collection, principal.groups)).current.keys()
        for seed in seeds:
            if seed not in allowed:
                raise NotFound(f"there is no document {seed} in {collection.name}", param="document_ids")
        found = await self._recommender.recommend(
            principal.tenant, seeds, allowed, k, groups=principal.groups, min_support=min_support
        )
        named = await self._retriever.scopes.named(collection, {each.document_id for each in found}, principal.groups)
        return [(each, named[each.document_id]) for each in found if each.document_id in named]

    async def _collection(self, context: Context, store: str) -> Collection:
        principal = context.principal
        collection = await self._collections.get(principal.tenant, store, groups=principal.groups)
        await self._collections.touch(collection)
        return collection

    async def _plan(self, context: Context, collection: Collection, wanted: SearchRequest) -> QueryPlan:
        ask = self._ask(context) if self._ask is not None else None
        groups = context.principal.groups
        plans = [
            await self.understanding.plan(
                QueryQuestion(query, [collection], groups, top_k=wanted.k), wanted.techniques, ask=ask
            )
            for query in wanted.queries
        ]
        if len(plans) == 1:
            return plans[0]
        queries = tuple(query for plan in plans for query in plan.queries)
        return QueryPlan(queries, tuple(step for plan in plans for step in plan.steps))

    async def _walked(
        self,
        context: Context,
        collection: Collection,
        plan: QueryPlan,
        candidates: Sequence[Hit],
        wanted: SearchRequest,
        steps: Steps,
    ) -> GraphResult | None:
        mode = wanted.options.graph
        if mode == "off":
            return None
        if self.graphs is None:
            raise Unsupported("this search has no graphs", param="options.graph")
        with steps.step("graph") as step:
            graphs, charged = self.graphs, self._charged
            if charged is not None:
                graphs = graphs.charged(context, charged)
            found = await graphs.find(
                mode,
                collection,
                plan.text,
                candidates,
                wanted.k,
                groups=context.principal.groups,
                filters=wanted.filters,
            )
            ask = self._ask(context) if self._ask is not None and wanted.summary == "generative" else None
            if found.themes and ask is not None and ask.capable:
                found = replace(found, themes=await told.summarised(found.themes, ask, step, MAX_TOKENS))
            step.changed, step.note = bool(found.paths or found.themes), told.steps(found)
        return found

    async def _suggestion(self, collection: Collection, context: Context, wanted: SearchRequest, steps: Steps) -> str:
        if not wanted.spelling:
            return ""
        with steps.step("suggest") as step:
            vocabulary = await self._vocabularies.of([collection], context.principal.groups)
            count = self._retriever.embedder.count_tokens
            text, corrections = await asyncio.to_thread(spelling.correct, wanted.queries[0], vocabulary, count)
            step.changed = bool(corrections)
            return text if corrections else ""

    async def _summary(
        self,
        context: Context,
        plan: QueryPlan,
        hits: Sequence[Hit],
        candidates: Sequence[Hit],
        wanted: SearchRequest,
        steps: Steps,
    ) -> Summary | None:
        kind = self._kind(wanted)
        if kind is None:
            return None
        if kind == "generative" and self._writer is None:
            raise Unsupported("no chat model is loaded to write summaries", param="summary")
        with steps.step("summary") as step:
            shown = hits[:_SUMMARISED_HITS]
            texts = await self._retriever.texts(shown)
            embedder = self._retriever.reading(self._retriever.embedder, context, self._charged)
            vector = (await embedder.embed([plan.text], "query")).vectors[0]
            passages = await extract.passages(plan.text, shown, candidates, texts, embedder, vector)
            step.changed = bool(passages)
            if kind == "generative" and self._writer is not None and passages:
                told = plan.text if self._redact is None else self._redact(plan.text)
                request = ChatRequest("", (Message("user", told),), store=False)
                reading = await self._writer.read(request, told, shown, passages, texts)
                if self._sift is not None:
                    reading = await sifted(reading, self._sift, context)
                writing: Response | Unwritten = Unwritten.QUOTED
                if reading.sources:
                    writing = await self._writer.write(request, told, reading, passages, texts, context)
                if isinstance(writing, Response):
                    answer = await collect(writing)
                    step.tokens = answer.usage.total_tokens
                    return Summary("generative", answer.text, tuple(answer.citations))
            return _extracted(passages, texts)

    def _kind(self, wanted: SearchRequest) -> Summarising | None:
        if wanted.summary == "auto":
            return "generative" if self._grounded else "extractive"
        return wanted.summary

    async def _settle(self, context: Context) -> None:
        """Write down what models were asked: no request ring is around a search."""
        records = context.settlement.records
        if records:
            waiting = list(records)
            records.clear()
            await self._facts.append(*waiting)


def _all_shown(hits: Sequence[Hit], plan: QueryPlan, highlights: bool) -> tuple[ShownHit, ...]:
    if not highlights:
        return tuple(map(ShownHit, hits))
    asked = frozenset(word for query in plan.queries for word in terms.content(query.text))
    shown = [highlight.shown(asked, hit.text) for hit in hits]
    return tuple(ShownHit(hit, tuple(spans), snippet) for hit, (spans, snippet) in zip(hits, shown, strict=True))


def _extracted(passages: Sequence[extract.Passage], texts: Mapping[str, str]) -> Summary:
    """The best sentences, each with its number."""
    chosen = extract.choose(passages, max_sentences=_SUMMARY_SENTENCES, max_words=_SUMMARY_WORDS)
    citations = [cite(number, passage, texts[passage.hit.document_id]) for number, passage in enumerate(chosen, 1)]
    text = " ".join(f"{passage.text} [{number}]" for number, passage in enumerate(chosen, 1))
    return Summary("extractive", text, tuple(citations))


def _hidden(found: SearchResult, hiding: FinishedTextRedactor) -> SearchResult:
    """Text about the documents is redacted like an answer; the hits are the documents themselves."""
    summary = found.summary
    if summary is not None:
        quotes = tuple(replace(each, quote=hiding(each.quote)) for each in summary.citations)
        summary = replace(summary, text=hiding(summary.text), citations=quotes)
    walked = None if found.walked is None else found.walked.worded(hiding)
    hiding.note()
    return replace(found, summary=summary, walked=walked)


def _note(span: Span, steps: Sequence[PlanStep]) -> None:
    for step in steps:
        span.set(f"mainspring.search.{step.name}.ms", round(step.milliseconds, 3))
        if step.tokens:
            span.set(f"mainspring.search.{step.name}.tokens", step.tokens)
