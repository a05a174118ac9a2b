"""Tools that a request has the server run: their fields, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import HostedTool
from mainspring.http.bodies import Body, Table
from mainspring.http.fields import Hint, Refused

WEB = ("web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11")
TYPES = (*WEB, "mcp", "code_interpreter")
Label = Annotated[str, Field(min_length=1, max_length=128)]
Labels = Annotated[list[Label], Field(max_length=128, fail_fast=True)]
_REDACTED = "<redacted>"
_BOTH = ["direct", "programmatic"]
_Callers = Annotated[
    Any, Refused("only the model calls tools", "Leave it out, or name direct", unless=(["direct"], [], _BOTH))
]
_ReadOnly = Annotated[Any, Refused("a server's statement that a tool only reads is not trusted", "Name the tools")]


class WebSearchFilters(Body):
    allowed_domains: Labels | None = None
    blocked_domains: Labels | None = None


class WebSearchToolBody(Body):
    """The search of the web, through the endpoint of the settings."""

    type: str
    filters: WebSearchFilters | None = None
    search_context_size: Literal["low", "medium", "high"] | None = None
    external_web_access: bool | None = None
    user_location: Annotated[Any, Hint("the search endpoint ignores locations")] = None
    search_content_types: Annotated[Any, Hint("pages are searched")] = None
    allowed_callers: _Callers = None
    name: str | None = None


class McpToolFilter(Body):
    tool_names: Labels | None = None
    read_only: _ReadOnly = None


class McpApprovalFilter(Body):
    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpToolBody(Body):
    """The tools of an MCP server, by its address, or by its name in ``mcp.servers`` (``connector_id``)."""

    type: str
    server_label: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,64}$")]
    server_url: Annotated[str, Field(max_length=2048)] | None = None
    connector_id: Label | None = None
    authorization: Annotated[str, Field(max_length=16_384)] | None = Field(None, repr=False)
    headers: Table[Annotated[str, Field(max_length=16_384)]] | None = Field(None, repr=False)
    allowed_tools: Labels | McpToolFilter | None = None
    require_approval: Literal["always", "never"] | McpApprovalFilter | None = None
    server_description: Annotated[str | None, Hint("the server's tools describe themselves")] = None
    defer_loading: Annotated[Any, Hint("every tool of a request is shown to the model")] = None
    tunnel_id: Annotated[Any, Refused("there are no tunnels here", "Give server_url")] = None
    allowed_callers: _Callers = None
    name: str | None = None


class ContainerBody(Body):
    type: Literal["auto"]
    file_ids: Labels | None = None
    memory_limit: Annotated[Any, Hint("sandbox.memory_mb is the limit")] = None
    network_policy: Annotated[Any, Hint("code has no network")] = None


class CodeInterpreterToolBody(Body):
    """Python in the sandbox of the settings."""

    type: str
    container: str | ContainerBody | None = None
    allowed_callers: _Callers = None
    name: str | None = None


def read(sent: Mapping[str, Any], place: str) -> HostedTool | None:
    """The tool that is asked for; None for a search that must not reach the web. Raises ``InvalidRequest`` naming the
    field."""
    kind = sent["type"]
    try:
        if kind in WEB:
            return _web(WebSearchToolBody.model_validate(sent))
        if kind == "mcp":
            return _mcp(McpToolBody.model_validate(sent), place)
        return _code(CodeInterpreterToolBody.model_validate(sent), place)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in (place, *first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg']}", param=where) from None


def shown(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The tool as a response repeats it: without what is secret."""
    body = {name: value for name, value in sent.items() if name != "authorization"}
    if isinstance(headers := body.get("headers"), Mapping):
        body["headers"] = dict.fromkeys(headers, _REDACTED)
    if sent["type"] == "mcp":
        body = {"allowed_tools": None, "headers": None, "require_approval": "always", "server_description": None} | body
    elif sent["type"] == "code_interpreter":
        body = {"container": {"type": "auto"}} | body
    return body


def _web(body: WebSearchToolBody) -> HostedTool | None:
    if body.external_web_access is False:
        return None
    filters = body.filters or WebSearchFilters()
    domains = {"domains": filters.allowed_domains or [], "blocked": filters.blocked_domains or []}
    return HostedTool("web_search", {**domains, "search_context_size": body.search_context_size or "medium"})


def _mcp(body: McpToolBody, place: str) -> HostedTool:
    if (body.server_url is None) == (body.connector_id is None):
        raise InvalidRequest(f"{place} needs either server_url or connector_id", param=f"{place}.server_url")
    if body.connector_id is not None and (body.authorization or body.headers):
        raise InvalidRequest(
            f"{place}: a server from the settings uses its own credentials",
            remedy="Leave authorization and headers out, or give server_url",
            param=f"{place}.authorization" if body.authorization else f"{place}.headers",
        )
    allowed = body.allowed_tools.tool_names if isinstance(body.allowed_tools, McpToolFilter) else body.allowed_tools
    approval: Any = body.require_approval or "always"
    if isinstance(approval, McpApprovalFilter):
        always, never = approval.always, approval.never
        approval = {
            "always": list((always.tool_names or []) if always else []),
            "never": list((never.tool_names or []) if never else []),
        }
    found = {
        "server_label": body.server_label,
        "server_url": body.server_url,
        "connector_id": body.connector_id,
        "authorization": body.authorization,
        "headers": body.headers,
        "allowed_tools": allowed,
        "require_approval": approval,
    }
    return HostedTool("mcp", {name: value for name, value in found.items() if value is not None})


def _code(body: CodeInterpreterToolBody, place: str) -> HostedTool:
    if isinstance(body.container, str):
        raise InvalidRequest(
            f"{place}.container: nothing of a container is kept for another request",
            remedy="Send {type: auto}, with the ids of files in file_ids",
            param=f"{place}.container",
        )
    return HostedTool("code_interpreter", {"file_ids": (body.container.file_ids or []) if body.container else []})
