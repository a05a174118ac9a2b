"""The messages of a chat, incoming: checked and converted to ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Image, Message, ToolCall
from mainspring.http.bodies import ContentPart, Few, Many, Name
from mainspring.http.fields import Hint, Refused
from mainspring.http.images import Parts
from mainspring.http.openai.content_parts import add_part

_SENT_BACK = "it comes with an answer that is sent back"
History = Annotated[Any, Hint(_SENT_BACK)]


class WireFunction(BaseModel):
    """The function of a call made by an assistant message."""

    model_config = ConfigDict(extra="ignore")
    name: Name
    arguments: str = ""


class WireToolCall(BaseModel):
    """A tool call of an assistant message."""

    model_config = ConfigDict(extra="ignore")
    id: str
    type: Literal["function"] = "function"
    function: WireFunction
    index: History = None


class WireMessage(BaseModel):
    """A message. Answers that are sent back as history carry more fields than are read; clients add some as well."""

    model_config = ConfigDict(extra="ignore")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | Many[ContentPart] | None = None
    name: str | None = None
    tool_calls: Few[WireToolCall] | None = None
    tool_call_id: str | None = None
    function_call: WireFunction | None = None
    refusal: str | None = None
    audio: Annotated[Any, Refused("no earlier answer here was spoken", "Send what was said as content")] = None
    annotations: History = None
    reasoning_content: Annotated[Any, Hint("models do not read what they thought earlier")] = None
    citations: History = None
    answered: History = None
    sought: History = None
    missing: History = None
    conflicts: History = None
    notices: History = None
    parsed: History = None
    cache_control: Annotated[Any, Hint("the beginnings of prompts are cached unasked")] = None


_PLAIN = frozenset({"system", "developer", "user", "assistant"})


def conversation(messages: Sequence[WireMessage]) -> tuple[Message, ...]:
    """These messages as ours. A ``function_call`` becomes a tool call, whose result is the next message of that role
    and name.

    Raises ``InvalidRequest``, ``Unsupported`` naming the message.
    """
    return tuple(_converted(messages))


def _converted(messages: Sequence[WireMessage]) -> Iterator[Message]:
    called: dict[str | None, str] = {}
    for index, message in enumerate(messages):
        if message.role in _PLAIN and isinstance(message.content, str) and message.function_call is None:
            # Nearly all are so, and a conversation may have thousands.
            made = message.tool_calls
            calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in made) if made else ()
            yield Message(message.role, message.content, message.name, calls, message.tool_call_id)  # type: ignore[arg-type]
            continue
        place = f"messages[{index}]"
        content, images = _content(message, place)
        calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls or ())
        if message.function_call is not None:
            call = ToolCall(f"call_{index}", message.function_call.name, message.function_call.arguments)
            called[call.name] = call.id
            calls = (*calls, call)
        if content is None and not calls:
            raise InvalidRequest(f"{place}.content is missing", param=f"{place}.content")
        if message.role == "function":
            if message.name not in called:
                raise InvalidRequest(f"{place} is the result of no function_call before it", param=f"{place}.name")
            yield Message("tool", content or "", message.name, tool_call_id=called.pop(message.name))
            continue
        if message.role == "tool" and not message.tool_call_id:
            raise InvalidRequest(f"{place} of role tool needs tool_call_id", param=place)
        yield Message(message.role, content or "", message.name, calls, message.tool_call_id, images)


def _content(message: WireMessage, place: str) -> tuple[str | None, tuple[Image, ...]]:
    if not isinstance(message.content, list):
        return (message.refusal if message.content is None else message.content), ()
    parts = Parts()
    for index, part in enumerate(message.content):
        add_part(parts, part, f"{place}.content", index, pictures=message.role == "user")
    return parts.content, tuple(parts.images)
