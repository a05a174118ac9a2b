"""OpenAI's Responses API, incoming: input items of all documented types as messages.

Items of tools that the client runs become calls and their outputs. What no model here reads (images, files, sound) is
refused by its type. Reasoning that is sent back is accepted, and no model reads it again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import InvalidRequest, Unsupported
from mainspring.core.types import Message, ToolCall
from mainspring.http.bodies import ContentPart, Many
from mainspring.http.fields import Hint, Types
from mainspring.http.images import Parts
from mainspring.http.openai.content_parts import add_part
from mainspring.http.openai.hosted import items as hosted

_SILENT = ("reasoning", "file_search_call", "compaction_trigger")
"""Items of earlier answers that add no text to the conversation."""
_CALLS = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "tool_search_call": ("tool_search", "arguments"),
}
"""Calls of tools with a form of their own: the name that they have as a function, and where their arguments are."""
_OUTPUTS = (
    "function_call_output",
    "custom_tool_call_output",
    "local_shell_call_output",
    "shell_call_output",
    "apply_patch_call_output",
)
_COMPACTED = "mainspring:"
READ = (
    *("message", "function_call", "custom_tool_call", "reasoning", "item_reference", "compaction", "file_search_call"),
    *(*hosted.READ, *_CALLS, *_OUTPUTS),
)
"""The types of items that are read."""


class Item(BaseModel):
    """One input item: a message (with or without ``type``), a tool's call or its output, a reference, earlier
    thoughts."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)
    type: Annotated[str | None, Types(READ)] = None
    id: str | None = None
    role: Literal["system", "developer", "user", "assistant"] | None = None
    content: str | Many[ContentPart] | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: Any = None
    input: str | None = None
    output: Any = None
    action: Any = None
    operation: Any = None
    encrypted_content: str | None = None
    server_label: str | None = None
    approval_request_id: str | None = None
    approve: bool | None = None
    reason: str | None = None
    error: Any = None
    code: str | None = None
    outputs: Any = None
    tools: Annotated[Any, Hint("the tools of a server are always requested again")] = None
    container_id: Annotated[Any, Hint("containers are not stored")] = None
    status: Annotated[str | None, Hint("items are read as they are")] = None
    phase: Annotated[str | None, Hint("models do not use phases")] = None
    summary: Annotated[Any, Hint("models do not read earlier thoughts")] = None
    caller: Annotated[Any, Hint("only the model calls tools")] = None
    asynchronous: Annotated[Any, Hint("the client decides when it answers")] = Field(None, alias="async")
    environment: Annotated[Any, Hint("the client chooses where the command runs")] = None
    max_output_length: Annotated[Any, Hint("outputs are read in full")] = None
    execution: Annotated[Any, Hint("the client runs it")] = None
    queries: Annotated[Any, Hint("the text after a search contains the results")] = None
    results: Annotated[Any, Hint("the text after a search contains the results")] = None

    @property
    def kind(self) -> str:
        """Its type: a message by default, a reference where there is only an id."""
        if self.type is not None:
            return self.type
        return "item_reference" if self.id and self.role is None and self.content is None else "message"


def whole_item(item: Item) -> dict[str, Any]:
    """An item that a client wrote, with the fields that it has when it is read: parts, and a status."""
    body = item.model_dump(exclude_none=True, exclude_unset=True, by_alias=True) | {"type": item.kind}
    if body["type"] == "message":
        kind = "output_text" if item.role == "assistant" else "input_text"
        if isinstance(item.content, str):
            body["content"] = [{"type": kind, "text": item.content}]
        body["content"] = [
            {"annotations": [], "logprobs": [], **part} if part["type"] == "output_text" else part
            for part in body["content"]
        ]
    return {"status": "completed", **body}


def references(items: Sequence[Item]) -> list[str]:
    """The ids of the items that are referred to."""
    return [each.id for each in items if each.kind == "item_reference" and each.id]


def messages_of_items(items: Sequence[Item], param: str = "input") -> tuple[Message, ...]:
    """Items as messages; calls join the assistant's message before them. Raises ``InvalidRequest`` and ``Unsupported``
    naming the item."""
    messages: list[Message] = []
    for index, item in enumerate(items):
        for message in _read(item, f"{param}[{index}]"):
            joins = message.role == "assistant" and message.tool_calls and not message.content
            if joins and messages and messages[-1].role == "assistant":
                last = messages.pop()
                message = Message("assistant", last.content, tool_calls=(*last.tool_calls, *message.tool_calls))
            messages.append(message)
    if not messages:
        raise InvalidRequest(f"{param} has no message", param=param)
    return tuple(messages)


def check_outputs(messages: Sequence[Message]) -> None:
    """Raises ``InvalidRequest`` for the output of a call that nobody made."""
    called: set[str] = set()
    for message in messages:
        called.update(call.id for call in message.tool_calls)
        if message.role == "tool" and message.tool_call_id not in called:
            raise InvalidRequest(
                f"no tool call found for function call output with call_id {message.tool_call_id}",
                remedy="Send the call before its output, or the response that made it as previous_response_id",
                param="input",
            )


def _read(item: Item, place: str) -> Iterator[Message]:
    kind = item.kind
    if kind == "message":
        yield _message(item, place)
    elif kind == "function_call":
        yield _called(item, place, tool_name(item.name or "", item.namespace), _text_of(item.arguments) or "{}")
    elif kind == "custom_tool_call":
        yield _called(item, place, tool_name(item.name or "", item.namespace), written_input(item.input or ""))
    elif kind in _CALLS:
        name, field = _CALLS[kind]
        yield _called(item, place, name, _text_of(getattr(item, field, None)))
    elif kind in _OUTPUTS:
        call_id = item.call_id or item.id
        if not call_id or item.output is None:
            raise InvalidRequest(f"{place} needs call_id and output", param=place)
        yield Message("tool", _output(item.output, f"{place}.output"), tool_call_id=call_id)
    elif kind in hosted.READ:
        yield from _hosted(item, kind, place)
    elif kind in ("compaction", "compaction_summary"):
        yield from _compacted(item, place)
    elif kind not in _SILENT:
        raise Unsupported(f"{place} is of type {kind!r}, which is not supported", remedy="Leave it out", param=place)


def _hosted(item: Item, kind: str, place: str) -> list[Message]:
    needed = {
        "mcp_call": ("id", "server_label", "name"),
        "mcp_approval_request": ("id", "server_label", "name"),
        "mcp_approval_response": ("approval_request_id", "approve"),
        "code_interpreter_call": ("id",),
    }
    for name in needed.get(kind, ()):
        if getattr(item, name) is None:
            raise InvalidRequest(f"{place} needs {name}", param=f"{place}.{name}")
    return hosted.messages({**item.model_dump(exclude_none=True), "type": kind})


def tool_name(name: str, namespace: str | None = None) -> str:
    """The name under which a model sees a tool of a namespace."""
    return f"{namespace}__{name}" if namespace and name else name


def written_input(text: str) -> str:
    """The arguments of the function that stands for a custom tool: its free text is their only field."""
    return orjson.dumps({"input": text}).decode()


def read_input(arguments: str) -> str:
    """The free text of a call of a custom tool; text that a model wrote without the field is taken as it is."""
    try:
        found = orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments
    text = found.get("input") if isinstance(found, dict) else None
    return text if isinstance(text, str) else arguments


def compacted(messages: Sequence[Message]) -> str:
    """``messages`` as the opaque content of a compaction item."""
    rows = [{"role": each.role, "content": each.content} for each in messages]
    return _COMPACTED + base64.b64encode(orjson.dumps(rows)).decode()


def _compacted(item: Item, place: str) -> Iterator[Message]:
    text = item.encrypted_content or ""
    try:
        if not text.startswith(_COMPACTED):
            raise ValueError(text)
        rows = orjson.loads(base64.b64decode(text.removeprefix(_COMPACTED), validate=True))
        # A client may have written it: roles of authority are not taken from here.
        yield from (Message(_spoken(row["role"]), str(row["content"])) for row in rows)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise InvalidRequest(
            f"{place}.encrypted_content was not created by this server",
            remedy="Send the output of POST /v1/responses/compact unchanged",
            param=f"{place}.encrypted_content",
        ) from None


def _spoken(role: str) -> Literal["user", "assistant"]:
    return "assistant" if role == "assistant" else "user"


def _message(item: Item, place: str) -> Message:
    if item.role is None or item.content is None:
        raise InvalidRequest(f"{place} needs role and content", param=place)
    if isinstance(item.content, str):
        return Message(item.role, item.content)
    parts = Parts()
    for index, part in enumerate(item.content):
        add_part(parts, part, f"{place}.content", index, pictures=item.role == "user")
    return Message(item.role, parts.content, images=tuple(parts.images))


def _called(item: Item, place: str, name: str, arguments: str) -> Message:
    call_id = item.call_id or item.id
    if not call_id or not name:
        raise InvalidRequest(f"{place} needs call_id and name", param=place)
    return Message("assistant", "", tool_calls=(ToolCall(call_id, name, arguments),))


def _text_of(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return orjson.dumps(value).decode()


def _output(output: Any, place: str) -> str:
    """The output of a tool: text, parts of text, or JSON."""
    if isinstance(output, list) and all(isinstance(each, dict) and "type" in each for each in output):
        return text_of_parts([ContentPart.model_validate(each) for each in output], place)
    return _text_of(output)


def text_of_parts(content: list[ContentPart], place: str) -> str:
    """The text of a tool's output in parts. Raises ``Unsupported`` for a part that is no text."""
    parts = Parts()
    for index, part in enumerate(content):
        add_part(parts, part, place, index, pictures=False)
    return parts.content
