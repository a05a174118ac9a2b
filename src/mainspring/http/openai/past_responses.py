"""Responses of the past: read again, continued and deleted by the key that asked for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.core.errors import NotFound, PreviousResponseNotFound, TooLarge
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.path import Answer, Choice
from mainspring.core.types import (
    Citation,
    Context,
    EventRecord,
    Head,
    HostedCall,
    Image,
    Message,
    Principal,
    ToolCall,
    Usage,
)
from mainspring.http.access import acting
from mainspring.http.images import input_parts
from mainspring.http.openai import responses_encode as encode
from mainspring.http.openai.hosted.approvals import REQUEST, decided
from mainspring.http.openai.hosted.items import ALL
from mainspring.http.openai.response_ids import answer_id, item_id
from mainspring.http.openai.responses_items import Item, messages_of_items
from mainspring.stores.events.log import EventLog


class PastResponses:
    """Responses of the past, rebuilt from their events."""

    def __init__(self, events: EventLog, max_messages: int) -> None:
        self._events = events
        self._max_messages = max_messages

    async def get(self, response_id: str, principal: Principal, param: str | None = None) -> EventRecord:
        """The answer event with its text. Raises ``NotFound`` for a response of another key, and for one made from
        documents that the caller may no longer see."""
        try:
            found = await self._events.answer_for(principal, answer_id(response_id))
        except NotFound:
            raise _unknown(response_id, param) from None
        facts = AnswerFacts.of(found.facts)
        if facts.key_id not in principal.own_keys or facts.operation != "chat":
            raise _unknown(response_id, param)
        if found.content is None:
            remedy = "It was asked for with store: false, or deleted; send its messages as input"
            kind = PreviousResponseNotFound if param == "previous_response_id" else NotFound
            raise kind(f"the text of response {response_id!r} is not stored", remedy=remedy, param=param)
        return found

    async def history(self, response_id: str | None, principal: Principal) -> list[Message]:
        """The conversation up to and with this response, without instructions. Raises ``NotFound``, ``TooLarge``."""
        turns: list[list[Message]] = []
        while response_id is not None:
            record = await self.get(response_id, principal, "previous_response_id")
            turns.append(_turn(record))
            if sum(map(len, turns)) > self._max_messages:
                raise TooLarge(
                    f"the conversation has more than {self._max_messages} messages", param="previous_response_id"
                )
            response_id = AnswerFacts.of(record.facts).previous
        return [message for turn in reversed(turns) for message in turn]

    async def delete(self, response_id: str, context: Context) -> None:
        """Delete the texts of a response; facts without text stay. Raises ``NotFound``."""
        await self.get(response_id, context.principal)
        await self._events.erase(context.principal.tenant, answer_id(response_id), by=acting(context))


def _unknown(response_id: str, param: str | None) -> NotFound:
    kind = PreviousResponseNotFound if param == "previous_response_id" else NotFound
    return kind(f"there is no response {response_id!r}", param=param)


def content_of(record: EventRecord) -> Mapping[str, Any]:
    """The request texts that a response's event stores."""
    content: Mapping[str, Any] = json.loads(record.content or "{}")
    return content


def messages_of(record: EventRecord) -> list[Message]:
    """The messages that were new with this response."""
    return [_message(each) for each in content_of(record).get("messages", ())]


def _message(kept: Mapping[str, Any]) -> Message:
    calls = tuple(ToolCall(**call) for call in kept.get("tool_calls", ()))
    images = tuple(Image(**image) for image in kept.get("images", ()))
    return Message(kept["role"], kept.get("content", ""), kept.get("name"), calls, kept.get("tool_call_id"), images)


def _turn(record: EventRecord) -> list[Message]:
    said = [message for message in messages_of(record) if message.role not in ("system", "developer")]
    answer = answer_of(record)
    if answer.hosted:
        items = encode.output(record.subject, answer, encode.tools_of(content_of(record).get("shown", {})), ALL)
        return [*said, *messages_of_items([Item.model_validate(each) for each in items])]
    choice = answer.choices[:1]
    return [*said, *(Message("assistant", each.text, tool_calls=tuple(each.tool_calls)) for each in choice)]


def answer_of(record: EventRecord) -> Answer:
    """The answer of a response, with its citations and usage."""
    facts, content = AnswerFacts.of(record.facts), content_of(record)
    reasons: Sequence[Any] = facts.finish
    choices = [
        Choice(
            each.get("text", ""),
            each.get("reasoning", ""),
            [ToolCall(**call) for call in each.get("tool_calls", ())],
            finish=reasons[number] if number < len(reasons) else None,
        )
        for number, each in enumerate(content.get("choices", ()))
    ]
    citations = [Citation(**each) for each in content.get("citations", ())]
    usage = Usage(facts.prompt_tokens, facts.completion_tokens)
    hosted = [
        (int(each["at"]), HostedCall(each["kind"], each["number"], each["details"], done=True))
        for each in content.get("hosted", ())
    ]
    return Answer(Head(facts.model, record.subject), choices, citations, hosted=hosted, usage=usage)


def items_of(record: EventRecord) -> list[dict[str, Any]]:
    """The messages that were new with a response as items, oldest first."""
    said = enumerate(messages_of(record))
    return [item for number, message in said for item in input_items(record.subject, number, message)]


def input_items(answer_id: str, number: int, message: Message) -> list[dict[str, Any]]:
    """A message that was sent with an answer as items: its text, and its calls of tools."""
    named = item_id("msg_in", answer_id, number + 1)
    if message.role == "tool" and (message.tool_call_id or "").startswith(REQUEST):
        approve, reason = decided(message.content)
        told = {"approval_request_id": message.tool_call_id, "approve": approve, "reason": reason or None}
        return [{"type": "mcp_approval_response", "id": item_id("mcpa", answer_id, number + 1), **told}]
    if message.role == "tool":
        output = {"call_id": message.tool_call_id, "output": message.content}
        named = item_id("fco", answer_id, number + 1)
        return [{"type": "function_call_output", "id": named, "status": "completed", **output}]
    items: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        parts = input_parts(message)
        if message.role == "assistant":
            parts = [encode.part_body(message.content, [])]
        body = {"type": "message", "id": named, "status": "completed", "role": message.role, "content": parts}
        items.append(body)
    for index, call in enumerate(message.tool_calls):
        made = (call.id, call.name, call.arguments)
        called = item_id(f"fc_in{number + 1}", answer_id, index + 1)
        items.append(encode.item_body("function_call", called, call=made))
    return items
