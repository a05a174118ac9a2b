"""The service: makes the protocol's server when the first client comes. Its library takes a second to import."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from mainspring.feature import Rooms
from mainspring.features.mcp.settings import McpSettings

if TYPE_CHECKING:
    from mainspring.features.mcp.server.offers import Offer
    from mainspring.features.mcp.server.protocol import ContextOf, Protocol
    from mainspring.features.mcp.server.transport import Transport

INSTRUCTIONS = (
    "Documents and models of one organisation. Use `ask` for facts, which come with citations, and `search` to find "
    "passages; `list_collections` names what there is. A cited passage is a resource that can be read."
)


class Mcp:
    """What this system offers to clients of the Model Context Protocol."""

    def __init__(self, rooms: Rooms, settings: McpSettings) -> None:
        self._rooms = rooms
        self.settings = settings
        self.more: list[Offer] = []
        """Further offers, which are asked after ours."""
        self._transport: Transport | None = None
        self._making = asyncio.Lock()

    async def transport(self) -> Transport:
        """The sessions and requests over HTTP."""
        if self._transport is None:
            async with self._making:
                if self._transport is None:
                    self._transport = await asyncio.to_thread(self._made)
        return self._transport

    def protocol(self, context_of: ContextOf) -> Protocol:
        """A server whose requests are those of the callers that ``context_of`` names."""
        from mainspring.features.mcp.server.documents import Documents
        from mainspring.features.mcp.server.prompts import RegistryPrompts
        from mainspring.features.mcp.server.protocol import Protocol
        from mainspring.features.mcp.server.tools import ServedTools

        rooms, settings = self._rooms, self.settings
        own: list[Offer] = [
            ServedTools(rooms),
            Documents(rooms.library, settings.page),
            RegistryPrompts(rooms.stores.prompts, settings.prompts, settings.page),
        ]
        return Protocol(
            [*own, *self.more], context_of, rooms.path.charge, watch_s=settings.watch_s, instructions=INSTRUCTIONS
        )

    def _made(self) -> Transport:
        from mainspring.features.mcp.server.transport import Transport, context_of

        return Transport(
            self.protocol(context_of), self.settings, max_body_bytes=self._rooms.settings.gateway.max_body_bytes
        )

    async def aclose(self) -> None:
        """End the sessions."""
        if self._transport is not None:
            await self._transport.aclose()
