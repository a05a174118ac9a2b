"""Routes that find: search in a vector store, documents that are alike, recommendations."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import DeadlineExceeded, InvalidRequest
from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Table
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, while_connected
from mainspring.rag.graph.results import Path
from mainspring.rag.query.plan import PlanStep
from mainspring.rag.query.understand import REWRITING, techniques
from mainspring.rag.search import filters
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.recommend import Recommended
from mainspring.rag.search.search_service import Search, SearchRequest, SearchResult, ShownHit
from mainspring.rag.search.selection import SearchOptions
from mainspring.serving.admit.rate_limits import Charge
from mainspring.stores.documents.catalogue import Document

T = TypeVar("T")
Text = Annotated[str, Field(min_length=1, max_length=8192)]
Facet = Annotated[str, Field(min_length=1, max_length=64)]
Identifier = Annotated[str, Field(min_length=1, max_length=128)]
Weight = Annotated[float, Field(ge=0, le=1)]
Some = Annotated[int, Field(ge=1, le=50)]
Filters = Annotated[
    Table[Any] | None,
    Field(description="OpenAI's filters: eq, ne, gt, gte, lt, lte, in, nin over attributes, joined by and, or"),
]


class HybridBody(Body):
    """How much meaning and words count against each other."""

    embedding_weight: Weight
    text_weight: Weight


class RankingBody(Body):
    """``ranking_options`` of a search."""

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: Weight = 0.0
    hybrid_search: HybridBody | None = None


class SearchBody(Body):
    """``POST /v1/vector_stores/{id}/search``. The fields from ``options`` on extend OpenAI's."""

    query: Text | Annotated[tuple[Text, ...], Field(min_length=1, max_length=8, fail_fast=True)]
    max_num_results: Some = 10
    filters: Filters = None
    ranking_options: RankingBody | None = None
    rewrite_query: Annotated[bool, Field(description="Correct misspellings and spell acronyms out")] = False
    options: Annotated[
        Table[Any],
        Field(
            description="mode, effort, fusion, dense_weight, half_life_days, mmr_lambda, score_threshold, adaptive_k, "
            "rerank, graph"
        ),
    ] = Field(default_factory=dict)
    techniques: Annotated[tuple[str, ...], Field(max_length=16, fail_fast=True)] = ()
    facets: Annotated[tuple[Facet, ...], Field(max_length=16, fail_fast=True)] = ()
    highlights: bool = True
    spelling: Annotated[bool, Field(description="Suggest the query without its misspellings")] = False
    summary: Literal["extractive", "generative"] | None = None
    summarize: Annotated[bool, Field(description="A summary: written by a grounded model if any, else extracted")] = (
        False
    )


class SimilarBody(Body):
    """``POST /v1/vector_stores/{id}/similar``: like a text, or a document, or ``start`` to ``end`` of one."""

    text: Annotated[str, Field(min_length=1, max_length=100_000)] | None = None
    document_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    start: Annotated[int, Field(ge=0, le=2**53)] | None = None
    end: Annotated[int, Field(ge=1, le=2**53)] | None = None
    max_num_results: Some = 10
    filters: Filters = None


class RecommendationsBody(Body):
    """``POST /v1/vector_stores/{id}/recommendations``: what goes with these documents, or is most used."""

    document_ids: Annotated[tuple[Identifier, ...], Field(max_length=50, fail_fast=True)] = ()
    max_num_results: Some = 10
    min_support: Annotated[int, Field(ge=2, le=1000, description="Sessions that must say so")] = 2


def router(searching: Search, access: Access, charge: Charge) -> APIRouter:
    """The finding routes over ``searching``; each is a request to the key's limits."""
    routes = APIRouter(route_class=JsonRoute, tags=["vector stores"], prefix="/v1/vector_stores")
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/{store_id}/search")
    async def search(http: HttpRequest, store_id: str, body: SearchBody, context: chats) -> HttpResponse:
        asked = wanted(body)
        async with charge(context, searching.tokens(asked)):
            found = await _in_time(http, context, lambda: searching.search(context, store_id, asked))
        page = _page([_shown(each) for each in found.hits]) | _extras(found, body)
        return json_response(page, charge.headers(context.principal))

    @routes.post("/{store_id}/similar")
    async def similar(http: HttpRequest, store_id: str, body: SimilarBody, context: chats) -> HttpResponse:
        if (body.text is None) == (body.document_id is None):
            raise InvalidRequest("give either a text or a document_id", param="document_id")
        span = None
        if body.start is not None or body.end is not None:
            if body.document_id is None or body.start is None or body.end is None or body.start >= body.end:
                raise InvalidRequest("start and end are a span of the document", param="start")
            span = (body.start, body.end)
        tree = filters.parse(body.filters)
        async with charge(context, 0):
            hits = await _in_time(
                http,
                context,
                lambda: searching.similar(
                    context,
                    store_id,
                    body.max_num_results,
                    text=body.text,
                    document_id=body.document_id or "",
                    span=span,
                    filters=tree,
                ),
            )
        return json_response(_page([_hit(hit) for hit in hits]), charge.headers(context.principal))

    @routes.post("/{store_id}/recommendations")
    async def recommendations(
        http: HttpRequest, store_id: str, body: RecommendationsBody, context: chats
    ) -> HttpResponse:
        ids, most, support = body.document_ids, body.max_num_results, body.min_support
        async with charge(context, 0):
            found = await _in_time(http, context, lambda: searching.recommend(context, store_id, ids, most, support))
        rows = [_recommended(*each) for each in found]
        page = {"object": "list", "data": rows, "has_more": False}
        return json_response(page, charge.headers(context.principal))

    return routes


async def _in_time(http: HttpRequest, context: Context, work: Callable[[], Awaitable[T]]) -> T:
    """The result of ``work``, which is cancelled at the request's deadline or when the client leaves."""
    try:
        async with asyncio.timeout(context.remaining()):
            return await while_connected(http, work())
    except TimeoutError:
        raise DeadlineExceeded("the search took longer than the request has time") from None


def wanted(body: SearchBody) -> SearchRequest:
    """The search that a body asks for. Raises ``InvalidRequest`` and ``Unsupported`` naming the field."""
    ranking = body.ranking_options or RankingBody()
    options = dict(body.options)
    if ranking.ranker != "auto":
        options["rerank"] = ranking.ranker != "none"
    if ranking.score_threshold:
        options["score_threshold"] = ranking.score_threshold
    if ranking.hybrid_search is not None:
        options["dense_weight"] = _dense_weight(ranking.hybrid_search)
    names = techniques(body.techniques)
    if body.rewrite_query:
        names = techniques([*REWRITING, *names])
    return SearchRequest(
        queries=(body.query,) if isinstance(body.query, str) else body.query,
        k=body.max_num_results,
        filters=filters.parse(body.filters),
        options=SearchOptions.parse(options),
        techniques=names,
        facets=body.facets,
        highlights=body.highlights,
        spelling=body.spelling,
        summary=body.summary or ("auto" if body.summarize else None),
    )


def _dense_weight(hybrid: HybridBody) -> float:
    total = hybrid.embedding_weight + hybrid.text_weight
    if total == 0:
        raise InvalidRequest("one of the weights must be above 0", param="ranking_options.hybrid_search")
    return hybrid.embedding_weight / total


def _page(data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "vector_store.search_results.page", "data": data, "has_more": False, "next_page": None}


def _extras(found: SearchResult, body: SearchBody) -> dict[str, Any]:
    extras: dict[str, Any] = {"search_query": list(found.queries), "steps": [_step(step) for step in found.steps]}
    if body.facets:
        extras["facets"] = {
            name: [{"value": each.value, "count": each.documents} for each in counts]
            for name, counts in found.facets.items()
        }
    if body.spelling:
        extras["suggestion"] = found.suggestion or None
    if found.walked is not None:
        extras["graph"] = {
            "paths": [_path(each) for each in found.walked.paths],
            "themes": [asdict(each) for each in found.walked.themes],
        }
    if found.summary is not None:
        extras["summary"] = {
            "kind": found.summary.kind,
            "text": found.summary.text,
            "citations": [asdict(citation) for citation in found.summary.citations],
        }
    return extras


def _path(path: Path) -> dict[str, Any]:
    return asdict(path) | {"text": path.text()}


def _step(step: PlanStep) -> dict[str, Any]:
    return asdict(step) | {"milliseconds": round(step.milliseconds, 3)}


def _shown(shown: ShownHit) -> dict[str, Any]:
    row = _hit(shown.hit)
    if shown.snippet is not None:
        snippet = shown.snippet
        row["highlights"] = [{"start": start, "end": end} for start, end in shown.spans]
        row["snippet"] = {
            "text": shown.hit.text[snippet.start : snippet.end],
            "start": snippet.start,
            "end": snippet.end,
            "highlights": [
                {"start": start - snippet.start, "end": end - snippet.start} for start, end in snippet.spans
            ],
        }
    return row


def _hit(hit: Hit) -> dict[str, Any]:
    place = {"page": hit.page, "heading": hit.heading, "start": hit.start, "end": hit.end}
    return {
        "file_id": hit.file_id or hit.document_id,
        "filename": hit.source,
        "score": hit.score,
        "attributes": {name: value for name, value in place.items() if value is not None} | dict(hit.attributes),
        "content": [{"type": "text", "text": hit.text}],
        "document_id": hit.document_id,
        "chunk_id": hit.chunk_id,
        "modified_at": hit.modified_at,
        "ranking": {
            "dense": {"rank": hit.dense_rank, "score": hit.dense_score},
            "lexical": {"rank": hit.lexical_rank, "score": hit.lexical_score},
            "rerank_score": hit.rerank_score,
        },
        **place,
    }


def _recommended(recommended: Recommended, document: Document) -> dict[str, Any]:
    return {
        "document_id": document.document_id,
        "file_id": document.file_id or document.document_id,
        "filename": document.name,
        "score": recommended.score,
        "support": recommended.support,
        "attributes": dict(document.attributes),
    }
