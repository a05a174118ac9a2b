"""The tools of one request, made of what it asks for."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from mainspring.agents.sandbox.base import checked_sizes
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult, Toolset
from mainspring.agents.tools.sources.code import CodeOptions, CodeRunner, CodeTool
from mainspring.agents.tools.sources.web_search import WebSearchOptions, WebSearchTool
from mainspring.core.errors import Forbidden, InvalidRequest, SettingsError, Unsupported
from mainspring.core.types import Context, HostedKind, HostedTool
from mainspring.feature import TOOLSET, Rooms
from mainspring.features.hosted.pending import Pending
from mainspring.features.hosted.settings import HostedSettings
from mainspring.http.openai.hosted.approvals import called
from mainspring.rag.websearch.search import domain

_COUNTS = {"low": 3, "medium": 5, "high": 10}
_CITE = " Write the number of each result that you use in brackets behind the sentence, such as [1]."


@dataclass(frozen=True, slots=True)
class Known:
    """What a tool is for the caller: its kind, and the label of its server and its name there. ``asks``: the caller can
    be asked for an approval; ``most``: calls of it that are permitted."""

    kind: HostedKind
    server: str = ""
    name: str = ""
    asks: bool = False
    most: int | None = None


@dataclass(slots=True)
class Kit:
    """The tools, by what they are; ``listed`` are the tools of each MCP server as the caller sees them. ``container``
    is the id of the room in which code runs. Close it after the run."""

    tools: list[BaseTool] = field(default_factory=list)
    known: dict[str, Known] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)
    container: str = ""
    forced: str = ""
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def add(self, tool: BaseTool, known: Known) -> None:
        """Raises ``InvalidRequest`` for a name that is taken."""
        name = tool.declaration.name
        if name in self.known:
            raise InvalidRequest(f"tools has two named {name}", remedy="Give each server a label", param="tools")
        self.tools.append(tool)
        self.known[name] = known


class Kits:
    """Makes the tools of requests."""

    def __init__(self, rooms: Rooms, settings: HostedSettings, code: CodeRunner | None) -> None:
        self._rooms = rooms
        self._settings = settings
        self._code = code

    async def made(self, asked: Sequence[HostedTool], context: Context, pending: Sequence[Pending]) -> Kit:
        """The tools of ``asked``. Raises ``Unsupported`` naming the tool and the remedy, ``NotFound`` for a file,
        ``UpstreamError`` for a server that does not list its tools."""
        kit = Kit()
        try:
            for index, each in enumerate(asked):
                if each.kind not in self._settings.tools:
                    remedy = "Leave it out, or add it to hosted.tools"
                    raise Unsupported(f"{each.kind} is off here", remedy=remedy, param="tools")
                if each.kind == "web_search":
                    self._web(kit, each)
                elif each.kind == "code_interpreter":
                    await self._python(kit, each, context)
                else:
                    await self._mcp(kit, each, context, pending, f"tools[{index}]")
        except BaseException:
            await kit.stack.aclose()
            raise
        return kit

    def _web(self, kit: Kit, asked: HostedTool) -> None:
        web = self._rooms.library.web
        web.check()
        for each in (*asked.options.get("domains", ()), *asked.options.get("blocked", ())):
            domain(each)
        options = WebSearchOptions(
            count=_COUNTS.get(str(asked.options.get("search_context_size")), web.settings.count),
            domains=tuple(asked.options.get("domains") or ()),
            blocked=tuple(asked.options.get("blocked") or ()),
        )
        known = Known("web_search", most=asked.options.get("max_uses"))
        kit.add(NumberedSearch(WebSearchTool(options, web)), known)
        if asked.forced:
            kit.forced = options.name

    async def _python(self, kit: Kit, asked: HostedTool, context: Context) -> None:
        if self._code is None:
            raise Unsupported("nothing here runs code", remedy="Leave code_interpreter out", param="tools")
        principal, store, limits = context.principal, self._rooms.stores.files, self._code.limits()
        wanted = dict.fromkeys(asked.options.get("file_ids") or ())
        infos = [await store.get(principal.tenant, each, groups=principal.groups) for each in wanted]
        # Before any is read: they lie in memory until the request ends.
        checked_sizes([each.bytes for each in infos], limits)
        files = {each.name: await store.content(principal.tenant, each.id, groups=principal.groups) for each in infos}
        kit.container = f"cntr_{secrets.token_hex(16)}"
        tool = CodeTool(CodeOptions(), self._code.box(), limits, self._code.kept(), files=files)
        kit.add(tool, Known("code_interpreter"))
        if asked.forced:
            kit.forced = tool.declaration.name

    async def _mcp(self, kit: Kit, asked: HostedTool, context: Context, pending: Sequence[Pending], place: str) -> None:
        # The protocol's library takes a second to import.
        from mainspring.agents.tools.mcp.tool import McpTool

        options = asked.options
        label = str(options["server_label"])
        toolset = self._toolset(label, options, place)
        kit.stack.push_async_callback(toolset.aclose)
        allowed: Sequence[str] | None = options.get("allowed_tools")
        denied: Sequence[str] = options.get("denied_tools") or ()
        told: list[dict[str, Any]] = []
        for tool in await toolset.tools(context):
            if not isinstance(tool, McpTool) or tool.own_name in denied:
                continue
            if allowed is not None and tool.own_name not in allowed:
                continue
            asks = _asks(options.get("require_approval"), tool.own_name) or tool.policy.approval is True
            shown = dataclasses.replace(tool.declaration, name=called(label, tool.own_name))
            policy = _policy(shown.name, tool.policy, asks, pending)
            known = Known("mcp", label, tool.own_name, asks=options.get("asks", True))
            kit.add(dataclasses.replace(tool, declaration=shown, policy=policy), known)
            told.append(
                {
                    "name": tool.own_name,
                    "description": shown.description,
                    "input_schema": dict(shown.parameters),
                    "annotations": None,
                }
            )
            if asked.forced and options.get("name") in (None, tool.own_name):
                kit.forced = kit.forced or shown.name
        kit.listed.append({"server": label, "tools": told})

    def _toolset(self, label: str, options: Mapping[str, Any], place: str) -> Toolset:
        if name := options.get("connector_id"):
            named = str(name).removeprefix("connector_")
            if named not in self._settings.connectors:
                raise Forbidden(
                    f"requests may not name the server {named}",
                    remedy="hosted.connectors lists those of mcp.servers that they may; or give server_url",
                )
            try:
                return self._rooms.engines.plugins.make(TOOLSET, "mcp", self._rooms, {"server": named})
            except SettingsError as error:
                raise InvalidRequest(error.message, remedy=error.remedy, param=f"{place}.connector_id") from None
        from mainspring.agents.tools.mcp.connection import Connection
        from mainspring.agents.tools.mcp.pins import MemoryPins
        from mainspring.agents.tools.mcp.settings import McpServerSettings
        from mainspring.agents.tools.mcp.toolset import McpToolset

        url, param = str(options["server_url"]), f"{place}.server_url"
        host = (urlsplit(url).hostname or "").lower()
        if self._settings.mcp_hosts and host not in self._settings.mcp_hosts:
            raise Forbidden(f"requests may not name MCP servers at {host}", remedy="hosted.mcp_hosts lists those")
        headers = dict(options.get("headers") or {})
        if token := options.get("authorization"):
            headers["authorization"] = f"Bearer {token}"
        try:
            # Each answer lists the tools, and the caller approves calls: nothing is pinned.
            settings = McpServerSettings(url=url, headers=headers, approve="never")
        except ValueError:
            raise InvalidRequest(f"{param} is not an http address", param=param) from None
        private = host in self._settings.private_hosts
        return McpToolset(label, settings, Connection(label, settings, own_host_private=private), MemoryPins())


class NumberedSearch:
    """A search of the web whose results are numbered through a whole run, so that they can be cited."""

    def __init__(self, inner: WebSearchTool) -> None:
        self._inner = inner
        self._count = 0
        told = inner.declaration
        self.declaration = dataclasses.replace(told, description=told.description + _CITE)
        self.policy, self.examples = inner.policy, inner.examples

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        found = await self._inner.call(arguments, context)
        rows = []
        for each in found.output["results"]:
            self._count += 1
            rows.append({"number": self._count, **each})
        return ToolResult({"results": rows})


def _asks(wanted: Any, name: str) -> bool:
    """Whether a person approves calls of the tool first: always, unless the request says otherwise."""
    if isinstance(wanted, Mapping):
        if name in wanted.get("always", ()):
            return True
        return name not in wanted.get("never", ())
    return bool(wanted != "never")


def _policy(tool: str, policy: ToolPolicy, asks: bool, pending: Sequence[Pending]) -> ToolPolicy:
    """``policy`` for a server that the caller has chosen: a person sees each call of a tool that ``asks``, so nothing
    else judges it; where the caller asks for no approval, the words of the declaration are the caller's own."""
    if asks:
        return dataclasses.replace(policy, approval=True, effect="none", outward=False, retries=0, foreign=False)
    waits = [each for each in pending if each.tool == tool]
    return dataclasses.replace(
        policy, approval=lambda arguments: any(each.fits(tool, arguments) for each in waits), foreign=False
    )
