"""Feedback on answers, and the records of a trace."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import AfterValidator, Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import Context, EventRecord, Principal
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey, makes
from mainspring.http.openai.response_ids import answer_id as answer_of
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.events.log import EventLog
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.sql.pages import Page

Filter = Annotated[str | None, Query(min_length=1, max_length=128)]


class FeedbackBody(Body):
    """``POST /v1/feedback``: a person's opinion of an answer. ``edit`` is the corrected answer."""

    answer_id: Annotated[str, Field(min_length=1, max_length=128), AfterValidator(answer_of)]
    rating: Literal["up", "down"] | None = None
    edit: Annotated[str, Field(max_length=100_000)] | None = None
    comment: Annotated[str, Field(max_length=10_000)] | None = None
    consent: bool = False


PREFIX = "evt_"


def router(
    events: EventLog, new_id: Callable[[str], str], access: Access, idempotency: Idempotency, quotas: Quotas
) -> APIRouter:
    """The feedback routes over the event log."""
    routes = APIRouter(route_class=JsonRoute, tags=["feedback"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/v1/feedback", status_code=201)
    async def give_feedback(
        http: HttpRequest, body: FeedbackBody, context: chats, key: IdempotencyKey = None
    ) -> HttpResponse:
        if body.rating is None and body.edit is None and body.comment is None:
            raise InvalidRequest("feedback needs a rating, an edit or a comment", param="rating")
        principal = context.principal
        answer = await events.answer_for(principal, body.answer_id)

        async def work() -> HttpResponse:
            await quotas.check(principal.tenant, "feedback_per_answer", body.answer_id)
            record = EventRecord(
                id=new_id(PREFIX),
                at=time.time(),
                tenant=principal.tenant,
                trace_id=answer.trace_id,
                subject=body.answer_id,
                parent_id=answer.id,
                facts=await _facts(events, principal, body),
                content=body.edit,
                consent=body.consent,
            )
            await events.append(record)
            return json_response(event_body(record), status=201)

        async def shown(event_id: str) -> HttpResponse:
            return json_response(event_body(await events.get(principal.tenant, event_id)), status=201)

        return await idempotency.once(
            key, "feedback", [await http.body()], context, work, about=answer.id, makes=makes(PREFIX, shown)
        )

    _events(routes, events, access)
    return routes


def _events(routes: APIRouter, events: EventLog, access: Access) -> None:
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/v1/events")
    async def list_events(
        context: admins,
        page: AskedPage,
        trace_id: Filter = None,
        answer_id: Filter = None,
        kind: Filter = None,
    ) -> HttpResponse:
        """The recorded events that the key's groups may see.

        An admin key does not see the events of an answer if it may not see a collection or document that the answer
        used. If the record does not name these (an answer from the cache, in a session, incomplete, or over documents
        that were deleted later), only keys in all groups of the asking key see the events.
        """
        principal = context.principal
        found = await events.page(
            principal.tenant, page, groups=principal.groups, kind=kind, subject=answer_id, trace_id=trace_id
        )
        return json_response(list_body(found.map(event_body)))


async def _facts(events: EventLog, principal: Principal, body: FeedbackBody) -> FeedbackFacts:
    before = await _rated(events, principal, body.answer_id) if body.rating else None
    return FeedbackFacts(
        key_id=principal.key_id,
        rating=body.rating,
        comment=body.comment,
        edited=body.edit is not None,
        instead_of=before or "",
        person=principal.person,
    )


async def _rated(events: EventLog, principal: Principal, answer_id: str) -> str | None:
    """The person's latest rating of the answer, "up" or "down"; this call replaces it. A key that was replaced is the
    same person; feedback of before that was noted tells the key alone."""
    page = Page(limit=100, order="desc")
    found = await events.page(
        principal.tenant, page, groups=principal.groups, kind=FeedbackFacts.EVENT, subject=answer_id
    )
    given = (FeedbackFacts.of(each.facts) for each in found.rows)
    mine = principal.own_keys
    return next(
        (each.rating for each in given if each.rating and not mine.isdisjoint((each.person, each.key_id))), None
    )


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
        "facts": record.facts.plain(),
        "content": record.content,
        "consent": record.consent,
    }
