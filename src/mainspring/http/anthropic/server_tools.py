"""Tools of Anthropic's requests that the server runs: searches of the web, Python, and MCP servers.

They are those of OpenAI's Responses (docs/guides/hosted-tools.md) under Anthropic's names. What would need a part that
is not here (pages that are fetched, a shell) is refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import HostedTool
from mainspring.http.bodies import Body, Table
from mainspring.http.fields import Hint, Refused

WEB = ("web_search_20250305", "web_search_20260209", "web_search_20260318")
CODE = ("code_execution_20250522",)
MCP = "mcp_toolset"
TYPES = (*WEB, *CODE, MCP)
NAMES = {**dict.fromkeys(WEB, "web_search"), **dict.fromkeys(CODE, "code_execution")}
"""What the tool is called, for the client and in ``tool_choice``."""
SHOWN = {"web_search": "web_search", "code_interpreter": "code_execution"}
"""The same, by what it is here."""
Label = Annotated[str, Field(min_length=1, max_length=128)]
Labels = Annotated[list[Label], Field(max_length=128, fail_fast=True)]
_LISTED = "Every tool of a server is shown to the model from the start"


class McpToolConfig(BaseModel):
    """Whether a tool is offered."""

    model_config = ConfigDict(extra="ignore")
    enabled: bool | None = None
    defer_loading: Annotated[Any, Hint(_LISTED)] = None


class McpToolConfiguration(Body):
    """The tools of a server in requests of the older beta, which name no toolset."""

    allowed_tools: Labels | None = None
    enabled: bool | None = None


class McpServer(Body):
    """An MCP server by its address; ``authorization_token`` is sent there, and stored nowhere."""

    type: Literal["url"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    url: Annotated[str, Field(max_length=2048, pattern=r"^https?://")]
    authorization_token: Annotated[str, Field(max_length=16_384)] | None = Field(None, repr=False)
    tool_configuration: McpToolConfiguration | None = None


McpServers = Annotated[list[McpServer], Field(max_length=20, fail_fast=True)]


class ServerToolFields(BaseModel):
    """The fields of a tool that only those have that the server runs."""

    max_uses: Annotated[int, Field(ge=1)] | None = None
    allowed_domains: Labels | None = None
    blocked_domains: Labels | None = None
    user_location: Annotated[Any, Hint("the endpoint searches alike for everybody")] = None
    response_inclusion: Annotated[Any, Hint("results of searches are always told")] = None
    mcp_server_name: Label | None = None
    configs: Table[McpToolConfig] | None = None
    default_config: McpToolConfig | None = None
    tools: Annotated[
        Any, Refused("an MCP server is always asked for its tools", "Leave tools out, and set configs", unless=([],))
    ] = None


def server_tool(spec: ServerToolFields, kind: str, name: str | None, place: str) -> HostedTool:
    """A search of the web or Python. Raises ``InvalidRequest`` naming the field."""
    if name is not None and name != NAMES[kind]:
        problem = f"{place}.name is {name[:64]!r}, and a tool of type {kind} is called {NAMES[kind]}"
        raise InvalidRequest(problem, param=f"{place}.name")
    most = {} if spec.max_uses is None else {"max_uses": spec.max_uses}
    if kind in CODE:
        if spec.max_uses is not None:
            raise InvalidRequest(f"{place}.max_uses belongs to searches of the web", param=f"{place}.max_uses")
        return HostedTool("code_interpreter")
    if spec.allowed_domains and spec.blocked_domains:
        problem = f"{place}: allowed_domains and blocked_domains exclude each other"
        raise InvalidRequest(problem, remedy="Send one of them", param=f"{place}.blocked_domains")
    domains = {"domains": spec.allowed_domains or [], "blocked": spec.blocked_domains or []}
    return HostedTool("web_search", {**domains, **most})


def mcp_tools(servers: Sequence[McpServer], toolsets: Sequence[tuple[ServerToolFields, str]]) -> tuple[HostedTool, ...]:
    """The tools of MCP servers: those that ``toolsets`` (each with its place in the request) choose, or those of the
    server's own configuration. Raises ``InvalidRequest``."""
    known = {each.name: each for each in servers}
    if len(known) < len(servers):
        raise InvalidRequest("mcp_servers has two of one name", remedy="Rename one", param="mcp_servers")
    chosen: dict[str, tuple[list[str] | None, list[str]]] = {}
    for spec, place in toolsets:
        named = spec.mcp_server_name
        if named is None or named not in known:
            problem = f"{place}.mcp_server_name names none of mcp_servers"
            raise InvalidRequest(problem, remedy="Add the server to mcp_servers", param=f"{place}.mcp_server_name")
        if named in chosen:
            raise InvalidRequest(f"{place}: another toolset has this server", param=f"{place}.mcp_server_name")
        chosen[named] = _chosen(spec)
    found = []
    for server in servers:
        own = server.tool_configuration
        if server.name not in chosen and own is not None and own.enabled is False:
            continue
        allowed, denied = chosen.get(server.name) or (own.allowed_tools if own else None, [])
        found.append(HostedTool("mcp", _server(server, allowed, denied)))
    return tuple(found)


def _chosen(spec: ServerToolFields) -> tuple[list[str] | None, list[str]]:
    """The tools that are allowed (None: all), and those that are not."""
    configs: Mapping[str, McpToolConfig] = spec.configs or {}
    off = [name for name, each in configs.items() if each.enabled is False]
    if spec.default_config is not None and spec.default_config.enabled is False:
        return [name for name, each in configs.items() if each.enabled is True], []
    return None, off


def _server(server: McpServer, allowed: list[str] | None, denied: list[str]) -> dict[str, Any]:
    # Anthropic's format has no way to ask for an approval. So none waits: a call that would need one is not made.
    options: dict[str, Any] = {
        "server_label": server.name,
        "server_url": server.url,
        "require_approval": "never",
        "asks": False,
        "denied_tools": denied,
    }
    if server.authorization_token is not None:
        options["authorization"] = server.authorization_token
    return options | ({} if allowed is None else {"allowed_tools": allowed})


def refusal(kind: str, place: str) -> Unsupported:
    """For a type that nothing here runs."""
    remedy = "Send tools with an input_schema, which your client runs"
    if kind.startswith("web_fetch"):
        remedy = f"Offer {WEB[0]}, whose results have extracts of pages, or a tool of yours that fetches"
    elif kind.startswith("code_execution"):
        remedy = f"Offer {CODE[0]}, which runs Python; a shell and files that stay are not here"
    return Unsupported(f"{place} is of type {kind!r}, which nothing here runs", remedy=remedy, param=f"{place}.type")
