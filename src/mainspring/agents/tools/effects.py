"""Whether a call with an effect may be made after a model has read what strangers wrote.

A model may do whatever it reads. So once a run has read something untrusted, a call that acts on the world is made only
if the model also decides on it without that text: it is asked again with the masked view of the conversation
(``provenance``), and the call is made as it is decided there. Where that does not happen, the user confirms the call in
the conversation, a person approves it, or it is refused: ``Untrusted`` is the agent's policy.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Container, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mainspring.agents.tools.base import BaseTool, ToolResult, Untrusted
from mainspring.agents.tools.calling import schema_fault
from mainspring.agents.tools.provenance import Provenance
from mainspring.core.types import Message, Tool, ToolCall

Decide = Callable[[tuple[Message, ...], tuple[Tool, ...]], Awaitable[Sequence[ToolCall]]]
"""The calls that the agent's model makes when it is asked with these messages and tools: a model call like any other,
a step of the run."""
PROPOSED = "_proposed"
"""The key of the session's state under which a call waits for the user's yes."""
DECLINED = "_declined"
"""The key under which digests of the calls are that the user did not confirm."""
APPROVED = "_approved"
"""The key under which the calls are that a person approved before the run: each may be made once."""
_QUESTIONS = 3
"""How many such calls there may be in a session before no further ones are asked about."""
_HOW = "Answer yes to confirm."
_YES = re.compile(
    r"\W*(yes|yes,? please|yep|yeah|ok|okay|sure|confirm|confirmed|i confirm|do it|go ahead|please do|ja|"
    r"ja,? bitte|oui|si|sí)\W*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A checked call that a model wants."""

    call: ToolCall
    tool: BaseTool
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is done with a call: it is made with these ``arguments``, after a person's ``approval`` if that is wanted;
    or it has this ``result`` and is not made."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    approval: bool = False
    result: ToolResult | None = None


class Effects:
    """Judges the calls of one run. ``state`` is the session's."""

    def __init__(self, provenance: Provenance, state: MutableMapping[str, Any], said: str = "") -> None:
        """``said`` is the user's latest message. A waiting call that it confirms may be made once."""
        self._provenance = provenance
        self._state = state
        proposed = state.pop(PROPOSED, None)
        self._approved: list[tuple[str, Mapping[str, Any]]] = [
            (str(each["tool"]), each["arguments"]) for each in state.pop(APPROVED, ())
        ]
        self._declined: list[str] = list(state.get(DECLINED) or ())
        self.confirmed: tuple[str, Mapping[str, Any]] | None = None
        """The tool and the arguments that the user has just confirmed: the agent that has the tool makes the call at
        once, and no model is asked for it again."""
        if not isinstance(proposed, dict):
            return
        tool, arguments = str(proposed.get("tool")), proposed.get("arguments") or {}
        if _YES.fullmatch(said):
            self.confirmed = tool, arguments
        else:
            # What a user did not want once is not asked again, and after a few of them nothing is.
            self._declined.append(_digest(tool, arguments))
            state[DECLINED] = self._declined

    def take(self, tools: Container[str]) -> tuple[str, Mapping[str, Any]] | None:
        """The confirmed call, once, if its tool is one of ``tools``: to be made now."""
        found = self.confirmed
        if found is None or found[0] not in tools:
            return None
        self.confirmed = None
        return found

    async def judged(
        self,
        wanted: Sequence[RequestedCall],
        messages: Callable[[], Sequence[Message]],
        tools: Sequence[BaseTool],
        decide: Decide,
        policy: Untrusted = "confirm",
    ) -> list[Verdict]:
        """A verdict for each of ``wanted``, the calls of one message of a model that was asked with what ``messages``
        gives, without that message, and ``tools``."""
        checked = self._provenance.tainted and policy != "allow"
        acting = [each for each in wanted if each.tool.policy.acts and checked and not self._taken(each)]
        if not acting:
            return [Verdict(each.arguments) for each in wanted]
        provenance = self._provenance
        decided = list(await decide(provenance.masked(messages()), provenance.declarations(tools)))
        return [self._verdict(each, decided, policy) if each in acting else Verdict(each.arguments) for each in wanted]

    def _taken(self, wanted: RequestedCall) -> bool:
        """Whether this is the confirmed call, or an approved one: each is made once."""
        mine = (wanted.tool.declaration.name, dict(wanted.arguments))
        for each in self._approved:
            if (each[0], dict(each[1])) == mine:
                self._approved.remove(each)
                return True
        if self.confirmed is None or (self.confirmed[0], dict(self.confirmed[1])) != mine:
            return False
        self.confirmed = None
        return True

    def _verdict(self, wanted: RequestedCall, decided: list[ToolCall], policy: Untrusted) -> Verdict:
        for call in decided:
            if call.name != wanted.tool.declaration.name:
                continue
            arguments = self._same(wanted, call)
            if arguments is not None:
                decided.remove(call)
                return Verdict(arguments)
        if policy == "approve":
            return Verdict(wanted.arguments, approval=True)
        name = wanted.tool.declaration.name
        asked = _digest(name, wanted.arguments) in self._declined or len(self._declined) >= _QUESTIONS
        if policy == "refuse" or asked:
            return Verdict(
                result=ToolResult(
                    error=f"{name} was not called: the user did not ask for it with these values, other texts did. "
                    "Say what you would do, with the values, and that the user can ask for it."
                )
            )
        if PROPOSED in self._state:
            return Verdict(result=ToolResult(error=f"{name} was not called: another call waits for the user's yes."))
        self._state[PROPOSED] = {"tool": name, "arguments": dict(wanted.arguments)}
        return Verdict(result=ToolResult(question(name, wanted.arguments), final=True))

    def _same(self, wanted: RequestedCall, call: ToolCall) -> dict[str, Any] | None:
        """The arguments of the call decided on trusted text if it is the wanted one; prose may differ."""
        try:
            decided = json.loads(call.arguments or "{}")
        except (ValueError, RecursionError):
            return None
        if schema_fault(wanted.tool.declaration, decided):
            return None
        arguments, strange = self._provenance.resolved(decided, wanted.tool.policy.content)
        if strange:
            return None
        required = wanted.tool.declaration.parameters.get("required", ())
        for name in required:
            mine, other = arguments.get(name), wanted.arguments.get(name)
            prose = isinstance(mine, str) and isinstance(other, str) and (" " in mine or " " in other)
            if mine != other and not prose and name not in wanted.tool.policy.content:
                return None
        return arguments


def _digest(name: str, arguments: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps([name, dict(arguments)], option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def question(name: str, arguments: Mapping[str, Any]) -> str:
    """What the user is asked: our words and the call as it would be made, none of a model's."""
    values = "\n".join(f"- {key}: {json.dumps(value, ensure_ascii=False)[:300]}" for key, value in arguments.items())
    return (
        f"Shall I do this? It follows from texts that I have read, not from your words.\n\n{name}\n{values}\n\n{_HOW}"
    )
