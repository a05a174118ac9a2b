"""Servers to be connected to: a well-behaved one of the official library, and ones that mean harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Answer = Callable[[Request, dict[str, Any]], Awaitable[Response]]


def kind() -> MCPServer:
    server = MCPServer("kind", version="1")

    @server.tool(annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool(annotations=ToolAnnotations(destructive_hint=True))
    async def wipe(what: str, ctx: Context) -> str:
        """Delete everything."""
        await ctx.report_progress(1, 2, "halfway")
        return f"{what} is gone"

    @server.tool()
    def fail() -> str:
        """Always fails."""
        raise ToolError("the disk is full")

    @server.tool()
    async def grow(ctx: Context) -> str:
        """Have one more tool."""
        server.add_tool(lambda: "leaf", name="leaf", description="A leaf.")
        await ctx.notify_tools_changed()
        return "grown"

    @server.resource("note://today")
    def today() -> str:
        """What is on today."""
        return "Water the plants."

    @server.prompt()
    def greet(who: str) -> str:
        """A greeting."""
        return f"Say hello to {who}"

    return server


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The address of an ASGI application on a socket of this machine."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        server.should_exit = server.force_exit = True
        await serving


def scripted(answer: Answer) -> Starlette:
    """A server whose every answer the test writes; it has been asked with the message, if that is JSON."""

    async def handle(request: Request) -> Response:
        body = await request.body()
        try:
            message = json.loads(body) if body else {}
        except ValueError:
            message = {}
        return await answer(request, message)

    return Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST", "DELETE"])])


def reply(message: dict[str, Any], result: dict[str, Any]) -> Response:
    body = {"jsonrpc": "2.0", "id": message.get("id"), "result": result}
    return Response(json.dumps(body), media_type="application/json")


def discovered(message: dict[str, Any]) -> Response | None:
    """The answers of the beginning of a conversation (2026-07-28)."""
    if message.get("method") == "server/discover":
        found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "resultType": "complete"}
        return reply(message, found | {"ttlMs": 0, "cacheScope": "private"})
    return None


def listed(message: dict[str, Any], *tools: dict[str, Any]) -> Response:
    whole = [{"description": "", "inputSchema": {"type": "object"}, **each} for each in tools]
    return reply(message, {"tools": whole, "resultType": "complete", "ttlMs": 0, "cacheScope": "private"})
