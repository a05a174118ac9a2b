"""Feedback on answers, and what was recorded of a trace."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.errors import InvalidRequest, NotFound
from mainspring.gateway.access import Access
from mainspring.gateway.body import JsonRoute
from mainspring.gateway.respond import json_response
from mainspring.gateway.wire import Body
from mainspring.types import Context, EventRecord


class Facts(Protocol):
    """The event log."""

    async def append(self, *records: EventRecord) -> None: ...

    async def find(
        self,
        tenant: str,
        *,
        kind: str | None = None,
        subject: str | None = None,
        trace_id: str | None = None,
        limit: int = 100,
    ) -> list[EventRecord]: ...


class NewId(Protocol):
    def __call__(self, prefix: str) -> str: ...


class FeedbackBody(Body):
    """``POST /v1/feedback``: what a person thinks of an answer. ``edit`` is the answer as it should have been."""

    answer_id: Annotated[str, Field(min_length=1, max_length=128)]
    rating: Literal["up", "down"] | None = None
    edit: Annotated[str, Field(max_length=100_000)] | None = None
    comment: Annotated[str, Field(max_length=10_000)] | None = None
    consent: bool = False


def router(events: Facts, new_id: NewId, access: Access) -> APIRouter:
    """The feedback routes over the event log."""
    routes = APIRouter(route_class=JsonRoute, tags=["feedback"])
    chats = Annotated[Context, Depends(access("chat"))]
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.post("/v1/feedback", status_code=201)
    async def give_feedback(body: FeedbackBody, context: chats) -> HttpResponse:
        if body.rating is None and body.edit is None and body.comment is None:
            raise InvalidRequest("feedback needs a rating, an edit or a comment", param="rating")
        tenant = context.principal.tenant
        answers = await events.find(tenant, kind="answer", subject=body.answer_id, limit=1)
        if not answers:
            raise NotFound(f"no answer {body.answer_id!r} is recorded", param="answer_id")
        record = EventRecord(
            id=new_id("evt_"),
            at=time.time(),
            tenant=tenant,
            trace_id=answers[0].trace_id,
            kind="feedback",
            subject=body.answer_id,
            parent_id=answers[0].id,
            facts={"rating": body.rating, "comment": body.comment, "edited": body.edit is not None},
            content=body.edit,
            consent=body.consent,
        )
        await events.append(record)
        return json_response(event_body(record), status=201)

    @routes.get("/v1/events")
    async def list_events(
        context: admins, trace_id: str | None = None, answer_id: str | None = None, kind: str | None = None
    ) -> HttpResponse:
        found = await events.find(context.principal.tenant, kind=kind, subject=answer_id, trace_id=trace_id)
        return json_response({"object": "list", "data": [event_body(record) for record in found]})

    return routes


def event_body(record: EventRecord) -> dict[str, Any]:
    """An event as JSON."""
    return {
        "object": "event",
        "id": record.id,
        "created_at": record.at,
        "kind": record.kind,
        "subject": record.subject,
        "trace_id": record.trace_id,
        "parent_id": record.parent_id,
        "facts": dict(record.facts),
        "content": record.content,
        "consent": record.consent,
    }
