"""Routes of traces: the latest requests, the spans of one, the models' input, the passages found."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.core.facts.calls import CallFacts
from mainspring.core.facts.opinions import VERDICT, ScoreFacts
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.types import Context, EventRecord
from mainspring.http.access import Access
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.rag.query.chunk_locations import ChunkPlace, Places
from mainspring.stores.events.log import EventLog
from mainspring.stores.events.questions import AskedQuestion, Questions
from mainspring.stores.monitoring.spans import SpanRow, Spans, TraceFilter, TraceRow
from mainspring.stores.sql.pages import Page

Filter = Annotated[str | None, Query(min_length=1, max_length=256)]
# In nanoseconds they must fit 64 bits.
Moment = Annotated[float | None, Query(ge=0, le=9e9, allow_inf_nan=False, description="Time in Unix seconds")]
Milliseconds = Annotated[
    float | None, Query(ge=0, le=1e9, allow_inf_nan=False, description="Minimum duration in milliseconds")
]
Dollars = Annotated[float | None, Query(ge=0, le=1e9, allow_inf_nan=False, description="Minimum cost in US dollars")]
Nanoseconds = Annotated[
    int | None, Query(ge=0, lt=2**63, description="Only traces that started before this `start_ns`")
]
Limit = Annotated[int, Query(ge=1, le=200)]
NANO = 1e9
MOST_CALLS = 100
MOST_FOUND = 500


def _asked(
    model: Filter = None,
    operation: Filter = None,
    status: Literal["error"] | None = None,
    least_ms: Milliseconds = None,
    since: Moment = None,
    until: Moment = None,
    least_usd: Dollars = None,
    before: Nanoseconds = None,
    key_id: Filter = None,
    session_id: Filter = None,
    answered: bool | None = None,
) -> TraceFilter:
    ends = [each for each in (before, None if until is None else round(until * NANO)) if each is not None]
    return TraceFilter(
        model=model,
        operation=operation,
        status=status,
        least_ns=None if least_ms is None else int(least_ms * 1e6),
        least_nanousd=None if least_usd is None else round(least_usd * NANO),
        since_ns=None if since is None else round(since * NANO),
        before_ns=min(ends, default=None),
        key_id=key_id,
        session_id=session_id,
        answered=answered,
    )


Asked = Annotated[TraceFilter, Depends(_asked)]


def router(spans: Spans, events: EventLog, questions: Questions, places: Places, access: Access) -> APIRouter:
    """The routes over the span store; an admin key sees what keys of its own tenant asked that are in no group which
    it is not in itself."""
    routes = APIRouter(route_class=JsonRoute, tags=["traces"], prefix="/v1/traces")
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("")
    async def list_traces(
        context: admins,
        wanted: Asked,
        limit: Limit = 50,
        q: Annotated[
            str | None, Query(min_length=1, max_length=256, description="Search words in the question")
        ] = None,
    ) -> HttpResponse:
        """The latest traces, newest first. For the next page, send the last row's `start_ns` as `before`. `q` is
        searched in the latest 2,000 records that contain it; the latest 500 matching traces are listed."""
        principal = context.principal
        if q is not None:
            named = await questions.traces(principal.tenant, principal.groups, q, MOST_FOUND)
            wanted = replace(wanted, traces=orjson.dumps(named).decode())
        # One more than the shown number tells whether there are more.
        found = await spans.traces(principal.tenant, principal.groups, wanted, limit + 1)
        rows = found[:limit]
        asked = await questions.of(principal.tenant, principal.groups, (each.root.trace_id for each in rows))
        data = [trace_body(each, asked.get(each.root.trace_id)) for each in rows]
        return json_response({"object": "list", "data": data, "has_more": len(found) > limit})

    @routes.get("/{trace_id}")
    async def get_trace(trace_id: str, context: admins) -> HttpResponse:
        """The spans of a trace in order of their start, and the verdicts of judges on its answers, if any. The
        question and the answer are in its events."""
        principal = context.principal
        found = await spans.seen(principal.tenant, principal.groups, trace_id)
        if not found:
            raise NotFound(
                f"the trace {trace_id!r} has no spans",
                remedy="Spans are sampled and kept for telemetry.span_retention_days",
                param="trace_id",
            )
        page = Page(limit=MOST_CALLS, order="asc")
        scores = await events.page(principal.tenant, page, groups=principal.groups, kind="score", trace_id=trace_id)
        verdicts = [
            verdict_body(each, facts) for each in scores.rows if (facts := ScoreFacts.of(each.facts)).metric == VERDICT
        ]
        spans_of = [span_body(span) for span in found]
        return json_response({"id": trace_id, "object": "trace", "spans": spans_of, "verdicts": verdicts})

    _sent(routes, events, access)
    _found(routes, events, places, access)
    return routes


def _sent(routes: APIRouter, events: EventLog, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/{trace_id}/prompt")
    async def get_prompt(trace_id: str, context: admins) -> HttpResponse:
        """The prompts of each model call in a trace, as the guards passed them. See
        `telemetry.store_prompts`."""
        principal = context.principal
        page = Page(limit=MOST_CALLS, order="asc")
        found = await events.page(principal.tenant, page, groups=principal.groups, kind="call", trace_id=trace_id)
        told = [prompt_body(each) for each in found.rows if each.content is not None]
        if not told:
            raise NotFound(
                f"no prompts are stored for the trace {trace_id!r}",
                remedy="Set telemetry.store_prompts; requests with `store: false` store none",
                param="trace_id",
            )
        return json_response({"id": trace_id, "object": "trace.prompt", "calls": told})


def _found(routes: APIRouter, events: EventLog, places: Places, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/{trace_id}/found")
    async def get_found(trace_id: str, context: admins) -> HttpResponse:
        """The chunks that a trace's searches found: document, page, heading and first words of each existing chunk
        that the key may read. Ranks and scores are in the `retrieval` events."""
        principal = context.principal
        page = Page(limit=MOST_CALLS, order="asc")
        events_of = await events.page(
            principal.tenant, page, groups=principal.groups, kind="retrieval", trace_id=trace_id
        )
        within: dict[str, None] = {}
        wanted: dict[str, set[str]] = {}
        for event in events_of.rows:
            facts = RetrievalFacts.of(event.facts)
            within |= dict.fromkeys(facts.collections)
            for hit in facts.hits:
                # A quotation by the graph alone is no chunk.
                if hit.chunk_id:
                    wanted.setdefault(hit.document_id, set()).add(hit.chunk_id)
        found = await places.of(principal, list(within), wanted)
        return json_response({"object": "list", "data": [place_body(name, place) for name, place in found.items()]})


def place_body(chunk_id: str, place: ChunkPlace) -> dict[str, Any]:
    """A chunk's place as JSON; for a document that was read again since, only its identity."""
    chunk, document = place.chunk, place.document
    return {
        "id": chunk_id,
        "object": "trace.found",
        "vector_store_id": place.collection.id,
        "vector_store_name": place.collection.name,
        "file_id": document.file_id or document.document_id,
        "document_id": document.document_id,
        "filename": document.name,
        "page": chunk.page if chunk else None,
        "heading": chunk.heading if chunk else "",
        "start": chunk.start if chunk else None,
        "end": chunk.end if chunk else None,
        "beginning": place.beginning(),
    }


def prompt_body(call: EventRecord) -> dict[str, Any]:
    """The input of one model call: `messages` and their rendering by the template (`rendered`), or `prompt`."""
    assert call.content is not None
    facts = CallFacts.of(call.facts)
    return {
        "id": call.id,
        "object": "trace.prompt.call",
        "span_id": facts.span_id or None,
        "model": facts.model or None,
        "created_at": call.at,
        "input_tokens": facts.prompt_tokens,
        **orjson.loads(call.content),
    }


def verdict_body(verdict: EventRecord, facts: ScoreFacts) -> dict[str, Any]:
    """The scores of a judged answer, from 0 to 1, and its judge; no texts."""
    return {
        "id": verdict.id,
        "object": "verdict",
        "answer_id": verdict.subject,
        "created_at": verdict.at,
        "application": facts.application,
        "judge": facts.judge,
        "scores": facts.scores,
        "claims": facts.claims,
        "supported": facts.supported,
    }


def trace_body(trace: TraceRow, asked: AskedQuestion | None = None) -> dict[str, Any]:
    """A trace in a list: its outermost span, the question, and the total cost of its model calls."""
    root = trace.root
    attributes = orjson.loads(root.attributes)
    return {
        "id": root.trace_id,
        "object": "trace",
        "started_at": root.start_ns / NANO,
        # A double holds Unix seconds to a fifth of a microsecond only; the comparison is exact.
        "start_ns": str(root.start_ns),
        "duration_ms": _milliseconds(root),
        "name": root.name,
        "operation": attributes.get("gen_ai.operation.name", root.name),
        "model": attributes.get("gen_ai.request.model"),
        "answered_by": attributes.get("gen_ai.response.model"),
        "answer_id": attributes.get("gen_ai.response.id"),
        "answered": attributes.get("mainspring.answered"),
        "question": asked.text if asked else None,
        "key_id": attributes.get("mainspring.key_id") or (asked.key_id if asked else None),
        "session_id": attributes.get("mainspring.session_id") or (asked.session_id if asked else None),
        "status": root.status,
        "error": attributes.get("error.type"),
        "ttft_ms": _thousandfold(attributes.get("mainspring.ttft_s")),
        "cache": attributes.get("mainspring.cache"),
        "input_tokens": attributes.get("gen_ai.usage.input_tokens", 0),
        "output_tokens": attributes.get("gen_ai.usage.output_tokens", 0),
        "cost_usd": trace.cost_nanousd / NANO,
        "spans": trace.spans,
    }


def span_body(span: SpanRow) -> dict[str, Any]:
    """A span as JSON: times in Unix seconds, durations in milliseconds."""
    return {
        "id": span.span_id,
        "object": "span",
        "parent_id": span.parent_id,
        "name": span.name,
        "started_at": span.start_ns / NANO,
        "start_ns": str(span.start_ns),
        "duration_ms": _milliseconds(span),
        "status": span.status,
        "attributes": orjson.loads(span.attributes),
    }


def _milliseconds(span: SpanRow) -> float:
    return (span.end_ns - span.start_ns) / 1e6


def _thousandfold(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3
