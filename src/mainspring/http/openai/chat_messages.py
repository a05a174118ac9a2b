"""The messages of a chat, incoming: checked and converted to ours."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Event, Events, Finish, Image, Message, ToolCall, ToolCallDelta, Usage
from mainspring.http.bodies import ContentPart, Few, Many, Name
from mainspring.http.fields import Hint, Refused
from mainspring.http.images import Parts
from mainspring.http.openai.content_parts import add_part
from mainspring.http.openai.responses_items import read_input, written_input

_SENT_BACK = "it comes with an answer that is sent back"
History = Annotated[Any, Hint(_SENT_BACK)]


class WireFunction(BaseModel):
    """The function of a call made by an assistant message."""

    model_config = ConfigDict(extra="ignore")
    name: Name
    arguments: str = ""


class WireCustom(BaseModel):
    """The call of a tool of free text."""

    model_config = ConfigDict(extra="ignore")
    name: Name
    input: str = ""


class WireToolCall(BaseModel):
    """A tool call of an assistant message."""

    model_config = ConfigDict(extra="ignore")
    id: str
    type: Literal["function", "custom"] = "function"
    function: WireFunction | None = None
    custom: WireCustom | None = None
    index: History = None

    @model_validator(mode="after")
    def _whole(self) -> WireToolCall:
        if self.function is None and self.custom is None:
            raise ValueError("a tool call needs function or custom")
        return self

    def made(self) -> ToolCall:
        """The call as models know it."""
        if self.custom is not None:
            return ToolCall(self.id, self.custom.name, written_input(self.custom.input))
        assert self.function is not None
        return ToolCall(self.id, self.function.name, self.function.arguments)


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
    audio: Annotated[Any, Refused("spoken answers are not stored", "Send the spoken text as content")] = None
    annotations: History = None
    reasoning_content: Annotated[Any, Hint("models do not read earlier thoughts")] = None
    citations: History = None
    answered: History = None
    sought: History = None
    missing: History = None
    conflicts: History = None
    notices: History = None
    parsed: History = None
    cache_control: Annotated[Any, Hint("prompt prefixes are always cached")] = None


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
            calls = tuple(c.made() for c in made) if made else ()
            yield Message(message.role, message.content, message.name, calls, message.tool_call_id)  # type: ignore[arg-type]
            continue
        place = f"messages[{index}]"
        content, images = _content(message, place)
        calls = tuple(c.made() for c in message.tool_calls or ())
        if message.function_call is not None:
            call = ToolCall(f"call_{index}", message.function_call.name, message.function_call.arguments)
            called[call.name] = call.id
            calls = (*calls, call)
        if content is None and not calls:
            raise InvalidRequest(f"{place}.content is missing", param=f"{place}.content")
        if message.role == "function":
            if message.name not in called:
                raise InvalidRequest(f"{place} needs an earlier message with a function_call", param=f"{place}.name")
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


@dataclass(frozen=True, slots=True)
class CustomCall(ToolCallDelta):
    """A whole call of a tool of free text: ``arguments`` are that text."""


def custom_body(call_id: str | None, name: str | None, text: str) -> dict[str, Any]:
    """A call of a tool of free text, as a message has it."""
    return {"id": call_id, "type": "custom", "custom": {"name": name, "input": text}}


def with_custom(body: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """An answer whose calls of the tools ``names`` are shown as calls of free text."""
    for choice in body["choices"]:
        message = choice["message"]
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [
                custom_body(each["id"], each["function"]["name"], read_input(each["function"]["arguments"]))
                if each["function"]["name"] in names
                else each
                for each in calls
            ]
    return body


async def custom_calls(events: Events, names: Collection[str]) -> AsyncGenerator[Event, None]:
    """``events`` with each call of the tools ``names`` in one piece, at the end: its text is known once the arguments
    around it are complete."""
    open_ones: dict[tuple[int, int], ToolCallDelta] = {}
    async for event in events:
        if not isinstance(event, ToolCallDelta):
            if isinstance(event, Finish | Usage):
                for each in open_ones.values():
                    yield _text_call(each)
                open_ones = {}
            yield event
            continue
        place = event.choice, event.index
        if place in open_ones:
            known = open_ones[place]
            open_ones[place] = dataclasses.replace(known, arguments=known.arguments + event.arguments)
        elif event.name in names:
            open_ones[place] = event
        else:
            yield event


def _text_call(call: ToolCallDelta) -> CustomCall:
    return CustomCall(call.choice, call.index, call.id, call.name, read_input(call.arguments))
