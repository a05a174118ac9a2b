"""ReAct for models that have no function calling: thought, action and observation as text under a grammar.

A turn is one JSON object: ``{"thought": ..., "action": {"name": ..., "arguments": ...}}`` or ``{"thought": ...,
"answer": ...}``. An observation comes back as the user's text.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

from mainspring.agents.loop.steps import Reply
from mainspring.core.types import ChatRequest, Grammar, Message, Tool, ToolCall
from mainspring.engines.chat import tools as tool_calls

_SYSTEM = ("system", "developer")
HOW = """You can use tools. In each turn, write one JSON object and nothing else, in one of two forms:
{"thought": "what you need to find out", "action": {"name": "a tool", "arguments": {}}}
{"thought": "why you can answer", "answer": "what you tell the user"}
After an action you are told its observation. Act until you know enough, then answer. Say only what you were told.

Tools:
"""


_BEGUN = re.compile(r'"answer"\s*:\s*"((?:[^"\\]|\\.)*\\?)$', re.DOTALL)


def grammar(tools: tuple[Tool, ...]) -> Grammar:
    """The constraint of a turn: one of these actions, or an answer. Raises ``InvalidSchema``."""
    called = json.loads(tool_calls.constraint(tools).source)
    definitions = called.pop("$defs")
    thought = {"thought": {"type": "string", "maxLength": 400}}
    forms = [
        {
            "type": "object",
            "properties": {**thought, "action": called},
            "required": ["thought", "action"],
            "additionalProperties": False,
        },
        {
            "type": "object",
            "properties": {**thought, "answer": {"type": "string"}},
            "required": ["thought", "answer"],
            "additionalProperties": False,
        },
    ]
    return Grammar("json_schema", json.dumps({"anyOf": forms, "$defs": definitions}))


def request(asked: ChatRequest) -> ChatRequest:
    """The same request as text: tools in the system message, calls and results as turns."""
    known = "\n".join(json.dumps(tool_calls.declaration(each)["function"], ensure_ascii=False) for each in asked.tools)
    system = [each.content for each in asked.messages if each.role in _SYSTEM]
    others = [_turn(each) for each in asked.messages if each.role not in _SYSTEM]
    messages = (Message("system", "\n\n".join([*system, HOW + known])), *others)
    sampling = dataclasses.replace(asked.sampling, grammar=grammar(asked.tools))
    return dataclasses.replace(asked, messages=messages, sampling=sampling, tools=(), tool_choice="auto")


def read(reply: Reply, path: str) -> Reply:
    """The turn in ``reply``. Text that is no turn is the answer; of a turn that was cut it is what there is of one."""
    try:
        found = json.loads(reply.text)
    except ValueError:
        if reply.finish != "length" or not reply.text.lstrip().startswith("{"):
            return reply
        begun = _BEGUN.search(reply.text)
        return Reply(_unescaped(begun[1]) if begun else "", "", [], "length", reply.usage)
    if not isinstance(found, dict):
        return reply
    thought, action = str(found.get("thought", "")), found.get("action")
    if isinstance(action, dict) and isinstance(action.get("name"), str):
        call = ToolCall(f"call_{path}", action["name"], json.dumps(action.get("arguments") or {}, ensure_ascii=False))
        return Reply("", thought, [call], "tool_calls", reply.usage)
    if "answer" in found:
        return Reply(str(found["answer"]), thought, [], reply.finish, reply.usage)
    return reply


def _unescaped(text: str) -> str:
    """A JSON string that was cut, as far as it goes."""
    for end in range(len(text), max(-1, len(text) - 7), -1):
        try:
            return str(json.loads(f'"{text[:end]}"'))
        except ValueError:
            continue
    return ""


def _turn(message: Message) -> Message:
    if message.role == "tool":
        return Message("user", f"Observation: {message.content}")
    if not message.tool_calls:
        return message
    call = message.tool_calls[0]
    try:
        arguments: Any = json.loads(call.arguments or "{}")
    except ValueError:
        arguments = call.arguments
    written = {"thought": message.content, "action": {"name": call.name, "arguments": arguments}}
    return Message("assistant", json.dumps(written, ensure_ascii=False))
