"""`/mcp` (streamable HTTP), and what it says of how to get a token for it."""

# No postponed annotations here: FastAPI must see the local aliases of the dependencies.

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse
from starlette.types import Message, Receive, Scope, Send

from mainspring.core.errors import NotFound
from mainspring.core.settings import GatewaySettings
from mainspring.core.types import Context
from mainspring.features.mcp.origins import check_origin, metadata
from mainspring.features.mcp.service import Mcp
from mainspring.features.mcp.settings import McpSettings
from mainspring.http.access import Access
from mainspring.http.request_body import Handler, JsonRoute
from mainspring.http.respond import json_response

PATH = "/mcp"
METADATA = "/.well-known/oauth-protected-resource"
SCOPE = "chat"


class _Answer(HttpResponse):
    """An answer that the protocol's server writes itself."""

    def __init__(self, service: Mcp, context: Context) -> None:
        super().__init__()
        self._service = service
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = await self._service.transport()
        stopping: asyncio.Event | None = getattr(scope["app"].state, "stopping", None)
        if stopping is not None and _waits(scope):
            receive = _until(stopping, receive)
        await transport.serve(self._context, scope, receive, send)


def _waits(scope: Scope) -> bool:
    """Whether it is a stream of what happens some time, rather than the answer to something."""
    return scope["method"] == "GET" or (b"mcp-method", b"subscriptions/listen") in scope["headers"]


def _until(stopping: asyncio.Event, receive: Receive) -> Receive:
    """``receive`` whose client leaves when the server stops."""

    async def received() -> Message:
        coming = asyncio.ensure_future(receive())
        end = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((coming, end), return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() else {"type": "http.disconnect"}
        finally:
            coming.cancel()
            end.cancel()

    return received


def router(service: Mcp, gateway: GatewaySettings, access: Access) -> APIRouter:
    """The routes over the service."""
    settings, issuer = service.settings, gateway.oidc.issuer

    class OriginFirst(JsonRoute):
        """Looks at where a request comes from before its key is looked at."""

        def get_route_handler(self) -> Handler:
            handle = super().get_route_handler()

            async def checked(http: HttpRequest) -> HttpResponse:
                host, origin = http.headers.get("host", ""), http.headers.get("origin")
                check_origin(settings, host, origin, bound=gateway.host)
                if issuer:
                    http.state.resource_metadata = f"{_base(settings, http)}{METADATA}{PATH}"
                return await handle(http)

            return checked

    routes = APIRouter(route_class=OriginFirst, tags=["mcp"])
    # The document of routes cannot say what JSON-RPC does; the protocol describes itself to its clients.
    callers = Annotated[Context, Depends(access(SCOPE))]

    @routes.post(PATH, include_in_schema=False)
    async def mcp(context: callers) -> HttpResponse:
        """Send a message of the Model Context Protocol (JSON-RPC). The response is JSON or server-sent events."""
        return _Answer(service, context)

    @routes.get(PATH, include_in_schema=False)
    async def mcp_stream(context: callers) -> HttpResponse:
        """The server's messages to a session (versions before 2026-07-28)."""
        return _Answer(service, context)

    @routes.delete(PATH, include_in_schema=False)
    async def mcp_end(context: callers) -> HttpResponse:
        """End a session (versions before 2026-07-28)."""
        return _Answer(service, context)

    @routes.get(METADATA)
    @routes.get(METADATA + PATH)
    async def mcp_metadata(http: HttpRequest) -> HttpResponse:
        """The authorization servers that issue tokens for `/mcp` (RFC 9728)."""
        if not issuer:
            raise NotFound("this server takes API keys only", remedy="Send the header `Authorization: Bearer <key>`")
        body: dict[str, Any] = metadata(f"{_base(settings, http)}{PATH}", issuer, [])
        return json_response(body, {"cache-control": "max-age=3600"})

    return routes


def _base(settings: McpSettings, http: HttpRequest) -> str:
    """The address under which a client sees this server."""
    if settings.url:
        return settings.url.rstrip("/").removesuffix(PATH)
    return f"{http.url.scheme}://{http.headers.get('host', '')}"
