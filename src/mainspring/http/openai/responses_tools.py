"""OpenAI's Responses API: the tools of a request, as functions that a model can call.

A custom tool becomes a function with one field, ``input``; the tools of a namespace become functions whose names begin
with it. Searches over vector stores run here (``FileSearchTool``), and so do searches of the web, MCP servers and code
(``hosted``). Other tools that OpenAI's servers would run are refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import HostedTool, Tool
from mainspring.http.bodies import Body, Free, Table, bounded
from mainspring.http.fields import Hint, Refused, Types
from mainspring.http.openai.hosted.tools import TYPES, read, shown
from mainspring.http.openai.responses_items import tool_name

WEB_SEARCH = "tools.web_search"
"""How the header names a search of the web that is not to be had."""
_NAME = r"^[a-zA-Z0-9_.-]{1,64}$"
_BOTH = ["direct", "programmatic"]
_HOSTED = {
    "image_generation": "Leave it out: no model here draws",
    "computer": "Leave it out: no model here sees a screen",
    "computer_use_preview": "Leave it out: no model here sees a screen",
    "tool_search": "Leave it out: every tool of the request is shown to the model",
    "programmatic_tool_calling": "Leave it out: the model calls each tool by itself",
    "local_shell": "Send a function that takes a command",
    "shell": "Send a function that takes a command",
    "apply_patch": "Send a custom tool, or a function that takes a patch",
}


class ToolBody(BaseModel):
    """A tool of a request: a function, a custom tool, a namespace of both, or one that the server would run."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
    type: Annotated[str, Types(("function", "custom", "namespace"))]
    name: Annotated[str, Field(pattern=_NAME)] | None = None
    description: str | None = None
    parameters: Free | None = None
    strict: bool | None = None
    format: Table[Any] | None = None
    tools: Annotated[list[Any], Field(max_length=128, fail_fast=True)] | None = None
    # Chat completions write functions so, and clients send them here, too.
    function: Table[Any] | None = None
    allowed_callers: Annotated[
        Any, Refused("only the model calls tools", "Leave it out, or name direct", unless=(["direct"], [], _BOTH))
    ] = None
    asynchronous: Annotated[Any, Hint("the client decides when it answers")] = Field(None, alias="async")
    defer_loading: Annotated[Any, Hint("every tool of a request is shown to the model")] = None
    output_schema: Annotated[Any, Hint("what a tool returns is not checked")] = None


class FileSearchTool(Body):
    """The search over vector stores; fields as in ``POST /v1/vector_stores/{id}/search``."""

    type: str
    vector_store_ids: Annotated[list[Annotated[str, Field(min_length=1, max_length=128)]], Field(max_length=16)]
    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = None
    filters: Table[Any] | None = None
    ranking_options: Table[Any] | None = None


@dataclass(frozen=True, slots=True)
class ToolSet:
    """The tools of a request: ``functions`` are what a model sees. ``custom`` are the names of those that take free
    text, ``spaces`` the namespace and name of those that have one. ``unused`` names offers that were left out."""

    functions: tuple[Tool, ...] = ()
    custom: frozenset[str] = frozenset()
    spaces: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    searches: tuple[FileSearchTool, ...] = ()
    unused: tuple[str, ...] = ()
    hosted: tuple[HostedTool, ...] = ()

    @classmethod
    def of(cls, specs: Sequence[ToolBody]) -> ToolSet:
        """Raises ``InvalidRequest`` and ``Unsupported`` naming the tool."""
        functions: list[Tool] = []
        free: set[str] = set()
        spaces: dict[str, tuple[str, str]] = {}
        searches: list[FileSearchTool] = []
        unused: list[str] = []
        hosted: list[HostedTool] = []
        for index, spec in enumerate(specs):
            place = f"tools[{index}]"
            if spec.type == "file_search":
                searches.append(_file_search(spec, place))
            elif spec.type in TYPES:
                made = read(spec.model_dump(exclude_unset=True, by_alias=True), place)
                if made is not None:
                    hosted.append(made)
                else:
                    unused.append(WEB_SEARCH)
            else:
                for name, each, space in _flat(spec, place):
                    functions.append(_function(each, name, place))
                    if each.type == "custom":
                        free.add(name)
                    if space:
                        spaces[name] = (space, each.name or "")
        _check_names(functions)
        if unused and not (functions or searches or hosted):
            problem = "a search of the web without access to it finds nothing"
            raise Unsupported(problem, remedy="Leave external_web_access out", param="tools")
        return cls(tuple(functions), frozenset(free), spaces, tuple(searches), tuple(unused), tuple(hosted))

    def without_web(self) -> ToolSet:
        """Without searches of the web, which coding agents offer unasked. They are then named as unused."""
        kept = tuple(each for each in self.hosted if each.kind != "web_search")
        return dataclasses.replace(self, hosted=kept, unused=(*self.unused, WEB_SEARCH))

    def shown(self, name: str) -> dict[str, str]:
        """The names of a call as the client knows the tool."""
        space, own = self.spaces.get(name, ("", name))
        return {"name": own, "namespace": space} if space else {"name": own}


def _check_names(functions: Sequence[Tool]) -> None:
    names = [each.name for each in functions]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidRequest(f"two tools are named {name!r}", remedy="Rename one of them", param="tools")


def _file_search(spec: ToolBody, place: str) -> FileSearchTool:
    sent = spec.model_dump(exclude_unset=True, by_alias=True)
    try:
        found = FileSearchTool.model_validate(sent)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in (place, *first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg']}", param=where) from None
    if not found.vector_store_ids:
        raise InvalidRequest(f"{place}.vector_store_ids is empty", param=f"{place}.vector_store_ids")
    return found


def _flat(spec: ToolBody, place: str, space: str = "") -> Iterator[tuple[str, ToolBody, str]]:
    """The tools of a spec, each with the name under which a model sees it, and its namespace."""
    if spec.type == "namespace":
        if not spec.name or space:
            raise InvalidRequest(f"{place} needs a name, and no namespace around it", param=f"{place}.name")
        for number, inner in enumerate(spec.tools or ()):
            yield from _flat(_inner(inner, f"{place}.tools[{number}]"), f"{place}.tools[{number}]", spec.name)
        return
    if spec.type == "function" and spec.name is None and spec.function:
        spec = _inner({**spec.function, "type": "function"}, f"{place}.function")
    if spec.type not in ("function", "custom"):
        remedy = _HOSTED.get(spec.type, "Send functions, which your client runs")
        raise Unsupported(
            f"{place} is of type {spec.type!r}, which this server does not run", remedy=remedy, param=f"{place}.type"
        )
    if spec.name is None:
        raise InvalidRequest(f"{place}.name is missing", param=f"{place}.name")
    name = tool_name(spec.name, space)
    if len(name) > 128:
        raise InvalidRequest(f"{place}.name is longer than 128 characters with its namespace", param=f"{place}.name")
    yield name, spec, space


def _inner(value: Any, place: str) -> ToolBody:
    try:
        return ToolBody.model_validate(value)
    except ValidationError as error:
        raise InvalidRequest(f"{place}: {error.errors()[0]['msg']}", param=place) from None


def _function(spec: ToolBody, name: str, place: str) -> Tool:
    for field_name, value in (spec.model_extra or {}).items():
        if value:
            param = f"{place}.{field_name}"
            raise Unsupported(f"{param} is not supported", param=param)
    if spec.type == "custom":
        return custom(spec, name, place)
    parameters = bounded(spec.parameters or {"type": "object", "properties": {}}, f"{place}.parameters")
    return Tool(name, spec.description or "", parameters, bool(spec.strict))


def custom(spec: ToolBody, name: str, place: str) -> Tool:
    """A tool of free text as a function. A regular expression is enforced; the model reads a grammar in Lark's syntax,
    which no engine here knows."""
    wanted = spec.format or {"type": "text"}
    text: dict[str, Any] = {"type": "string"}
    description = spec.description or ""
    if wanted.get("type") == "grammar":
        syntax, definition = wanted.get("syntax"), wanted.get("definition")
        if syntax not in ("lark", "regex") or not isinstance(definition, str) or not definition:
            param = f"{place}.format"
            raise InvalidRequest(f"{param} needs a syntax, lark or regex, and a definition", param=param)
        if syntax == "regex":
            text["pattern"] = definition if definition.startswith("^") else f"^(?:{definition})$"
        else:
            description += f"\nThe field input follows this grammar in Lark's syntax:\n{definition}"
    elif wanted.get("type") != "text":
        raise InvalidRequest(f"{place}.format must have the type text or grammar", param=f"{place}.format.type")
    schema = {"type": "object", "properties": {"input": text}, "required": ["input"], "additionalProperties": False}
    return Tool(name, description.strip(), bounded(schema, f"{place}.format"), True)


def shown_tools(specs: Sequence[ToolBody]) -> list[dict[str, Any]]:
    """The tools as a response repeats them, with the fields that OpenAI's objects always have."""
    found = []
    for spec in specs:
        body = spec.model_dump(exclude_none=True, by_alias=True)
        if spec.type == "function":
            body = body.pop("function", {}) | body
            body = {"description": None, "parameters": None, "strict": False, **body}
        elif spec.type in TYPES:
            body = shown(body)
        elif spec.type == "custom":
            body = {"description": None, "format": {"type": "text"}, **body}
        found.append(body)
    return found
