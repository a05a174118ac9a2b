"""``context_management``: what clients want removed from a long conversation before the model reads it.

Old results of tools are replaced by a note. Thoughts of earlier turns are never read again, so an edit that clears them
has nothing to do. A conversation that would have to be compacted is refused. Tokens are estimated, as everywhere before
a model is asked.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from mainspring.core.errors import Unsupported
from mainspring.core.types import Message
from mainspring.http.bodies import Body, Few
from mainspring.serving.admit.token_estimate import message_tokens, text_tokens

CLEARED = "[old result of a tool, removed]"
_CLEARS_AT, _COMPACTS_AT, _KEPT = 100_000, 150_000, 3


class Amount(BaseModel):
    model_config = ConfigDict(extra="ignore")
    type: Literal["input_tokens", "tool_uses", "thinking_turns", "all"]
    value: int | None = Field(None, ge=0)


class Edit(Body):
    """One edit; which fields count depends on its ``type``."""

    type: Literal["clear_tool_uses_20250919", "clear_thinking_20251015", "compact_20260112"]
    trigger: Amount | None = None
    keep: Amount | Literal["all"] | None = None
    clear_at_least: Amount | None = None
    clear_tool_inputs: bool | Few[str] | None = None
    exclude_tools: Few[str] | None = None
    instructions: str | None = None
    pause_after_compaction: bool | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """The messages that remain, and what was removed, as Anthropic's answers tell it."""

    messages: Sequence[Message]
    applied: tuple[Mapping[str, Any], ...] = ()


class ContextManagement(Body):
    edits: Few[Edit] | None = None

    def applied(self, messages: Sequence[Message]) -> Edited:
        """Raises ``Unsupported`` for a conversation that would have to be compacted."""
        done: list[Mapping[str, Any]] = []
        for index, edit in enumerate(self.edits or ()):
            if edit.type == "compact_20260112":
                _check(edit, messages, f"context_management.edits[{index}]")
            elif edit.type == "clear_tool_uses_20250919":
                messages, told = _cleared(edit, messages)
                done += told
        return Edited(messages, tuple(done))


def _check(edit: Edit, messages: Sequence[Message], place: str) -> None:
    most = (edit.trigger and edit.trigger.value) or _COMPACTS_AT
    if message_tokens(messages) > most:
        raise Unsupported(
            f"{place} asks for compaction of more than {most} tokens, and conversations are not compacted here",
            remedy="Have your client summarise them, or leave the edit out",
            param=place,
        )


def _cleared(edit: Edit, messages: Sequence[Message]) -> tuple[Sequence[Message], list[Mapping[str, Any]]]:
    names = {call.id: call.name for message in messages for call in message.tool_calls}
    results = [index for index, each in enumerate(messages) if each.role == "tool"]
    trigger = edit.trigger or Amount(type="input_tokens", value=_CLEARS_AT)
    size = len(results) if trigger.type == "tool_uses" else message_tokens(messages)
    if size <= (trigger.value or 0):
        return messages, []
    kept = edit.keep.value if isinstance(edit.keep, Amount) and edit.keep.value is not None else _KEPT
    excluded = set(edit.exclude_tools or ())
    old = {
        index
        for index in results[: max(0, len(results) - kept)]
        if names.get(messages[index].tool_call_id or "") not in excluded and messages[index].content != CLEARED
    }
    left = [dataclasses.replace(each, content=CLEARED) if index in old else each for index, each in enumerate(messages)]
    left = _inputs_cleared(edit, left, {messages[index].tool_call_id for index in old})
    saved = message_tokens(messages) - message_tokens(left)
    if not old or saved < ((edit.clear_at_least and edit.clear_at_least.value) or 0):
        return messages, []
    return left, [{"type": edit.type, "cleared_tool_uses": len(old), "cleared_input_tokens": max(0, saved)}]


def _inputs_cleared(edit: Edit, messages: Sequence[Message], ids: set[str | None]) -> list[Message]:
    """With the inputs of the calls ``ids`` emptied, where that is wanted of their tools."""
    wish = edit.clear_tool_inputs
    if not wish:
        return list(messages)
    left = []
    for message in messages:
        calls = tuple(
            dataclasses.replace(call, arguments="{}")
            if call.id in ids and (wish is True or call.name in wish) and text_tokens(call.arguments) > 1
            else call
            for call in message.tool_calls
        )
        left.append(dataclasses.replace(message, tool_calls=calls) if calls != message.tool_calls else message)
    return left
