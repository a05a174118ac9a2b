"""Tool calls: presents tools to a model and forces calls on it; ``tool_parser.py`` reads them from its output.

Models whose template knows ``tools`` see them there and write calls in its dialect (``dialects.py``); the others get a
system block in the widely trained ``<tool_call>{"name": ..., "arguments": ...}</tool_call>`` form. ``tool_choice``
``required`` or a name becomes a grammar (bare JSON, no markers). Arguments are passed on as the model wrote them: the
caller checks them against the tool's schema, unless the grammar forced it or the tool is strict.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.core.errors import InvalidRequest, InvalidSchema
from mainspring.core.types import Grammar, Message, Tool

OPEN, CLOSE = "<tool_call>", "</tool_call>"


def declaration(tool: Tool) -> dict[str, Any]:
    """The tool as chat templates and OpenAI's API write it."""
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def offered(tools: Sequence[Tool], choice: str) -> tuple[Tool, ...]:
    """The tools that the model is to see under ``tool_choice``. Raises ``InvalidRequest`` for an unknown name."""
    names = [tool.name for tool in tools]
    if len(set(names)) != len(names):
        raise InvalidRequest("two tools have the same name", param="tools")
    if choice == "none":
        return ()
    if choice in ("auto", "required"):
        if choice == "required" and not tools:
            raise InvalidRequest("tool_choice is required and there are no tools", param="tool_choice")
        return tuple(tools)
    if choice not in names:
        raise InvalidRequest(f"tool_choice names {choice!r}, which is not among tools", param="tool_choice")
    return tuple(tool for tool in tools if tool.name == choice)


def forced(choice: str) -> bool:
    """Whether ``tool_choice`` demands a call."""
    return choice not in ("auto", "none")


def constraint(tools: Sequence[Tool]) -> Grammar:
    """A JSON schema for one call of one of ``tools``. Raises ``InvalidSchema`` naming the tool."""
    definitions: dict[str, Any] = {}
    calls = []
    for index, tool in enumerate(tools):
        # References start at the root of the schema that holds them: the tool's own root moves, so they do.
        definitions[f"tool{index}"] = _moved(_normal(tool), f"#/$defs/tool{index}")
        calls.append(
            {
                "type": "object",
                "properties": {"name": {"const": tool.name}, "arguments": {"$ref": f"#/$defs/tool{index}"}},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
        )
    schema = calls[0] if len(calls) == 1 else {"anyOf": calls}
    return Grammar("json_schema", json.dumps({**schema, "$defs": definitions}))


def checks(tools: Sequence[Tool]) -> dict[str, Callable[[str], bool]]:
    """Whether arguments fit, by the name of each strict tool. Raises ``InvalidSchema``."""
    strict = [tool for tool in tools if tool.strict]
    if not strict:
        return {}
    # The validator takes longer to import than most servers need it.
    from mainspring.engines.grammar import validation as schema

    def check(tool: Tool) -> Callable[[str], bool]:
        fault = schema.validator(parameters(tool), param="tools")

        def fits(arguments: str) -> bool:
            try:
                return fault(json.loads(arguments or "{}")) is None
            except (ValueError, RecursionError):
                return False

        return fits

    return {tool.name: check(tool) for tool in strict}


def parameters(tool: Tool) -> str:
    """The schema of a tool's arguments, as JSON text."""
    return json.dumps(_arguments(tool))


def _normal(tool: Tool) -> dict[str, Any]:
    from mainspring.engines.grammar.normal import normalised

    try:
        schema = normalised(parameters(tool), param="tools").schema
        if "object" not in schema.get("type", "object"):
            raise InvalidSchema("its type must be object: arguments have names", param="tools")
    except InvalidSchema as error:
        raise InvalidSchema(f"tool {tool.name!r}: {error.message}", remedy=error.remedy, param="tools") from None
    return schema


def _arguments(tool: Tool) -> dict[str, Any]:
    schema = {"type": "object", **tool.parameters}
    if not {"$ref", "anyOf", "oneOf", "allOf"} & schema.keys():
        schema.setdefault("properties", {})
        # Without this the grammar lets a model pour anything into a call of a tool without parameters.
        schema.setdefault("additionalProperties", False)
    return schema


def _moved(schema: Any, root: str) -> Any:
    match schema:
        case Mapping():
            moved = {key: _moved(value, root) for key, value in schema.items()}
            reference = moved.get("$ref")
            if isinstance(reference, str) and reference.startswith("#"):
                moved["$ref"] = root + reference[1:]
            return moved
        case list() | tuple():
            return [_moved(item, root) for item in schema]
        case _:
            return schema


def system_block(tools: Sequence[Tool]) -> str:
    """The tools as instructions, for templates that do not know them."""
    lines = "\n".join(json.dumps(declaration(tool), ensure_ascii=False) for tool in tools)
    return (
        "You may call one or more functions to help with the user's request. You are given their signatures "
        f"within <tools></tools> tags:\n<tools>\n{lines}\n</tools>\n\nFor each function call, return a JSON object "
        "with the function's name and arguments within <tool_call></tool_call> tags:\n"
        '<tool_call>\n{"name": "function-name", "arguments": {"argument": "value"}}\n</tool_call>'
    )


def as_text(messages: Sequence[Message], tools: Sequence[Tool], neutral: Callable[[str], str]) -> list[Message]:
    """``messages`` for a template without tools: a system block, calls and results written out.

    ``neutral`` disarms the text of results, whose markers are added here.
    """
    written = [_as_text(message, neutral) for message in messages]
    if not tools:
        return written
    block = system_block(tools)
    if written and written[0].role in ("system", "developer"):
        first = written[0]
        return [Message(first.role, f"{first.content}\n\n{block}", first.name), *written[1:]]
    return [Message("system", block), *written]


def _as_text(message: Message, neutral: Callable[[str], str]) -> Message:
    if message.role == "tool":
        return Message("user", f"<tool_response>\n{neutral(message.content)}\n</tool_response>")
    if message.role == "user":
        return Message("user", neutral(message.content), message.name)
    if not message.tool_calls:
        return message
    written = [{"name": call.name, "arguments": parsed(call.arguments)} for call in message.tool_calls]
    calls = "\n".join(f"{OPEN}\n{json.dumps(call, ensure_ascii=False)}\n{CLOSE}" for call in written)
    return Message(message.role, f"{message.content}\n{calls}".strip(), message.name)


def parsed(arguments: str) -> Any:
    """``arguments`` as a JSON value, or unchanged if they are not JSON."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
