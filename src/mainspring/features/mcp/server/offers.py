"""What the server offers to clients: an ``Offer`` brings tools, resources and prompts, and each is asked in turn.

An offer sees who asks. It returns None for what is not its own, so that the next one is asked.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mcp.types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPDeprecationWarning

from mainspring.core.types import Context

# Clients of 2025-11-25 want logs as they were.
warnings.filterwarnings("ignore", category=MCPDeprecationWarning, module=__name__)
# Between two messages of progress, so that a stream of tokens is no stream of messages.
_PROGRESS_S = 0.25
LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
LEVEL = "level"
"""The name under which a connection's state has the least level that it wants to be told."""


@dataclass(slots=True)
class Call:
    """One request of a client: ``context`` is the caller's, ``request`` is the protocol's."""

    context: Context
    request: ServerRequestContext[Any, Any]
    _told: float = 0.0
    _count: int = 0

    async def progress(self, message: str, *, always: bool = True) -> None:
        """Tell a client that asked for it how far the work is; not ``always``: at most a few times a second."""
        now = time.monotonic()
        if not always and now - self._told < _PROGRESS_S:
            return
        self._told = now
        self._count += 1
        await self.request.session.report_progress(self._count, message=message)

    async def log(self, level: types.LoggingLevel, text: str) -> None:
        """Tell a client that wants messages of this level."""
        least = self.request.session._connection.state.get(LEVEL, "info")
        if LEVELS.index(level) < LEVELS.index(least):
            return
        await self.request.session.send_log_message(
            level, text, "mainspring", related_request_id=self.request.request_id
        )


Result = types.CallToolResult | types.InputRequiredResult
Page = tuple[Sequence[Any], str | None]
"""Some of a list, and the cursor of the rest (None: that was all)."""


class Offer:
    """Offers nothing; subclasses override what they have."""

    async def tools(self, call: Call) -> Sequence[types.Tool]:  # noqa: ARG002
        return ()

    def input_schema(self, name: str) -> dict[str, Any] | None:  # noqa: ARG002
        """The schema of a tool whose arguments are repeated in headers (``x-mcp-header``)."""
        return None

    async def call_tool(self, call: Call, params: types.CallToolRequestParams) -> Result | None:  # noqa: ARG002
        return None

    async def resources(self, call: Call, cursor: str | None) -> Page:  # noqa: ARG002
        return (), None

    async def templates(self, call: Call) -> Sequence[types.ResourceTemplate]:  # noqa: ARG002
        return ()

    async def read(
        self,
        call: Call,  # noqa: ARG002
        params: types.ReadResourceRequestParams,  # noqa: ARG002
    ) -> types.ReadResourceResult | types.InputRequiredResult | None:
        return None

    async def version(self, call: Call, uri: str) -> str | None:  # noqa: ARG002
        """The state of a resource: another one after each change; None: it is not there."""
        return None

    async def prompts(self, call: Call, cursor: str | None) -> Page:  # noqa: ARG002
        return (), None

    async def prompt(
        self,
        call: Call,  # noqa: ARG002
        params: types.GetPromptRequestParams,  # noqa: ARG002
    ) -> types.GetPromptResult | types.InputRequiredResult | None:
        return None

    async def complete(
        self,
        call: Call,  # noqa: ARG002
        params: types.CompleteRequestParams,  # noqa: ARG002
    ) -> Sequence[str] | None:
        """Values for the argument of a prompt or a resource template, the best first."""
        return None


def text_result(text: str, structured: dict[str, Any] | None = None, *, error: bool = False) -> types.CallToolResult:
    """The result of a tool: text for models, and the same as data."""
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structured_content=structured, is_error=error)
