"""A tool of a server, as agents see it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp.types as types
from mcp import Client, MCPError

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.mcp import texts
from mainspring.agents.tools.mcp.connection import Connection
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.core.types import Tool


@dataclass(frozen=True, slots=True)
class McpTool:
    """``own_name`` is the server's name for it."""

    declaration: Tool
    policy: ToolPolicy
    own_name: str
    connection: Connection
    settings: McpServerSettings
    examples: tuple[str, ...] = field(default=())

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        async def progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
            context.progress(texts.clean(message or "", 200) or f"{self.own_name}: {progress:g}")

        async def work(client: Client) -> types.CallToolResult:
            meta: Any = dict(context.context.trace.headers())
            return await client.call_tool(self.own_name, dict(arguments), progress_callback=progress, meta=meta)

        try:
            found = await self.connection.run(f"answer the call of {self.own_name}", work)
        except MCPError as error:
            return ToolResult(error=f"The server refused: {texts.clean(error.error.message, 500)}")
        # A very long result is cut in a thread, where it keeps nobody waiting.
        shown = await asyncio.to_thread(texts.shown, found.content, found.structured_content, self.settings.max_output)
        if found.is_error:
            return ToolResult(error=texts.clean(str(shown), 2_000) or "The tool failed and did not say why.")
        return ToolResult(shown)


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool over the server itself rather than one of its tools: its resources, its prompts."""

    declaration: Tool
    policy: ToolPolicy
    connection: Connection
    settings: McpServerSettings
    method: str
    examples: tuple[str, ...] = field(default=())

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG002
        try:
            return ToolResult(await self.connection.run(f"answer {self.method}", lambda it: self._work(it, arguments)))
        except MCPError as error:
            return ToolResult(error=f"The server refused: {texts.clean(error.error.message, 500)}")

    async def _work(self, client: Client, arguments: Mapping[str, Any]) -> Any:
        most = self.settings.max_output
        if self.method == "resources/list":
            page = await client.list_resources(cursor=arguments.get("cursor"))
            rows = [{"uri": str(each.uri), "name": texts.clean(each.name, 200)} for each in page.resources[:200]]
            return {"resources": rows, "cursor": page.next_cursor}
        if self.method == "resources/read":
            read = await client.read_resource(str(arguments["uri"]))
            blocks = [types.EmbeddedResource(type="resource", resource=each) for each in read.contents]
            return texts.shown(blocks, None, most)
        given = {str(name): str(value) for name, value in (arguments.get("arguments") or {}).items()}
        got = await client.get_prompt(str(arguments["name"]), given)
        return texts.shown([each.content for each in got.messages], None, most)


def policy_of(settings: McpServerSettings, hints: types.ToolAnnotations | None) -> ToolPolicy:
    """How a tool may be called. Its server's hints make that stricter; laxer only where the settings believe them."""
    believed = hints if settings.trust_hints else None
    reads = believed is not None and bool(believed.read_only_hint)
    again = believed is not None and bool(believed.idempotent_hint)
    destroys = hints is not None and bool(hints.destructive_hint) and not (hints.read_only_hint or False)
    inside = believed is not None and believed.open_world_hint is False
    return ToolPolicy(
        effect="none" if reads else "keyed" if again else "unkeyed",
        approval=destroys or (settings.confirm and not reads),
        timeout_s=settings.timeout_s,
        retries=1 if reads else 0,
        trusted=settings.trusted,
        outward=not inside,
        foreign=True,
        max_characters=settings.max_output,
    )
