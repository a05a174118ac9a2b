"""The server on standard input and output, for clients that start their servers themselves."""

from __future__ import annotations

import dataclasses
import logging
import sys
import time
from contextlib import redirect_stdout

from mcp.server.stdio import stdio_server

from mainspring.command import Opener
from mainspring.core.settings import Settings
from mainspring.core.types import Context, TraceParent
from mainspring.features.mcp.server.protocol import Ctx
from mainspring.features.mcp.service import Mcp
from mainspring.features.mcp.settings import McpSettings


async def serve(opener: Opener, settings: Settings, key: str) -> None:
    """Speak until the client closes the input. The rights are those of ``key``; without one, of the local user, who may
    read the home anyway. Raises ``Unauthenticated``."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    # Whatever prints by mistake must not be in the middle of the protocol.
    async with stdio_server() as (read, write):
        with redirect_stdout(sys.stderr):
            async with opener(settings) as rooms:
                principal = rooms.local if not key else await rooms.stores.keys.authenticate(key)

                def context_of(request: Ctx) -> Context:
                    seconds = settings.gateway.request_timeout_s
                    trace = _trace(request) or TraceParent.new()
                    return Context(principal, trace=trace, deadline=time.monotonic() + seconds)

                protocol = Mcp(rooms, settings.section(McpSettings)).protocol(context_of)
                await protocol.server.run(read, write, protocol.server.create_initialization_options())


def _trace(request: Ctx) -> TraceParent | None:
    meta = request.meta or {}
    parts = str(meta.get("traceparent", "")).split("-")
    if len(parts) != 4 or len(parts[1]) != 32 or len(parts[2]) != 16:
        return None
    return dataclasses.replace(TraceParent.new(), trace_id=parts[1], span_id=parts[2])
