"""Chats on web pages over HTTP, and the page itself: ``GET /v1/desk/chat#TOKEN``."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import base64
import hashlib
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from pydantic import Field
from starlette.responses import HTMLResponse
from starlette.responses import Response as HttpResponse

from mainspring.core.types import Context
from mainspring.features.desk.channels.chats import Chat, Chats
from mainspring.features.desk.streams import bodies, stream
from mainspring.http.access import Access, bearer, check_lasting
from mainspring.http.bodies import Body
from mainspring.http.request_body import JsonRoute
from mainspring.http.respond import json_response

_PAGE = files("mainspring.features.desk.channels").joinpath("chat.html").read_text(encoding="utf-8")


class ChatBody(Body):
    """``POST /v1/desk/chats``: ``user`` is who chats, if the caller knows it."""

    user: Annotated[str, Field(max_length=256)] = ""
    hours: Annotated[float, Field(gt=0, le=24 * 30)] = 24.0


class ChatMessageBody(Body):
    """``POST /v1/desk/chats/messages``: a message with the same ``id`` counts once."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    text: Annotated[str, Field(min_length=1, max_length=8000)]


def router(chats: Chats, access: Access) -> APIRouter:
    """The routes over the chats. All but the opening take the chat's token in the place of a key."""
    routes = APIRouter(route_class=JsonRoute, tags=["desk"], prefix="/v1/desk")
    caller = access("chat")
    openers = Annotated[Context, Depends(caller)]

    async def found(http: HttpRequest) -> Chat:
        """The chat of the token that was sent; the request counts for the chat's tenant."""
        with caller.telling(http):
            chat = await chats.of(bearer(http))
        await caller.turn(http, chat.principal.tenant)
        return chat

    @routes.post("/chats", status_code=201)
    async def open_chat(body: ChatBody, context: openers) -> HttpResponse:
        """Open a chat for a page. `token` is for that page alone: it can talk in this one session."""
        check_lasting(context, "a chat")
        chat, token = await chats.open(context.principal, body.user, body.hours * 3600)
        shown = {"id": chat.session_id, "object": "desk.chat", "token": token, "page": f"/v1/desk/chat#{token}"}
        return json_response(shown | {"expires_at": int(chat.expires_at)}, status=201)

    @routes.post("/chats/messages", status_code=202)
    async def say(http: HttpRequest, body: ChatMessageBody) -> HttpResponse:
        """A message of the customer. It is kept when this answers; the answer comes with the events."""
        new = await chats.say(await found(http), body.id, body.text)
        return json_response({"id": body.id, "object": "desk.message", "new": new}, status=202)

    @routes.get("/chats/messages")
    async def list_messages(http: HttpRequest) -> HttpResponse:
        """What was said, oldest first."""
        return json_response({"object": "list", "data": await chats.messages(await found(http))})

    @routes.get("/chats/events", response_class=HttpResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def watch(http: HttpRequest) -> HttpResponse:
        """Server-sent events `messages`: what was said, now and after each message, an agent's or a person's."""
        chat = await found(http)
        chats.check_watchers(chat)
        return stream(bodies("messages", chats.watch(chat), http))

    @routes.get("/chat", response_class=HTMLResponse)
    async def page() -> HttpResponse:
        """A page to chat on. It reads its token from the address, behind the #, which browsers send nowhere."""
        policy = (
            f"default-src 'none'; script-src {_hash('script')}; style-src {_hash('style')}; connect-src 'self'; "
            "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
        )
        return HTMLResponse(_PAGE, headers={"content-security-policy": policy})

    return routes


def _hash(tag: str) -> str:
    inside = _PAGE.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'"
