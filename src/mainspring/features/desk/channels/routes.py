"""What channels hand in over HTTP: mail from a mail server, and signed messages of programs."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import TooLarge
from mainspring.core.types import Context
from mainspring.features.desk.channels.service import Channels
from mainspring.http.access import Access
from mainspring.http.respond import json_response

_LARGEST = 10 * 1024 * 1024


def router(channels: Channels, access: Access) -> APIRouter:
    """The routes over the channels."""
    routes = APIRouter(tags=["desk"], prefix="/v1/desk")
    carriers = Annotated[Context, Depends(access("deliver"))]

    @routes.post("/mail", status_code=202)
    async def post_mail(http: HttpRequest, context: carriers) -> HttpResponse:  # noqa: ARG001
        """A mail (RFC 5322) as a mail server has it. It is kept when this answers; one that comes twice counts once."""
        taken = await channels.receive_mail(await _body(http))
        return json_response({"object": "desk.mail", "taken": taken}, status=202)

    @routes.post("/webhooks/{name}", status_code=202)
    async def post_message(name: str, http: HttpRequest) -> HttpResponse:
        """A message of a customer, signed with the webhook's secret (Standard Webhooks): `conversation`, `from`,
        `text`. It is kept when this answers; one that comes twice counts once."""
        session, new = await channels.receive_signed(name, http.headers, await _body(http))
        return json_response({"object": "desk.message", "session_id": session, "new": new}, status=202)

    return routes


async def _body(http: HttpRequest) -> bytes:
    data = b""
    async for piece in http.stream():
        data += piece
        if len(data) > _LARGEST:
            raise TooLarge(f"a message may have {_LARGEST} bytes")
    return data
