"""``POST /v1/moderations``, in OpenAI's shape."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.http.access import Access
from mainspring.http.openai.moderations import ModerationBody, moderations_body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response, while_connected
from mainspring.serving.admit.rate_limits import Charge
from mainspring.serving.judge.moderation import Moderator


def router(judge: Moderator, access: Access, charge: Charge, max_inputs: int) -> APIRouter:
    """The route over what judges; each request counts to the key's limits."""
    routes = APIRouter(route_class=JsonRoute, tags=["generate"])
    chats = Annotated[Context, Depends(access("chat"))]

    @routes.post("/v1/moderations")
    async def moderations(http: HttpRequest, body: ModerationBody, context: chats) -> HttpResponse:
        texts = body.texts(max_inputs)
        async with charge(context, judge.tokens(texts)):
            found = await while_connected(http, judge.judge(texts, context))
        return json_response(moderations_body(found), charge.headers(context.principal))

    return routes
