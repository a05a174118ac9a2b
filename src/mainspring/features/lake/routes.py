"""Routes of the lake."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.lake.service import Lake
from mainspring.http.access import Access
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

PREFIX = "/v1/lake"


class QueryBody(Body):
    """``POST /v1/lake/sql``."""

    query: Annotated[str, Field(min_length=1, max_length=20_000, description="One SELECT")]


def router(lake: Lake, access: Access) -> APIRouter:
    """The routes over the service."""
    routes = APIRouter(route_class=JsonRoute, tags=["lake"], prefix=PREFIX)
    readers = Annotated[Context, Depends(access("lake"))]

    @routes.post("/sql")
    async def query_lake(body: QueryBody, context: readers) -> HttpResponse:
        """Run one SELECT over your tenant's files, in DuckDB's SQL."""
        principal = context.principal
        found = await lake.sql.query(principal.tenant, body.query, principal.groups)
        shown = {"columns": found.columns, "rows": found.rows, "truncated": found.truncated}
        return json_response({"object": "lake.rows", **shown})

    return routes
