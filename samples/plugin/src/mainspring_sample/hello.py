"""A feature: one route with a scope."""

# No postponed annotations here: FastAPI must see the local alias of the dependency.

from typing import Annotated

from fastapi import APIRouter, Depends

from mainspring.core.types import Context
from mainspring.feature import Feature, Http


def _routes(http: Http) -> list[APIRouter]:
    routes = APIRouter(tags=["hello"])
    chats = Annotated[Context, Depends(http.access("chat"))]

    @routes.get("/v1/hello")
    async def hello(context: chats) -> dict[str, str]:
        """Greet the tenant."""
        return {"hello": context.principal.tenant}

    return [routes]


FEATURE = Feature("hello", routes=_routes)
