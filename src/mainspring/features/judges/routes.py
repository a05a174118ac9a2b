"""Routes of judges: definitions, judging, and the figures that they have published."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, MainspringError
from mainspring.core.types import Context
from mainspring.features.judges import measurement_routes
from mainspring.features.judges.bodies import RunBody, failed_body, given_body, judge_body, measurement_body
from mainspring.features.judges.definitions.definition import NAME, Definition
from mainspring.features.judges.requests import JudgeRequests
from mainspring.features.judges.service import Judges
from mainspring.features.judges.store.definitions import StoredJudge
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/judges"
Name = Annotated[str, Path(pattern=NAME)]


class JudgeBody(Body):
    """``PUT /v1/judges/{name}``."""

    definition: Annotated[Definition, Field(description="Definition of the judge, see docs/guides/judges.md")]


def router(service: Judges, requests: JudgeRequests, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["judges"], prefix=PREFIX)
    callers = Annotated[Context, Depends(access("judges"))]

    @routes.get("")
    async def list_judges(context: callers) -> HttpResponse:
        """Your judges and the built-in judges, by name."""
        found = await service.definitions.all(context.principal.tenant)
        shown = [judge_body(each, await _published(service, each, context)) for each in found]
        return json_response({"object": "list", "data": shown})

    # Before the routes with a name, which "measurements" could be.
    measurement_routes.add(routes, service, requests, access)

    @routes.get("/{name}")
    async def get_judge(name: Name, context: callers) -> HttpResponse:
        """A judge with its published figures. `current` is false if the judge has changed since they were measured."""
        stored = await service.definitions.get(context.principal.tenant, name)
        return json_response(judge_body(stored, await _published(service, stored, context)))

    @routes.put("/{name}")
    async def put_judge(name: Name, body: JudgeBody, context: callers) -> HttpResponse:
        """Create a judge, or its next version. You must then measure its figures again."""
        await service.made(name, context, body.definition)
        stored = await service.definitions.put(context.principal.tenant, name, body.definition)
        return json_response(judge_body(stored))

    @routes.delete("/{name}")
    async def delete_judge(name: Name, context: callers) -> HttpResponse:
        """Delete your judge with this name."""
        await service.definitions.delete(context.principal.tenant, name)
        return json_response({"object": "judge", "name": name, "deleted": True})

    @routes.post("/{name}/run")
    async def run_judge(name: Name, body: RunBody, context: callers) -> HttpResponse:
        """Judge items now, one after the other. Each item is charged when it is judged. An item that could not be
        judged has an `error` instead of its scores."""
        made = await service.made(name, context)
        found: list[dict[str, Any]] = []
        for each in body.items:
            try:
                found.append(given_body(each.id, await service.judge(made, each.item(), context)))
            except InvalidRequest:
                raise
            except MainspringError as error:
                # Those before it are paid for.
                found.append(failed_body(each.id, made.label, error))
        return json_response({"object": "list", "judge": made.label, "data": found})

    return routes


async def _published(service: Judges, stored: StoredJudge, context: Context) -> dict[str, Any] | None:
    found = await service.measurements.published(context.principal.tenant, stored.name)
    if found is None:
        return None
    try:
        version = (await service.made(stored.name, context)).version
    except MainspringError:
        # Its model is not here now; what was measured stays readable.
        version = ""
    return measurement_body(found) | {"current": found.version == version}
