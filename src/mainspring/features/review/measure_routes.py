"""Routes of what labels say: agreement, reviewers, thresholds, estimates."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.review.service import Review
from mainspring.http.access import Access
from mainspring.http.respond import json_response

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
