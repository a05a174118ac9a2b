"""Routes of gaps and of the FAQ."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import PlainTextResponse
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, InvalidRequest
from mainspring.core.types import Context
from mainspring.features.insights.periods import AskedPeriod
from mainspring.features.insights.service import Insights
from mainspring.features.insights.shapes import entry_body, gap_body
from mainspring.features.insights.store.faqs import Status
from mainspring.features.insights.work.drafting import markdown, scrubbed
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.respond import json_response


class DraftBody(Body):
    """``POST /v1/insights/faq``."""

    days: Annotated[float, Field(gt=0, le=3650, description="Length of the period in days")] = 30.0
    application: Annotated[str, Field(max_length=256, description="Only this one's")] = ""
    limit: Annotated[int, Field(ge=1, le=200, description="Of new drafts")] = 20


class EntryBody(Body):
    """``POST /v1/insights/faq/{entry_id}``: personal data is taken out of both texts."""

    question: Annotated[str | None, Field(min_length=1, max_length=300)] = None
    answer: Annotated[str | None, Field(min_length=1, max_length=4000)] = None
    status: Annotated[Status | None, Field(description="Approved entries are exported")] = None


class PublishBody(Body):
    """``POST /v1/insights/faq/publish``."""

    collection: Annotated[str, Field(min_length=1, max_length=256, description="Its name or id")]


def add(routes: APIRouter, service: Insights, access: Access) -> None:
    """Add them to ``routes``."""
    readers = Annotated[Context, Depends(access("insights"))]

    @routes.get("/gaps")
    async def list_gaps(
        context: readers,
        period: AskedPeriod,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        nearest: Annotated[bool, Query(description="With the nearest passage of your collections")] = False,
    ) -> HttpResponse:
        """Questions that were refused, answered poorly or passed to people, grouped, the most frequent first."""
        found = await service.gaps.find(context, period, limit, nearest=nearest)
        return json_response({"object": "list", "data": [gap_body(each) for each in found]})

    @routes.get("/faq")
    async def list_faq(
        context: readers, status: Annotated[Status | None, Query(description="Only entries with this status")] = None
    ) -> HttpResponse:
        """Drafts and entries, latest first."""
        found = await service.drafting.entries.all(context.principal, status)
        return json_response({"object": "list", "data": [entry_body(each) for each in found]})

    @routes.post("/faq")
    async def draft_faq(body: DraftBody, context: readers) -> HttpResponse:
        """Make drafts of frequent questions that have good answers and no entry yet."""
        count = await service.drafting.draft(context, service.period(body.days, body.application), body.limit)
        return json_response({"object": "insights.faq.drafted", "drafts": count})

    _entries(routes, service, access)


def _entries(routes: APIRouter, service: Insights, access: Access) -> None:
    readers = Annotated[Context, Depends(access("insights"))]
    writers = Annotated[Context, Depends(access("ingest"))]

    @routes.get("/faq/export", response_class=HttpResponse, responses={200: {"content": {"text/markdown": {}}}})
    async def export_faq(context: readers) -> HttpResponse:
        """The approved entries as Markdown."""
        found = await service.drafting.entries.all(context.principal, "approved")
        return PlainTextResponse(markdown(found), media_type="text/markdown; charset=utf-8")

    @routes.post("/faq/publish")
    async def publish_faq(body: PublishBody, context: writers) -> HttpResponse:
        """Put the approved entries into a collection, in the place of the former ones."""
        if not {"insights", "admin"} & context.principal.scopes:
            raise Forbidden("this key lacks the scope insights", remedy="Use a key with the scopes ingest and insights")
        count = await service.drafting.publish(context, body.collection)
        return json_response({"object": "insights.faq.published", "collection": body.collection, "entries": count})

    @routes.post("/faq/{entry_id}")
    async def change_faq(entry_id: str, body: EntryBody, context: readers) -> HttpResponse:
        """Edit, approve or reject one."""
        values: dict[str, Any] = {}
        for name, text in (("question", body.question), ("answer", body.answer)):
            if text is not None:
                values[name] = scrubbed(text)
        if body.status is not None:
            values |= {"status": body.status, "decided_by": context.principal.key_id}
        if not values:
            raise InvalidRequest("nothing changes", remedy="Send question, answer or status", param="status")
        return json_response(entry_body(await service.drafting.entries.change(context.principal, entry_id, values)))

    @routes.delete("/faq/{entry_id}")
    async def delete_faq(entry_id: str, context: readers) -> HttpResponse:
        """Delete one. The question may be drafted again; reject it if it should not be."""
        await service.drafting.entries.delete(context.principal, entry_id)
        return json_response({"id": entry_id, "object": "insights.faq.deleted", "deleted": True})
