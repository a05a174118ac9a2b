"""Routes of what labels say: agreement, reviewers, thresholds, estimates; and of labels that come and go."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.review.service import Review
from mainspring.http.access import Access
from mainspring.http.bodies import Body, Free
from mainspring.http.pages import AskedPage
from mainspring.http.respond import json_response

MOST_TASKS = 100


class TasksBody(Body):
    """``POST /v1/review/queues/{queue}/label_studio``: tasks as Label Studio exports them."""

    tasks: Annotated[list[Free], Field(min_length=1, max_length=MOST_TASKS, fail_fast=True)]


Score = Annotated[str, Query(max_length=128, description="A measure of the live judge; empty: the commonest")]


def add(routes: APIRouter, service: Review, access: Access) -> None:
    """Add them to the routes of the feature."""
    curators = Annotated[Context, Depends(access("curate"))]

    @routes.get("/queues/{queue}/agreement")
    async def get_agreement(queue: str, context: curators) -> HttpResponse:
        """Krippendorff's alpha of each criterion with its interval and its course, and kappa of each pair."""
        return json_response(await service.measures.agreement(context.principal.tenant, queue))

    @routes.get("/queues/{queue}/reviewers")
    async def list_reviewers(queue: str, context: curators) -> HttpResponse:
        """What each reviewer did."""
        found = await service.measures.reviewers(context.principal.tenant, queue)
        return json_response({"object": "list", "data": found})

    @routes.get("/queues/{queue}/threshold")
    async def get_threshold(
        queue: str,
        context: curators,
        score: Score = "",
        approval: Annotated[float, Query(gt=0, le=1, description="The wished share of approved answers")] = 0.9,
    ) -> HttpResponse:
        """The score from which on that share is approved, with its interval, and the approval by score."""
        return json_response(await service.measures.threshold(context.principal.tenant, queue, score, approval))

    @routes.get("/queues/{queue}/estimate")
    async def get_estimate(queue: str, context: curators, score: Score = "") -> HttpResponse:
        """The approval of all answers that the rule has seen: from labels alone, and calibrated with a judge."""
        return json_response(await service.measures.estimate(context.principal.tenant, queue, score))

    @routes.get("/queues/{queue}/label_studio")
    async def list_tasks(queue: str, context: curators, page: AskedPage) -> HttpResponse:
        """Tasks in Label Studio's format. Answers that you may not see are left out."""
        found = await service.interchange.tasks(context.principal, queue, page)
        return json_response(
            {
                "object": "list",
                "data": [each["task"] for each in found.rows if each["task"] is not None],
                "first_id": found.rows[0]["id"] if found.rows else None,
                "last_id": found.rows[-1]["id"] if found.rows else None,
                "has_more": found.more,
            }
        )

    @routes.post("/queues/{queue}/label_studio", status_code=201)
    async def bring_labels(queue: str, body: TasksBody, context: curators) -> HttpResponse:
        """Read the annotations of tasks that this queue has written. Known labels are left as they are."""
        count, new = await service.interchange.take_in(context.principal, queue, body.tasks)
        return json_response({"object": "review.import", "items": count, "labels": new}, status=201)

    @routes.get("/queues/{queue}/label_studio/interface")
    async def get_interface(queue: str, context: curators) -> HttpResponse:
        """The labelling interface for a project of Label Studio, in XML."""
        found = await service.interchange.interface(context.principal.tenant, queue)
        return json_response({"object": "review.interface", "interface": found})

    @routes.get("/answers/{answer_id}/scores")
    async def get_scores(answer_id: str, context: curators) -> HttpResponse:
        """An answer's scores in three tiers: found at once, judged later, given by people."""
        return json_response(await service.tiers.of(context.principal, answer_id))
