"""Calls that wait for a person: how a conversation tells them, and what was decided about them.

A call that needs an approval ends the answer. In the conversation it is a call of the assistant under the id of the
approval request; the decision is its result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mainspring.core.types import Message, ToolCall
from mainspring.http.openai.hosted.approvals import REQUEST
from mainspring.http.openai.hosted.approvals import decided as decided_of


@dataclass(frozen=True, slots=True)
class Pending:
    """A call on which a person has decided. ``tool`` is its name for the model."""

    id: str
    tool: str
    arguments: Mapping[str, Any]
    approved: bool
    reason: str = ""

    def fits(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        """Whether it is this call."""
        return self.tool == tool and dict(self.arguments) == dict(arguments)


def split(messages: Sequence[Message]) -> tuple[tuple[Message, ...], list[Pending]]:
    """The conversation without approvals, and the decided calls to make now: those of the last message of the
    assistant. A call that was denied earlier stays, with the denial as its result."""
    decided = {
        each.tool_call_id: decided_of(each.content)
        for each in messages
        if each.role == "tool" and each.tool_call_id and each.tool_call_id.startswith(REQUEST)
    }
    last = max((n for n, each in enumerate(messages) if each.role == "assistant"), default=-1)
    kept: list[Message] = []
    pending: list[Pending] = []
    shown: set[str] = set()
    for number, message in enumerate(messages):
        if message.role == "assistant" and message.tool_calls:
            calls = []
            for call in message.tool_calls:
                if not call.id.startswith(REQUEST):
                    calls.append(call)
                elif number == last and call.id in decided:
                    pending.append(_pending(call, *decided[call.id]))
                elif call.id in decided and not decided[call.id][0]:
                    calls.append(call)
                    shown.add(call.id)
            if calls or message.content:
                kept.append(dataclasses.replace(message, tool_calls=tuple(calls)))
        elif message.role == "tool" and message.tool_call_id in decided:
            if message.tool_call_id in shown:
                _, reason = decided[message.tool_call_id]
                said = f"Error: A person has denied this call. {reason}".strip()
                kept.append(dataclasses.replace(message, content=said))
        else:
            kept.append(message)
    return tuple(kept), pending


def _pending(call: ToolCall, approved: bool, reason: str) -> Pending:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except ValueError:
        arguments = {}
    return Pending(call.id, call.name, arguments if isinstance(arguments, dict) else {}, approved, reason)
