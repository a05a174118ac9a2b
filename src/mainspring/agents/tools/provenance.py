"""Where the texts of a run come from, and the view of a conversation that holds nothing of strangers.

What users write and agents' instructions say is trusted. What untrusted tools return, what models wrote after reading
it, and foreign declarations of tools are not: a model may do whatever such text asks. The masked view shows the trusted
words, and of the rest only facts: numbers, truth values, and texts whose form the tool's author has declared narrow
(an enumeration, a date, a short pattern). Each other text is a handle, ``[text 3]``. Instructions cannot hide in it, so
a decision taken on this view is no stranger's. The idea is that of CaMeL (Debenedetti et al. 2025) and of the dual-LLM
pattern.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from mainspring.agents.tools.base import BaseTool, ToolResult
from mainspring.agents.tools.facts import facts
from mainspring.core.types import Message, Tool, ToolCall

_HANDLE = re.compile(r"\[text (\d{1,6})\]")


class Provenance:
    """The trusted and the untrusted texts of one run, with all its agents. It depends on its arguments alone, so a
    resumed run comes to the same state."""

    def __init__(self) -> None:
        self.tainted = False
        self._said: dict[str, None] = {}
        self._trusted = ""
        self._results: dict[str, str] = {}
        self._arguments: dict[str, str] = {}
        self._texts: list[str] = []

    def begin(self, messages: Iterable[Message], state: Mapping[str, Any] | None = None) -> None:
        """The messages of the request that the run answers, with those of its session before. Users' and system
        messages are trusted. What assistants and tools said earlier is not. The ``state`` is trusted where the session
        begins with this request: then it is the application's."""
        for each in messages:
            if each.role in ("user", "system", "developer"):
                self.trust(each.content)
            else:
                self.tainted = True
        for value in (state or {}).values() if not self.tainted else ():
            if isinstance(value, str):
                self.trust(value)

    def trust(self, text: str) -> None:
        """A text that an agent is given before anything untrusted was read: what a parent agent asks of a sub-agent, an
        assistant's message. Later ones are not trusted, and calling this is harmless then: see ``written``."""
        if text not in self._said:
            self._said[text] = None
            self._trusted += f"\n{text.casefold()}"

    def written(self, text: str) -> None:
        """A text that a model wrote just now: trusted only if it has read nothing untrusted."""
        if text and not self.tainted:
            self.trust(text)

    def offered(self, tools: Iterable[BaseTool]) -> None:
        """Tools that a model sees: the words of foreign declarations are untrusted."""
        if any(each.policy.foreign for each in tools):
            self.tainted = True

    def called(self, call_id: str, arguments: Mapping[str, Any]) -> None:
        """A call that is made now, with the arguments that it is made with."""
        self._arguments[call_id] = _json(arguments if not self.tainted else self._cleared(arguments))

    def read(self, call_id: str, tool: BaseTool | None, result: ToolResult) -> None:
        """An outcome that a model reads now; without a ``tool`` it is an agent's answer, which is untrusted if anything
        untrusted has been read."""
        if tool is None and not self.tainted:
            self.trust(result.error or (result.output if isinstance(result.output, str) else _json(result.output)))
            return
        policy = tool.policy if tool is not None else None
        if policy is not None and policy.trusted:
            text = result.error or (result.output if isinstance(result.output, str) else _json(result.output))
            self._results[call_id] = text
            self.trust(text)
            return
        self.tainted = True
        if result.error:
            self._results[call_id] = _json({"error": self._handle(result.error)})
            return
        schema = policy.result if policy is not None else None
        self._results[call_id] = _json(facts(result.output, schema, self._known, self._handle))

    def fork(self) -> Provenance:
        """For an agent that runs beside others: what it reads is in no other's view."""
        made = Provenance()
        made.tainted, made._trusted = self.tainted, self._trusted
        made._said, made._results = dict(self._said), dict(self._results)
        made._arguments, made._texts = dict(self._arguments), list(self._texts)
        return made

    def join(self, other: Provenance) -> None:
        """What a fork has read may have come back with its answer."""
        self.tainted = self.tainted or other.tainted

    def masked(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """``messages`` with nothing untrusted in them but facts and handles."""
        return tuple(self._masked(each) for each in messages)

    def values(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The session's state with handles for the texts that nobody trusted said: agents and tools leave in it what
        they have read."""
        return {
            key: each if isinstance(each, str) and each in self._said else self._cleared(each)
            for key, each in state.items()
        }

    def declarations(self, tools: Iterable[BaseTool]) -> tuple[Tool, ...]:
        """The declarations of ``tools``, those of strangers without their words."""
        return tuple(_bare(each.declaration) if each.policy.foreign else each.declaration for each in tools)

    def resolved(self, arguments: Mapping[str, Any], content: frozenset[str]) -> tuple[dict[str, Any], list[str]]:
        """``arguments`` with texts in place of handles; and the names of the arguments into which an untrusted text
        flows although they are not ``content``."""
        strange: list[str] = []

        def put(value: Any, name: str) -> Any:
            if isinstance(value, str):
                if _HANDLE.search(value) and name not in content:
                    strange.append(name)
                return _HANDLE.sub(lambda match: self._text(int(match[1]), match[0]), value)
            if isinstance(value, list):
                return [put(each, name) for each in value]
            if isinstance(value, dict):
                return {key: put(each, name) for key, each in value.items()}
            return value

        return {name: put(value, name) for name, value in arguments.items()}, list(dict.fromkeys(strange))

    def _masked(self, message: Message) -> Message:
        if message.role == "tool":
            text = self._results.get(message.tool_call_id or "")
            return dataclasses.replace(message, content=self._handle(message.content) if text is None else text)
        text = message.content
        if text and text not in self._said and message.role not in ("system", "developer"):
            text = self._handle(text)
        calls = tuple(self._call(each) for each in message.tool_calls)
        return dataclasses.replace(message, content=text, tool_calls=calls)

    def _call(self, call: ToolCall) -> ToolCall:
        known = self._arguments.get(call.id)
        if known is None:
            try:
                known = _json(self._cleared(json.loads(call.arguments or "{}")))
            except (ValueError, RecursionError):
                known = "{}"
        return dataclasses.replace(call, arguments=known)

    def _cleared(self, value: Any) -> Any:
        """Arguments that a model wrote after it read untrusted text: each text in them that nobody trusted said."""
        if isinstance(value, dict) and not any(isinstance(each, str | list | dict) for each in value.values()):
            return value
        return facts(value, None, self._known, self._handle, own=True)

    def _known(self, text: str) -> bool:
        """Whether a trusted text has ``text`` in it as whole words."""
        if not text.strip() or _HANDLE.fullmatch(text):
            return True
        pattern = rf"(?<!\w){re.escape(text.casefold())}(?!\w)"
        return len(text) <= 200 and re.search(pattern, self._trusted) is not None

    def _handle(self, text: str) -> str:
        if text not in self._texts:
            self._texts.append(text)
        return f"[text {self._texts.index(text) + 1}]"

    def _text(self, number: int, otherwise: str) -> str:
        return self._texts[number - 1] if 0 < number <= len(self._texts) else otherwise


def _bare(declaration: Tool) -> Tool:
    return dataclasses.replace(declaration, description="", parameters=_without_words(declaration.parameters))


def _without_words(schema: Any, *, names: bool = False) -> Any:
    """A schema without descriptions. ``names``: its keys are names of properties, and no keywords."""
    if isinstance(schema, Mapping):
        kept = schema if names else {key: each for key, each in schema.items() if key not in _WORDS}
        return {
            key: each
            if key in ("enum", "const") and not names
            else _without_words(each, names=key in _TABLES and not names)
            for key, each in kept.items()
        }
    if isinstance(schema, list | tuple):
        return [_without_words(each) for each in schema]
    return schema


_WORDS = frozenset({"description", "title", "examples", "example", "default", "$comment", "deprecated"})
_TABLES = frozenset({"properties", "patternProperties", "$defs", "definitions"})


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
