"""The plugin that serves ``scripted``: a model with a long context whose answers are written in the question.

    CALL get_weather {"city": "Paris"}     a line that has it call a tool; several lines are parallel calls
    THEN read {"path": "a.py"}             call a tool once those of the lines before have answered
    SAY some text                          its answer: from there to the word END, or to the end of the message

Asked to think step by step, it thinks aloud before; what it knows is in the variable ``SCRIPTED_KNOWS``. A question
with a long word of a tool's name in it has it called, too. After tools have answered, it repeats their
results. Under a JSON schema it writes a small instance of it. If a call is required and none is written, it calls the
tool that gives the final answer, or else one that it has not called, with an instance of its parameters. Otherwise it
tells how many messages it has read, and repeats the last one.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import uuid
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.types import Event, Finish, Message, Tool, ToolCallDelta, Usage
from mainspring.engines.base import EngineStream, Generation
from mainspring.engines.chat.commit_point import commit
from mainspring.engines.kinds import PROVIDER
from mainspring.engines.scripted import ScriptedEngine, words
from tests.clients.instances import instance

if TYPE_CHECKING:
    from mainspring.core.settings.endpoints import RemoteModel

CALL = re.compile(r"^\s*CALL (\S+) (\{.*\})\s*$", re.MULTILINE)
THEN = re.compile(r"^\s*THEN (\S+) (\{.*\})\s*$", re.MULTILINE)
SAY = re.compile(r"\bSAY (.*?)(?: END\b|\Z)", re.DOTALL)
# What the server asks where a schema is beyond grammars: the answer is validated then.
# What the suites of others ask a model for, and what it knows: parts of questions with their answers.
# UPPER is the message before in capitals, BEFORE all that it has read before.
KNOWN: dict[str, str] = json.loads(os.environ.get("SCRIPTED_KNOWS", "{}"))
THINK = re.compile(r"\bthink step by step\b", re.IGNORECASE)
SCHEMA = re.compile(r"fits this JSON schema, and nothing else:\n(\{.*\})")
# Agents that must call a tool to end call one of these.
FINAL = ("final_result", "final_answer", "finish", "submit", "json")


@hookimpl
def mainspring_register(registry: Registry) -> None:
    registry.add(PROVIDER, "scripted", _scripted)


def _scripted(name: str, remote: RemoteModel, _retries: int) -> ScriptedModel:
    return ScriptedModel(name, remote.context_window)


class ScriptedModel(ScriptedEngine):
    """Implements ``Engine``; takes messages, as a remote one does."""

    def __init__(self, name: str, window: int) -> None:
        own = ScriptedEngine(context_window=window, templates=True).capabilities
        super().__init__(name=name, capabilities=dataclasses.replace(own, images=True))

    async def generate(self, generation: Generation) -> EngineStream:
        calls = _calls(generation)
        if calls:
            return await commit(self._call(generation, calls))
        self.script = lambda each: words(_said(each))
        return await super().generate(generation)

    async def _call(self, generation: Generation, calls: list[tuple[str, str]]) -> AsyncGenerator[Event, None]:
        written = 0
        for index, (name, arguments) in enumerate(calls):
            yield ToolCallDelta(0, index, f"call_{uuid.uuid4().hex[:16]}", name, "")
            # In pieces, as models write them.
            for start in range(0, len(arguments), 8):
                written += 1
                yield ToolCallDelta(0, index, None, None, arguments[start : start + 8])
        yield Usage(self._check(generation), written)
        yield Finish("tool_calls")


def _calls(generation: Generation) -> list[tuple[str, str]]:
    """(name, arguments) of the calls that this turn makes."""
    offered = {tool.name: tool for tool in generation.tools}
    choice = generation.tool_choice
    if not offered or choice == "none":
        return []
    last = generation.messages[-1]
    if (planned := _planned(generation.messages)) and planned[0] in offered:
        return [planned]
    written = [] if last.role == "tool" else [call for call in CALL.findall(last.content) if call[0] in offered]
    if last.role == "user" and not written and not SAY.search(last.content):
        written = [_made(tool) for tool in generation.tools if _about(tool.name, last.content)][:1]
    if choice in offered:
        written = [call for call in written if call[0] == choice] or [_made(offered[choice])]
    elif choice == "required" and not written:
        asked = _asked(generation.messages)
        fresh = [tool for name, tool in offered.items() if name not in asked]
        final = [tool for name, tool in offered.items() if name in FINAL]
        written = [_made((final or fresh or list(offered.values()))[0])]
    return written if generation.parallel_tool_calls else written[:1]


def _planned(messages: tuple[Message, ...]) -> tuple[str, str] | None:
    """The next call of a plan that a user's message lays down in lines."""
    plans = [THEN.findall(each.content) for each in messages if each.role == "user"]
    plan = next(filter(None, plans), [])
    done = sum(each.role == "tool" for each in messages)
    return plan[done] if done < len(plan) else None


def _asked(messages: tuple[Message, ...]) -> set[str]:
    """The tools that were called since the last question."""
    named: set[str] = set()
    for message in reversed(messages):
        if message.role == "user":
            break
        named.update(call.name for call in message.tool_calls)
    return named


def _about(name: str, question: str) -> bool:
    """Whether a long word of the tool's name occurs: suites of others ask for the weather in their own words."""
    return any(len(word) > 5 and word in question.lower() for word in name.lower().split("_"))


def _made(tool: Tool) -> tuple[str, str]:
    return tool.name, json.dumps(instance(tool.parameters))


def _said(generation: Generation) -> str:
    if not generation.messages:
        return f"continued: {generation.prompt[-80:]}"
    last, grammar = generation.messages[-1].content, generation.sampling.grammar
    if grammar and grammar.kind == "json_schema":
        schema = json.loads(grammar.source)
        # Any object will do: the question may say which.
        written = SAY.search(last) if not schema.get("properties") else None
        return written[1] if written else json.dumps(instance(schema))
    if asked := SCHEMA.search("\n".join(message.content for message in generation.messages)):
        return json.dumps(instance(json.loads(asked[1])))
    results = _results(generation.messages)
    if results:
        return "The tools said: " + "; ".join(results)
    if found := SAY.search(last):
        return found[1]
    thought = "<think>It is asked of me, step by step.</think>" if THINK.search(last) else ""
    if known := next((fact for part, fact in KNOWN.items() if part in last), ""):
        before = [each.content for each in generation.messages[:-1]]
        return thought + {"UPPER": "".join(before[-1:]).upper(), "BEFORE": " ".join(before)}.get(known, known)
    if thought:
        return f"{thought}It is 4."
    return f"I have read {len(generation.messages)} messages. The last one: {last[-200:]}"


def _results(messages: tuple[Message, ...]) -> list[str]:
    """What the tools said since the last question."""
    found: list[str] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        found.insert(0, message.content)
    return found
