"""The tools of one server: listed, checked, compared with what was approved, and named after the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import mcp.types as types
import orjson
from mcp import Client, MCPError

from mainspring.agents.tools.base import BaseTool, ToolPolicy
from mainspring.agents.tools.mcp import texts
from mainspring.agents.tools.mcp.connection import Connection
from mainspring.agents.tools.mcp.pins import Pins, SeenTool
from mainspring.agents.tools.mcp.settings import McpServerSettings
from mainspring.agents.tools.mcp.tool import McpTool, ServerTool, policy_of
from mainspring.core.errors import Forbidden, UpstreamError
from mainspring.core.types import Context, Tool

_log = logging.getLogger("mainspring.mcp")
_FRESH_S = 300.0
# Approvals are looked at again after this time, so that one that is given takes effect soon.
_LOOK_S = 10.0
_PAGES = 50


class McpToolset:
    """The tools of a server that may be used. ``dropped`` says of each other one why it is not offered."""

    def __init__(self, name: str, settings: McpServerSettings, connection: Connection, pins: Pins) -> None:
        self.name = name
        self._settings = settings
        self._connection = connection
        self._pins = pins
        self._listing = asyncio.Lock()
        self._tools: tuple[BaseTool, ...] = ()
        self._seen = self._begun = -1
        self._at = 0.0
        self.waiting: tuple[SeenTool, ...] = ()
        self.dropped: dict[str, str] = {}

    async def tools(self, context: Context) -> Sequence[BaseTool]:
        if self._settings.tenants and context.principal.tenant not in self._settings.tenants:
            problem = f"the MCP server {self.name} is not for this tenant"
            raise Forbidden(problem, remedy=f"mcp.servers.{self.name}.tenants names those that may use it")
        fresh = _LOOK_S if self.waiting else _FRESH_S
        if self._seen == self._connection.changes and time.monotonic() - self._at < fresh:
            return self._tools
        async with self._listing:
            if self._seen != self._connection.changes or time.monotonic() - self._at >= fresh:
                await self._list()
        return self._tools

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _list(self) -> None:
        try:
            listed = await self._connection.run("list its tools", self._all)
        except MCPError as error:
            problem = f"the MCP server {self.name} lists no tools: {texts.clean(error.error.message, 300)}"
            raise UpstreamError(problem) from None
        self.dropped = {}
        found = self._checked(listed)
        approved = await self._approved([each for each, _, _ in found])
        tools: list[BaseTool] = [
            McpTool(declaration, policy, seen.name, self._connection, self._settings)
            for seen, declaration, policy in found
            if seen.name in approved
        ]
        self._tools = (*tools, *self._of_server())
        self._seen, self._at = self._begun, time.monotonic()
        for name, why in self.dropped.items():
            _log.warning("the tool %s of the MCP server %s is not offered: %s", name, self.name, why)

    async def _all(self, client: Client) -> list[types.Tool]:
        # What changes from now on is not in the list.
        self._begun = self._connection.changes
        found: list[types.Tool] = []
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await client.list_tools(cursor=cursor, cache_mode="refresh")
            found += page.tools
            cursor = page.next_cursor
            if cursor is None or len(found) > self._settings.max_tools:
                break
        return found

    def _checked(self, listed: Sequence[types.Tool]) -> list[tuple[SeenTool, Tool, ToolPolicy]]:
        """The tools that can be used, as agents see them. The others are noted as dropped."""
        found: list[tuple[SeenTool, Tool, ToolPolicy]] = []
        names: set[str] = set()
        for index, tool in enumerate(listed):
            shown = texts.clean(tool.name, 100)
            parameters = texts.schema(tool.input_schema)
            name = texts.tool_name(self._settings.prefix or self.name, tool.name)
            if self._settings.tools and tool.name not in self._settings.tools:
                continue
            if index >= self._settings.max_tools:
                self.dropped[shown] = f"the server has more than {self._settings.max_tools} tools"
            elif parameters is None:
                self.dropped[shown] = "its schema is not an object, is too large, or refers to other documents"
            elif name in names:
                self.dropped[shown] = "the server has two tools of this name"
            else:
                names.add(name)
                said = tool.description or ""
                hints = tool.annotations
                digest = texts.digest(
                    tool.name, said, tool.input_schema, hints.model_dump(mode="json") if hints else None
                )
                description = texts.clean(said)
                seen = SeenTool(tool.name, digest, description)
                found.append((seen, Tool(name, description, parameters), policy_of(self._settings, hints)))
        return found

    async def _approved(self, found: Sequence[SeenTool]) -> frozenset[str]:
        """The names of the tools whose words were approved; the others wait."""
        self.waiting = ()
        if self._settings.approve == "never":
            return frozenset(each.name for each in found)
        if self._settings.approve == "first":
            await self._pins.approve(self.name, tuple(found), first=True)
        known = await self._pins.approved(self.name)
        waiting = tuple(each for each in found if known.get(each.name) != each.digest)
        self.waiting = waiting
        await self._pins.waiting(self.name, waiting)
        for each in waiting:
            what = "has changed since it was approved" if each.name in known else "is new"
            self.dropped[texts.clean(each.name, 100)] = (
                f"it {what}; `mainspring mcp tools {self.name}` shows it, `mainspring mcp approve {self.name}` takes it"
            )
        return frozenset(each.name for each in found) - {each.name for each in waiting}

    def _of_server(self) -> list[BaseTool]:
        prefix, settings = self._settings.prefix or self.name, self._settings
        policy = ToolPolicy(
            effect="none",
            timeout_s=settings.timeout_s,
            trusted=settings.trusted,
            outward=not settings.trust_hints,
            max_characters=settings.max_output,
        )

        def made(name: str, method: str, description: str, parameters: Mapping[str, Any]) -> ServerTool:
            declaration = Tool(texts.tool_name(prefix, name), description, parameters)
            return ServerTool(declaration, policy, self._connection, settings, method)

        found: list[BaseTool] = []
        if settings.resources:
            found.append(made("list_resources", "resources/list", f"List the resources of {self.name}.", _CURSOR))
            found.append(made("read_resource", "resources/read", f"Read a resource of {self.name}.", _URI))
        if settings.prompts:
            found.append(made("get_prompt", "prompts/get", f"Read a prompt of {self.name}.", _PROMPT))
        return found


def options_digest(options: Mapping[str, Any]) -> str:
    """A name for a server that has none."""
    import hashlib

    return hashlib.sha256(orjson.dumps(dict(options), option=orjson.OPT_SORT_KEYS)).hexdigest()[:12]


_CURSOR = {"type": "object", "properties": {"cursor": {"type": "string"}}, "additionalProperties": False}
_URI = {
    "type": "object",
    "properties": {"uri": {"type": "string"}},
    "required": ["uri"],
    "additionalProperties": False,
}
_PROMPT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "arguments": {"type": "object"}},
    "required": ["name"],
    "additionalProperties": False,
}
