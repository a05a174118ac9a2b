"""``GET /v1/policies``: the guard policies in force, their applications and versions."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import NotFound
from mainspring.core.types import Context
from mainspring.guards.policy.by_application import Policies
from mainspring.http.access import Access
from mainspring.http.late_route import LateRoute
from mainspring.http.respond import json_response


def router(policies: Policies, access: Access) -> APIRouter:
    """The routes over the policies in force."""
    routes = APIRouter(route_class=LateRoute, tags=["operate"])
    admins = Annotated[Context, Depends(access("admin"))]

    @routes.get("/v1/policies")
    async def list_policies(_: admins) -> HttpResponse:
        data = [_body(each) for each in policies.described()]
        return json_response({"object": "list", "version": policies.version, "data": data})

    @routes.get("/v1/policies/{name}")
    async def get_policy(name: str, _: admins) -> HttpResponse:
        for each in policies.described():
            if each["name"] == name:
                return json_response(_body(each))
        raise NotFound(f"there is no policy {name!r}", remedy="GET /v1/policies lists them", param="name")

    return routes


def _body(policy: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": policy["name"], "object": "policy", **policy}
