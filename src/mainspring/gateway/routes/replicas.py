"""Routes for the operator: the current replicas and routes, and draining a replica."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.scopes import OPERATE
from mainspring.core.types import Context
from mainspring.http.access import Access, acting
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response
from mainspring.serving.route.replicas import Replicas
from mainspring.stores.events.audit_log import Audit


class DrainBody(Body):
    """A replica of a model; ``force`` drains the last one too."""

    model: str = Field(min_length=1, max_length=200)
    replica: str = Field(min_length=1, max_length=200)
    force: bool = False


class UndrainBody(Body):
    """A replica of a model."""

    model: str = Field(min_length=1, max_length=200)
    replica: str = Field(min_length=1, max_length=200)


def router(service: Replicas, access: Access, audit: Audit) -> APIRouter:
    """The routes over ``service``: admin keys look; to drain, which all tenants feel, takes the scope ``operate``."""
    routes = APIRouter(route_class=JsonRoute, tags=["replicas"])
    admins = Annotated[Context, Depends(access("admin"))]
    operators = Annotated[Context, Depends(access(OPERATE))]

    @routes.get("/v1/replicas")
    async def replicas(context: admins) -> HttpResponse:  # noqa: ARG001
        return json_response({"object": "replicas", **service.view()})

    async def noted(action: str, body: DrainBody | UndrainBody, context: Context) -> None:
        told = {"model": body.model, "replica": body.replica}
        await audit.record(context.principal.tenant, action, acting(context), details=told)

    @routes.post("/v1/replicas/drain")
    async def drain(body: DrainBody, context: operators) -> HttpResponse:
        view = service.drain(body.model, body.replica, force=body.force)
        await noted("replica.drained", body, context)
        return json_response(view)

    @routes.post("/v1/replicas/undrain")
    async def undrain(body: UndrainBody, context: operators) -> HttpResponse:
        view = service.undrain(body.model, body.replica)
        await noted("replica.undrained", body, context)
        return json_response(view)

    return routes
