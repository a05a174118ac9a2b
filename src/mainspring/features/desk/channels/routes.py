"""What channels hand in over HTTP: mail from a mail server, and signed messages of programs."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Forbidden, TooLarge
from mainspring.core.types import Context
from mainspring.features.desk.channels import signing
from mainspring.features.desk.channels.service import Channels
from mainspring.http.access import Access
from mainspring.http.late_route import LateRoute
from mainspring.http.respond import json_response

_MAIL, _MESSAGE = 10 * 1024 * 1024, 256 * 1024
"""Bytes of a mail with its attachments, and of a message of a webhook, whose sender nobody knows before it is read."""


def router(channels: Channels, access: Access) -> APIRouter:
    """The routes over the channels."""
    routes = APIRouter(route_class=LateRoute, tags=["desk"], prefix="/v1/desk")
    carriers = Annotated[Context, Depends(access("deliver"))]

    @routes.post("/mail", status_code=202)
    async def post_mail(http: HttpRequest, context: carriers) -> HttpResponse:
        """Deliver a mail in its raw form (RFC 5322). It is stored when this answers; a duplicate counts once."""
        if context.principal.tenant != channels.settings.tenant:
            raise Forbidden(
                "mail belongs to the tenant in channels.tenant, and this key belongs to another tenant",
                remedy="Use a key of that tenant",
            )
        taken = await channels.receive_mail(await _body(http, _MAIL))
        return json_response({"object": "desk.mail", "taken": taken}, status=202)

    @routes.post("/webhooks/{name}", status_code=202)
    async def post_message(name: str, http: HttpRequest) -> HttpResponse:
        """Deliver a customer's message, signed with the webhook's secret (Standard Webhooks): `conversation`, `from`,
        `text`. It is stored when this answers; a duplicate counts once."""
        signing.stated(http.headers)
        session, new = await channels.receive_signed(name, http.headers, await _body(http, _MESSAGE))
        return json_response({"object": "desk.message", "session_id": session, "new": new}, status=202)

    return routes


async def _body(http: HttpRequest, most: int) -> bytes:
    """Raises ``TooLarge`` before more than ``most`` bytes are held."""
    told = http.headers.get("content-length", "")
    size = int(told) if told.isdecimal() and len(told) < 20 else 0
    pieces: list[bytes] = []
    if size <= most:
        size = 0
        async for piece in http.stream():
            size += len(piece)
            if size > most:
                break
            pieces.append(piece)
    if size > most:
        raise TooLarge(f"a message may have at most {most} bytes")
    return b"".join(pieces)
