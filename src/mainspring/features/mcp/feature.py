"""The feature: the MCP server at `/mcp` and over stdio, and the MCP servers whose tools agents use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.mcp.routes import router
from mainspring.features.mcp.service import Mcp
from mainspring.features.mcp.settings import McpSettings


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Mcp]:
    service = Mcp(rooms, rooms.settings.section(McpSettings))
    try:
        yield service
    finally:
        await asyncio.shield(service.aclose())


def _routes(http: Http) -> list[APIRouter]:
    service = http.services[Mcp]
    return [router(service, http.rooms.settings.gateway, http.access)] if service.settings.serve else []


FEATURE = Feature("mcp", open=_open, routes=_routes)
