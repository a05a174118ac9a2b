"""Anthropic's tools: those of clients become functions for the model, and those that the server runs are read by
``server_tools``.

Clients also run some tools that have no schema in the request, since Anthropic's models were trained on them (``bash``,
the text editor, ``computer``, ``memory``): they get the schema that Anthropic documents.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import ConfigDict, Field

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import HostedTool, Tool
from mainspring.http.anthropic import server_tools
from mainspring.http.anthropic.server_tools import McpServer, ServerToolFields
from mainspring.http.bodies import Body, Few, Free, Name, bounded
from mainspring.http.fields import Hint, Types, kind_of

_TEXT: Mapping[str, Any] = {"type": "string"}
_PLACE: Mapping[str, Any] = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}


def _commands(description: str, commands: Sequence[str], **properties: Any) -> tuple[str, Mapping[str, Any]]:
    known = {"command": {"type": "string", "enum": list(commands)}, "path": _TEXT, **properties}
    return description, {"type": "object", "properties": known, "required": ["command"]}


_EDITS: Mapping[str, Any] = {
    "file_text": {**_TEXT, "description": "content of the new file, for create"},
    "old_str": {**_TEXT, "description": "text to be replaced, which must occur exactly once, for str_replace"},
    "new_str": {**_TEXT, "description": "text in its place, for str_replace"},
    "insert_line": {"type": "integer", "description": "line after which to insert, for insert"},
    "insert_text": {**_TEXT, "description": "text to insert, for insert"},
}
_VIEW: Mapping[str, Any] = {"view_range": {**_PLACE, "description": "first and last line to show, for view"}}
_EDITOR = ("view", "create", "str_replace", "insert")
_CLICKS = ("left_click", "right_click", "middle_click", "double_click", "triple_click", "left_click_drag")
_KEYS = ("key", "type", "mouse_move", "screenshot", "cursor_position", "scroll", "hold_key", "wait", "zoom")
CLIENT_TOOLS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "bash": (
        "Runs a command in a bash session that lasts, and returns its output. restart: true starts a new session.",
        {"type": "object", "properties": {"command": _TEXT, "restart": {"type": "boolean"}}},
    ),
    "text_editor": _commands("Views, creates and edits files.", (*_EDITOR, "undo_edit"), **_VIEW, **_EDITS),
    "memory": _commands(
        "Keeps notes in files under /memories that later conversations can read.",
        (*_EDITOR, "delete", "rename"),
        **_VIEW,
        **_EDITS,
        old_path={**_TEXT, "description": "for rename"},
        new_path={**_TEXT, "description": "for rename"},
    ),
    "computer": (
        "Controls the screen, the mouse and the keyboard of a computer.",
        {
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": [*_CLICKS, *_KEYS]},
                "coordinate": _PLACE,
                "start_coordinate": _PLACE,
                "text": _TEXT,
                "scroll_direction": {"type": "string", "enum": ["up", "down", "left", "right"]},
                "scroll_amount": {"type": "integer"},
                "duration": {"type": "number"},
                "region": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["action"],
        },
    ),
}
"""The description and schema of each tool that clients run, by its type without the date."""
_DATED = re.compile(r"(bash|text_editor|memory|computer)_\d{8}")
# Every tool is shown to the model from the start, so there is nothing to search for.
_SEARCH = re.compile(r"tool_search_tool_(?:bm25|regex)(?:_\d{8})?")
_KNOWN = (
    "custom",
    *(f"bash_{date}" for date in (20241022, 20250124)),
    *(f"text_editor_{date}" for date in (20241022, 20250124, 20250429, 20250728)),
    *(f"computer_{date}" for date in (20241022, 20250124, 20251124)),
    "memory_20250818",
    *(f"tool_search_tool_{kind}" for kind in ("bm25", "bm25_20251119", "regex", "regex_20251119")),
    *server_tools.TYPES,
)
_SERVER_FIELDS = tuple(name for name, each in ServerToolFields.model_fields.items() if kind_of(each)[0] == "honoured")


class AnthropicTool(ServerToolFields):
    """A tool that the client runs itself, whose arguments come when they are whole, or one that runs here."""

    model_config = ConfigDict(extra="allow")
    type: Annotated[str | None, Types(_KNOWN)] = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")] | None = None
    description: str | None = None
    input_schema: Free | None = None
    strict: bool | None = None
    input_examples: Few[Any] | None = None
    allowed_callers: Few[str] | None = None
    max_characters: Annotated[Any, Hint("the client limits its output")] = None
    display_width_px: int | None = None
    display_height_px: int | None = None
    display_number: Annotated[Any, Hint("the client knows its displays")] = None
    enable_zoom: bool | None = None
    defer_loading: Annotated[Any, Hint("every tool is shown to the model from the start")] = None
    cache_control: Annotated[Any, Hint("prompt prefixes are always cached")] = None
    eager_input_streaming: Annotated[Any, Hint("arguments are sent when they are complete")] = None


class ToolChoice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: Name | None = None
    disable_parallel_tool_use: bool | None = None


def choice_of(
    choice: ToolChoice | None, tools: Sequence[Tool], hosted: Sequence[HostedTool] = ()
) -> tuple[str, tuple[HostedTool, ...]]:
    """Our ``tool_choice``, and the hosted tools, of which one may have to be called first. Raises ``InvalidRequest``
    for a tool that is not offered."""
    if choice is not None and choice.type == "none":
        return "none", ()
    if choice is None or choice.type == "auto":
        return "auto", tuple(hosted)
    if not (tools or hosted):
        raise InvalidRequest(f"tool_choice {choice.type!r} needs tools", param="tool_choice")
    if choice.type == "any":
        return "required", tuple(hosted)
    if choice.name in {tool.name for tool in tools}:
        return str(choice.name), tuple(hosted)
    named = [server_tools.SHOWN.get(each.kind) == choice.name for each in hosted]
    if not any(named):
        raise InvalidRequest(f"tool_choice names {choice.name!r}, which is not among tools", param="tool_choice")
    meant = zip(hosted, named, strict=True)
    return "auto", tuple(dataclasses.replace(each, forced=True) if this else each for each, this in meant)


def tools_of(
    specs: Sequence[AnthropicTool], servers: Sequence[McpServer] = ()
) -> tuple[tuple[Tool, ...], tuple[HostedTool, ...]]:
    """The functions that the model may call, and the tools that are run here. Raises ``InvalidRequest``, and
    ``Unsupported`` for what nothing here runs."""
    functions: list[Tool] = []
    hosted: list[HostedTool] = []
    toolsets: list[tuple[ServerToolFields, str]] = []
    for index, spec in enumerate(specs):
        kind, place = spec.type or "custom", f"tools[{index}]"
        if kind not in server_tools.TYPES:
            functions += _tool(spec, place)
            continue
        _check_callers(spec, place)
        _check_extra(spec, place)
        if kind == server_tools.MCP:
            toolsets.append((spec, place))
        else:
            hosted.append(server_tools.server_tool(spec, kind, spec.name, place))
    for kind in ("web_search", "code_interpreter"):
        if sum(each.kind == kind for each in hosted) > 1:
            raise InvalidRequest(f"tools has {server_tools.SHOWN[kind]} twice", param="tools")
    return tuple(functions), (*hosted, *server_tools.mcp_tools(servers, toolsets))


def _tool(spec: AnthropicTool, place: str) -> Iterator[Tool]:
    kind = spec.type or "custom"
    if _SEARCH.fullmatch(kind):
        return
    dated = _DATED.fullmatch(kind)
    if not (dated or kind == "custom"):
        raise server_tools.refusal(kind, place)
    _check_extra(spec, place)
    for name in _SERVER_FIELDS:
        if getattr(spec, name):
            raise Unsupported(f"{place}.{name} belongs to tools that the server runs", param=f"{place}.{name}")
    if spec.name is None:
        raise InvalidRequest(f"{place}.name is missing", param=f"{place}.name")
    _check_callers(spec, place)
    if dated:
        description, parameters = CLIENT_TOOLS[dated[1]]
        if spec.display_width_px and spec.display_height_px:
            description += f" The screen has {spec.display_width_px} by {spec.display_height_px} pixels."
    elif spec.input_schema is None:
        raise InvalidRequest(f"{place}.input_schema is missing", param=f"{place}.input_schema")
    else:
        description, parameters = spec.description or "", bounded(spec.input_schema, f"{place}.input_schema")
    if spec.input_examples:
        examples = bounded({"examples": spec.input_examples}, f"{place}.input_examples")["examples"]
        description += "\nExamples of its input: " + orjson.dumps(examples).decode()
    yield Tool(spec.name, description, parameters, bool(spec.strict))


def _check_extra(spec: AnthropicTool, place: str) -> None:
    for name, value in (spec.model_extra or {}).items():
        if value:
            raise Unsupported(f"{place}.{name} is not known here", param=f"{place}.{name}")


def _check_callers(spec: AnthropicTool, place: str) -> None:
    if spec.allowed_callers and "direct" not in spec.allowed_callers:
        problem = f"{place}.allowed_callers leaves out 'direct', and only the model itself calls tools here"
        raise Unsupported(problem, remedy="Add direct", param=f"{place}.allowed_callers")
