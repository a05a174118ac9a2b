"""Tool calls: how they are shown to a model, forced on it, and read from what it writes.

Models whose template knows ``tools`` see them there; the others get a system block in the widely trained
``<tool_call>{"name": ..., "arguments": ...}</tool_call>`` form. ``tool_choice`` ``required`` or a name becomes a
grammar (bare JSON, no markers). Arguments are handed on as the model wrote them: whether they fit the tool's
schema is for the caller to check, unless the grammar forced it. What is no well-formed call of a tool that was
offered stays plain text.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.engines import markers
from mainspring.errors import InvalidRequest
from mainspring.types import Event, Grammar, Message, Text, TokenLogprob, Tool, ToolCall, ToolCallDelta

OPEN, CLOSE = "<tool_call>", "</tool_call>"
MAX_CALL = 65_536
"""Characters after which an unclosed call is given up as text."""


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
    """A JSON schema for one call of one of ``tools``."""
    definitions: dict[str, Any] = {}
    calls = []
    for index, tool in enumerate(tools):
        # References start at the root of the schema that holds them: the tool's own root moves, so they do.
        definitions[f"tool{index}"] = _moved(_arguments(tool), f"#/$defs/tool{index}")
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
    """``arguments`` as a JSON value, or as they are where they are not JSON."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def parse_call(text: str, names: frozenset[str]) -> ToolCall | None:
    """The call of one of ``names`` that ``text`` is, under a new id; None where it is none.

    ``arguments`` (or llama's ``parameters``) keep the model's own spelling; a JSON string of JSON is unwrapped.
    """
    try:
        members = _members(text.strip())
        name = json.loads(members["name"])
        written = members.get("arguments", members.get("parameters", "{}"))
        value = json.loads(written)
        if isinstance(value, str):
            written, value = value, json.loads(value)
    except (ValueError, KeyError, RecursionError):
        return None
    if not isinstance(name, str) or name not in names or not isinstance(value, dict):
        return None
    return ToolCall(f"call_{secrets.token_hex(12)}", name, written)


def _members(text: str) -> dict[str, str]:
    """The members of a JSON object with their values' source text. Raises ``ValueError``."""
    decoder, at = json.JSONDecoder(), _expect(text, 0, "{")
    members: dict[str, str] = {}
    while text[at : at + 1] != "}":
        if members:
            at = _expect(text, at, ",")
        key, at = decoder.raw_decode(text, at)
        start = _expect(text, _skip(text, at), ":")
        _, end = decoder.raw_decode(text, start)
        if not isinstance(key, str) or key in members:
            raise ValueError(f"bad or repeated key {key!r}")
        members[key] = text[start:end]
        at = _skip(text, end)
    if _skip(text, at + 1) != len(text):
        raise ValueError("text behind the object")
    return members


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise ValueError(f"expected {mark!r} at {at}")
    return _skip(text, at + 1)


class ToolParser:
    """Reads the calls of one choice from its streamed text.

    Plain text is released at once, except for at most the beginning of a marker; a call is held until it is
    closed, because only then it is known to be one. ``bare``: an answer that is one JSON object is a call too.
    """

    def __init__(self, names: frozenset[str], choice: int = 0, *, bare: bool = False) -> None:
        self.calls = 0
        self._names = names
        self._choice = choice
        self._bare = bare
        self._text = ""
        self._inside = False
        self._gap = ""
        self._said = False
        self._tokens = 0
        self._logprobs: list[TokenLogprob] = []

    def push(self, event: Text) -> list[Event]:
        """The events that are certain now that ``event`` has come."""
        self._text += event.text
        self._tokens += event.tokens
        self._logprobs.extend(event.logprobs)
        if self._bare and not self._said and self._text.lstrip()[:1] in ("{", "") and len(self._text) <= MAX_CALL:
            return []
        events: list[Event] = []
        while self._step(events):
            pass
        return events

    def flush(self) -> list[Event]:
        """What was held back at the end of the stream."""
        events: list[Event] = []
        if self._bare and not self._said and not self._inside:
            call = parse_call(self._text, self._names)
            if call:
                self._text = ""
                return self._called(call)
        if self._inside:
            # Models that end their turn instead of closing the marker wrote a call all the same.
            call = parse_call(self._text[len(OPEN) :], self._names)
            if call:
                self._text = ""
                return self._called(call)
        self._say(self._text, events)
        self._text = ""
        return events

    def _step(self, events: list[Event]) -> bool:
        """Consume one stretch of text or one call; False when more text is needed."""
        if not self._inside:
            at = self._text.find(OPEN)
            keep = len(self._text) - markers.held(self._text, (OPEN,)) if at < 0 else at
            self._say(self._text[:keep], events)
            self._text = self._text[keep:]
            self._inside = at >= 0
            return self._inside
        end = self._text.find(CLOSE)
        if end < 0:
            if len(self._text) <= MAX_CALL:
                return False
            end = len(OPEN) - len(CLOSE)  # given up: the opening marker is text like any other
        whole, self._text = self._text[: end + len(CLOSE)], self._text[end + len(CLOSE) :]
        self._inside = False
        call = parse_call(whole[len(OPEN) : -len(CLOSE)], self._names)
        if call:
            events.extend(self._called(call))
        else:
            self._say(whole, events)
        return True

    def _called(self, call: ToolCall) -> list[Event]:
        self.calls += 1
        # The white space that surrounds calls belongs to their form, not to the answer.
        self._gap, self._tokens, self._logprobs, self._said = "", 0, [], True
        return [ToolCallDelta(self._choice, self.calls - 1, call.id, call.name, call.arguments)]

    def _say(self, text: str, events: list[Event]) -> None:
        text = self._gap + text
        self._gap = ""
        if self.calls and not text.strip():
            self._gap = text
            return
        if text:
            self._said = True
            events.append(Text(text, self._choice, self._tokens, tuple(self._logprobs)))
            self._tokens, self._logprobs = 0, []
