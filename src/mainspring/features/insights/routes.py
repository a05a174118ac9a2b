"""Routes of insights: topics, conversations, trends."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Context
from mainspring.features.insights import faq_routes
from mainspring.features.insights.analysis.outcomes import Outcome
from mainspring.features.insights.analysis.trends import Step
from mainspring.features.insights.periods import AskedPeriod
from mainspring.features.insights.service import Insights
from mainspring.features.insights.shapes import conversation_body, group_body, topics_body, turn_body
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/insights"


class TopicBody(Body):
    """``POST /v1/insights/topics/{topic_id}``."""

    name: Annotated[str | None, Field(min_length=1, max_length=80)] = None
    pinned: bool | None = None
    merge_into: Annotated[
        str | None, Field(min_length=1, max_length=64, description="ID of the topic that receives the turns")
    ] = None


def router(service: Insights, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["insights"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("insights"))]

    @routes.post("/run")
    async def run_insights(context: readers) -> HttpResponse:
        """Analyse your tenant's new conversations now. `started` is false if another process is doing it."""
        did = await service.look(tenant=context.principal.tenant)
        counts = {} if did is None else {"turns": did.turns, "topics": did.topics, "conversations": did.conversations}
        return json_response({"object": "insights.run", "started": did is not None, **counts})

    @routes.get("/summary")
    async def get_summary(context: readers, period: AskedPeriod, step: Step = "day") -> HttpResponse:
        """Figures of all conversations in a period."""
        counted = await service.views.counted(context.principal, period)
        spike = service.settings.spike
        shown = await asyncio.to_thread(group_body, counted.total, counted.total.count, period, step, spike)
        names = await service.views.applications(context.principal)
        return json_response({"object": "insights.summary", **shown, "applications": names})

    @routes.get("/topics")
    async def list_topics(context: readers, period: AskedPeriod, step: Step = "day") -> HttpResponse:
        """Topics of conversations, most frequent first."""
        counted = await service.views.counted(context.principal, period)
        known, spike = await service.views.topics(context.principal), service.settings.spike
        return json_response(await asyncio.to_thread(topics_body, known, counted, period, step, spike))

    @routes.post("/topics/{topic_id}")
    async def change_topic(topic_id: str, body: TopicBody, context: readers) -> HttpResponse:
        """Rename a topic, pin it, or merge it into another topic."""
        if body.merge_into is not None:
            if body.name is not None or body.pinned is not None:
                raise InvalidRequest(
                    "merge_into cannot be combined with other fields",
                    remedy="Send the other changes in a second request",
                    param="merge_into",
                )
            topic = await service.topics.merge(context.principal, topic_id, body.merge_into)
        else:
            topic = await service.topics.change(context.principal, topic_id, name=body.name, pinned=body.pinned)
        shown = {"id": topic.id, "object": "insights.topic", "name": topic.name, "named_by": topic.named_by}
        return json_response({**shown, "words": list(topic.words), "pinned": topic.pinned})

    _conversations(routes, service, access)
    faq_routes.add(routes, service, access)
    return routes


def _conversations(routes: APIRouter, service: Insights, access: Access) -> None:
    readers = Annotated[Context, Depends(access("insights"))]

    @routes.get("/conversations")
    async def list_conversations(
        context: readers,
        period: AskedPeriod,
        topic: Annotated[str | None, Query(max_length=64, description="ID of a topic, or `other`")] = None,
        outcome: Annotated[Outcome | None, Query(description="Only conversations with this outcome")] = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        skip: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    ) -> HttpResponse:
        """Conversations, latest first, each with its first question."""
        wanted = "" if topic == "other" else topic
        found = await service.views.conversations(
            context.principal, period, topic=wanted, outcome=outcome, limit=limit + 1, skip=skip
        )
        shown = found[:limit]
        first = await service.views.openings(context.principal, [row.id for row in shown])
        asked = await service.questions(context.principal, [row.trace_id for row in first.values()])
        rows: list[dict[str, Any]] = [
            conversation_body(row, asked.get(first[row.id].trace_id) if row.id in first else None) for row in shown
        ]
        return json_response({"object": "list", "data": rows, "has_more": len(found) > limit})

    @routes.get("/conversations/{conversation_id}")
    async def get_conversation(conversation_id: str, context: readers) -> HttpResponse:
        """A conversation with its turns. Each turn links to its trace."""
        row, turns = await service.views.conversation(context.principal, conversation_id)
        asked = await service.questions(context.principal, [each.trace_id for each in turns])
        opening = asked.get(turns[0].trace_id) if turns else None
        said = [turn_body(each, asked.get(each.trace_id)) for each in turns]
        return json_response({**conversation_body(row, opening), "said": said})
