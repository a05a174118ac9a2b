"""Routes of review: queues, and the work of reviewers."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.review import measure_routes
from mainspring.features.review.definition import MOST_GUIDELINE, Definition, Slug
from mainspring.features.review.service import Review
from mainspring.features.review.shapes import queue_body
from mainspring.http.access import Access
from mainspring.http.bodies import AtMost, Body
from mainspring.http.idempotency import Idempotency, IdempotencyKey
from mainspring.http.pages import AskedPage, list_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.stores.sql.pages import Slice

PREFIX = "/v1/review"
Guideline = Annotated[str, Field(max_length=MOST_GUIDELINE, description="Markdown")]
Name = Annotated[str, Field(min_length=1, max_length=256)]


class QueueBody(Body):
    """``POST /v1/review/queues``."""

    name: Slug
    definition: Definition = Definition()
    guideline: Guideline = ""


class QueueChangeBody(Body):
    """``POST /v1/review/queues/{queue}``: each change makes the next version."""

    definition: Definition | None = None
    guideline: Annotated[str | None, Field(max_length=MOST_GUIDELINE)] = None


class PutBody(Body):
    """``POST /v1/review/queues/{queue}/items``."""

    answer_ids: Annotated[list[Name], Field(min_length=1, max_length=100, fail_fast=True)]


class AssignBody(Body):
    """``POST /v1/review/queues/{queue}/items/{item_id}/assign``."""

    to: Annotated[Name, Field(description="Reviewer, by the ID of their key")]
    hours: Annotated[
        float, Field(gt=0, le=24 * 90, allow_inf_nan=False, description="Hours after which the item is for others")
    ] = 24.0


class UnassignBody(Body):
    """``POST /v1/review/queues/{queue}/items/{item_id}/unassign``."""

    to: Annotated[Name, Field(description="Reviewer, by the ID of their key")]


class LabelBody(Body):
    """``POST /v1/review/queues/{queue}/items/{item_id}/label``: ``labels`` are places on the scales of the criteria,
    from 0, by name. ``edit`` is the answer as it should be."""

    labels: Annotated[dict[str, Annotated[int, Field(ge=0, le=8)]], Field(max_length=9), AtMost(9)] = Field(
        default_factory=dict
    )
    approved: bool
    errors: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=24, fail_fast=True)] = Field(
        default_factory=list
    )
    comment: Annotated[str, Field(max_length=10_000)] = ""
    edit: Annotated[str | None, Field(max_length=100_000)] = None
    seconds: Annotated[float | None, Field(ge=0, le=86_400, allow_inf_nan=False)] = None


def router(service: Review, access: Access, idempotency: Idempotency) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["review"], prefix=PREFIX)
    curators = Annotated[Context, Depends(access("curate"))]
    reviewers = Annotated[Context, Depends(access("review"))]

    @routes.post("/run")
    async def run_review(context: curators) -> HttpResponse:
        """Add new answers to the queues and labelled answers to their data sets now. `started` is false if another
        process is doing it."""
        made = await service.look()
        if made is not None:
            await service.deliver()
        new = 0 if made is None else made[context.principal.tenant]
        return json_response({"object": "review.run", "started": made is not None, "items": new})

    @routes.get("/queues")
    async def list_queues(context: reviewers) -> HttpResponse:
        """All queues, by name."""
        found = await service.queues.all(context.principal.tenant)
        counts = await service.items.counts(found)
        return json_response({"object": "list", "data": [queue_body(each, counts[each.id]) for each in found]})

    @routes.post("/queues", status_code=201)
    async def make_queue(body: QueueBody, context: curators) -> HttpResponse:
        """Create a queue. From now on, its rule adds answers to it."""
        made = await service.queues.create(context.principal, body.name, body.definition, body.guideline)
        return json_response(queue_body(made, {}), status=201)

    @routes.get("/queues/{queue}")
    async def get_queue(queue: str, context: reviewers) -> HttpResponse:
        found = await service.queues.get(context.principal.tenant, queue)
        return json_response(queue_body(found, (await service.items.counts([found]))[found.id]))

    @routes.post("/queues/{queue}")
    async def change_queue(queue: str, body: QueueChangeBody, context: curators) -> HttpResponse:
        """Change the criteria of a queue. Existing labels keep the version that they were given for."""
        found = await service.queues.change(context.principal, queue, body.definition, body.guideline)
        return json_response(queue_body(found, (await service.items.counts([found]))[found.id]))

    @routes.delete("/queues/{queue}")
    async def delete_queue(queue: str, context: curators) -> HttpResponse:
        """Delete a queue with its items. The label events stay."""
        found = await service.queues.delete(context.principal.tenant, queue)
        return json_response({"object": "review.queue.deleted", "id": found.id, "deleted": True})

    @routes.get("/queues/{queue}/versions")
    async def list_versions(queue: str, context: reviewers) -> HttpResponse:
        """All versions of a queue, newest first."""
        found = await service.queues.versions(context.principal.tenant, queue)
        return json_response({"object": "list", "data": [_version_body(each) for each in found]})

    _items(routes, service, access)
    _assigning(routes, service, access)
    _work(routes, service, access, idempotency)
    measure_routes.add(routes, service, access)
    return routes


def _items(routes: APIRouter, service: Review, access: Access) -> None:
    curators = Annotated[Context, Depends(access("curate"))]

    @routes.get("/queues/{queue}/items")
    async def list_items(
        queue: str,
        context: curators,
        page: AskedPage,
        state: Annotated[
            Literal["open", "adjudicate", "done"] | None, Query(description="Only items in this state")
        ] = None,
        reviewer: Annotated[
            str | None,
            Query(max_length=256, description="Only items that this person holds, labelled, or has to label"),
        ] = None,
    ) -> HttpResponse:
        """The items of a queue, without texts, with who has their places."""
        found = await service.queues.get(context.principal.tenant, queue)
        rows = await service.items.page(found, page, state, reviewer)
        return json_response(list_body(Slice(await service.with_places(found, rows.rows), rows.more)))

    @routes.post("/queues/{queue}/items", status_code=201)
    async def put_items(queue: str, body: PutBody, context: curators) -> HttpResponse:
        """Add answers to a queue, independently of its rule."""
        found = await service.queues.get(context.principal.tenant, queue)
        made = await service.put(context.principal, found, body.answer_ids)
        return json_response(
            {"object": "list", "data": [{"object": "review.item", "id": each} for each in made]}, status=201
        )

    @routes.get("/queues/{queue}/items/{item_id}")
    async def get_item(queue: str, item_id: str, context: curators) -> HttpResponse:
        """An item with its texts, and with its labels when all of them are given."""
        return json_response(await service.item(context.principal, queue, item_id))


def _assigning(routes: APIRouter, service: Review, access: Access) -> None:
    curators = Annotated[Context, Depends(access("curate"))]

    @routes.post("/queues/{queue}/items/{item_id}/assign", status_code=201)
    async def assign_item(queue: str, item_id: str, body: AssignBody, context: curators) -> HttpResponse:
        """Keep an item for a reviewer, who gets it next. If they do not label it in time, it is for others. Assign it
        again to change the deadline."""
        return json_response(await service.assign(context.principal, queue, item_id, body.to, body.hours), status=201)

    @routes.post("/queues/{queue}/items/{item_id}/unassign")
    async def unassign_item(queue: str, item_id: str, body: UnassignBody, context: curators) -> HttpResponse:
        """Take an item from a reviewer to whom it is assigned, or who holds it."""
        found = await service.queues.get(context.principal.tenant, queue)
        await service.assignments.unassign(found, item_id, body.to)
        return json_response({"object": "review.item", "id": item_id, "unassigned": True})

    @routes.get("/queues/{queue}/workload")
    async def get_workload(queue: str, context: curators) -> HttpResponse:
        """How many items each reviewer has to label, holds, labelled and skipped, and how many are overdue."""
        found = await service.queues.get(context.principal.tenant, queue)
        return json_response({"object": "list", "data": await service.assignments.workload(found)})


def _work(routes: APIRouter, service: Review, access: Access, idempotency: Idempotency) -> None:
    reviewers = Annotated[Context, Depends(access("review"))]

    @routes.post("/queues/{queue}/next")
    async def take_next(queue: str, context: reviewers) -> HttpResponse:
        """The item that you hold, or the next one, yours until `lease_until`. `task` is null if the queue is empty."""
        task = await service.take(context.principal, queue)
        return json_response({"object": "review.next", "task": task})

    @routes.post("/queues/{queue}/items/{item_id}/label", status_code=201)
    async def label_item(
        http: HttpRequest,
        queue: str,
        item_id: str,
        body: LabelBody,
        context: reviewers,
        key: IdempotencyKey = None,
    ) -> HttpResponse:
        """Label an item that you hold."""

        async def work() -> HttpResponse:
            return json_response(await service.label(context.principal, queue, item_id, body.model_dump()), status=201)

        parts = [queue.encode(), item_id.encode(), await http.body()]
        return await idempotency.once(key, "review.label", parts, context, work)

    @routes.post("/queues/{queue}/items/{item_id}/return")
    async def return_item(queue: str, item_id: str, context: reviewers) -> HttpResponse:
        """Return an item. Anybody may take it, including you."""
        await service.leave(context.principal, queue, item_id, skip=False)
        return json_response({"object": "review.item", "id": item_id, "returned": True})

    @routes.post("/queues/{queue}/items/{item_id}/skip")
    async def skip_item(queue: str, item_id: str, context: reviewers) -> HttpResponse:
        """Skip an item. You do not get it again."""
        await service.leave(context.principal, queue, item_id, skip=True)
        return json_response({"object": "review.item", "id": item_id, "skipped": True})


def _version_body(row: Any) -> dict[str, Any]:
    return {
        "object": "review.queue.version",
        "version": row.version,
        "definition": Definition.model_validate_json(row.definition).model_dump(),
        "guideline": row.guideline,
        "created_by": row.created_by,
        "created_at": row.created_at,
    }
