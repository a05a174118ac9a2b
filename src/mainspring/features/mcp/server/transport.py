"""The way of a request to the protocol's server: where it comes from, whose it is, and the sessions of a tenant."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.types import Receive, Scope, Send

from mainspring.core.types import Context
from mainspring.features.mcp.server.protocol import Ctx, Protocol
from mainspring.features.mcp.settings import McpSettings


def context_of(request: Ctx) -> Context:
    """The context that the gateway gave a request."""
    assert request.request is not None
    context: Context = request.request.state.context
    return context


class Transport:
    """Serves requests whose context is known. Each tenant has sessions of its own: their number is bounded for it
    alone, and an id of another tenant's session means nothing."""

    def __init__(
        self,
        protocol: Protocol,
        settings: McpSettings,
        *,
        max_body_bytes: int,
    ) -> None:
        self._protocol = protocol
        self._settings = settings
        self._max_body = max_body_bytes
        self._sessions: dict[str, _Sessions] = {}

    async def serve(self, context: Context, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request of the caller."""
        principal = context.principal
        sessions = self._sessions.get(principal.tenant)
        if sessions is None or sessions.ended:
            sessions = self._sessions[principal.tenant] = _Sessions(self._manager())
        token = AccessToken(token="", client_id=principal.key_id, scopes=sorted(principal.scopes))
        manager = await sessions.started()
        # Blanks around a value do not belong to it (RFC 9110), and the parser in front leaves them there.
        headers = [(header, value.strip(b" \t")) for header, value in scope["headers"]]
        await manager.handle_request({**scope, "headers": headers, "user": AuthenticatedUser(token)}, receive, send)

    # No events are kept for a client that lost its stream: the library's store knows no sessions, and would show those
    # of one to another.
    def _manager(self) -> StreamableHTTPSessionManager:
        return StreamableHTTPSessionManager(
            self._protocol.server,
            session_idle_timeout=self._settings.session_idle_s,
            max_request_body_size=self._max_body,
            max_sessions=self._settings.sessions,
        )

    async def aclose(self) -> None:
        """End all sessions."""
        for each in self._sessions.values():
            await each.aclose()


class _Sessions:
    """The sessions of one tenant, in a task of their own: their scope must end where it began."""

    def __init__(self, manager: StreamableHTTPSessionManager) -> None:
        self._manager = manager
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(), name="mcp: sessions")

    async def _run(self) -> None:
        try:
            async with self._manager.run():
                self._ready.set_result(None)
                await asyncio.Event().wait()
        finally:
            # Callers that still wait for it go on.
            self._ready.cancel()

    @property
    def ended(self) -> bool:
        return self._task.done()

    async def started(self) -> StreamableHTTPSessionManager:
        await asyncio.shield(self._ready)
        return self._manager

    async def aclose(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
