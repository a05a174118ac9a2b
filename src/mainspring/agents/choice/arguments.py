"""The arguments of a tool that is chosen: read from the text where that is certain, written by the model under the
tool's schema where it is not, and kept only if they come from the conversation."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.agents.choice import slots
from mainspring.agents.choice.base import Chosen, Steps, Turn
from mainspring.agents.choice.grounding import grounded, identifier
from mainspring.agents.choice.reading import NUMBER, kind, properties, required, stems, words
from mainspring.agents.choice.request import OpenRequest
from mainspring.core.types import ChatRequest, Grammar, Message, Sampling, Tool

MAX_CALLS = 8
_TOKENS, _TOKENS_OF_MANY = 400, 800
_FREE = frozenset(
    {"query", "question", "text", "search", "message", "content", "prompt", "topic", "description", "reason"}
)
_REQUEST = "request"
_SEVERAL = re.compile(r"\b(respectively|both|each|and|also|then|repeat|as well|separately)\b|,", re.IGNORECASE)
_NAME = re.compile(r"(?<!^)(?<![.?!]\s)\b[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*|\"[^\"]+\"|'[^']+'")
_CODE = re.compile(r"[A-Z]{2,6}|[a-z]{2}(?:[-_][A-Z]{2})?")
_NUMERIC = ("integer", "number")


@dataclass(frozen=True, slots=True)
class Filled:
    """``calls`` with their arguments, or what is ``missing``: required arguments that nobody has told."""

    calls: tuple[Chosen, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallWanted:
    """A tool to be called: for ``part`` of the request (empty: for all of it), with the ``fixed`` arguments of a
    rule. ``others`` are tools that fit nearly as well: the model decides when it writes the arguments."""

    tool: Tool
    part: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[Tool, ...] = ()


async def filled(wanted: CallWanted, request: OpenRequest, turn: Turn, steps: Steps) -> Filled:
    """The calls that serve the request, with one tool. Raises what the model's call raises."""
    made_one: Mapping[str, Any] | None = None
    if wanted.others:
        wanted, made_one = await _picked(wanted, request, turn, steps)
    tool, said = wanted.tool, wanted.part or request.text
    if not properties(tool):
        return Filled((Chosen(tool.name, {}),))
    stated = {**slots.found(tool, said), **wanted.fixed}
    if required(tool) == (_REQUEST,):
        # Another agent reads the user's own words.
        return Filled((Chosen(tool.name, {_REQUEST: said, **wanted.fixed}),))
    if all(name in stated for name in required(tool)) and not _mentions_more(tool, said, stated):
        return Filled((Chosen(tool.name, stated),))
    if unsaid := tuple(name for name in required(tool) if name not in stated and _unsaid(name, request.grounds)):
        return Filled(missing=unsaid)
    if _several(tool, said) and not wanted.fixed:
        made = await _many(wanted, request, turn, steps)
        if len(made) > 1:
            return Filled(tuple(_call(tool, _kept(tool, each, {}, request.grounds), {}) for each in made))
    if made_one is None:
        made_one = (await _picked(wanted, request, turn, steps))[1]
    values = _kept(tool, made_one, stated, request.grounds)
    values = {**_free(tool, values, said), **values}
    missing = tuple(name for name in required(tool) if name not in values)
    return Filled(missing=missing) if missing else Filled((_call(tool, values, stated),))


def _call(tool: Tool, values: Mapping[str, Any], stated: Mapping[str, Any]) -> Chosen:
    ordered = {name: values[name] for name in properties(tool) if name in values}
    return Chosen(tool.name, ordered, tuple(name for name in ordered if name not in stated))


def _mentions_more(tool: Tool, said: str, stated: Mapping[str, Any]) -> bool:
    """Whether the text may hold values of arguments that are not read yet."""
    left = [name for name in properties(tool) if name not in stated]
    there = stems(said)
    used = {str(value) for value in stated.values()}
    numbers = [each for each in NUMBER.findall(said) if not any(each in value for value in used)]
    known = properties(tool)
    if numbers and any(kind(known[name]) in _NUMERIC for name in left):
        return True
    names = [name.strip("\"'") for name in _NAME.findall(said)]
    if left and any(not any(name in value for value in used) for name in names):
        return True
    return any(stems(words(name)) & there for name in left)


def _unsaid(name: str, grounds: str) -> bool:
    """Whether nothing in the conversation can be the value of an identifier: no model needs to be asked then."""
    if "email" in words(name).split():
        return "@" not in grounds
    return identifier(name) and not any(letter.isdigit() for letter in grounds) and _NAME.search(grounds) is None


def _several(tool: Tool, said: str) -> bool:
    """Whether the text has values for more than one call of the tool. The model decides then."""
    known = properties(tool)
    kinds = [kind(known[name]) for name in required(tool)]
    if not kinds or _SEVERAL.search(said) is None:
        return False
    if re.search(r"\brespectively\b", said, re.IGNORECASE):
        return True
    if "array" in kinds or "object" in kinds:
        return False
    numeric = sum(each in _NUMERIC for each in kinds)
    optional = sum(kind(each) in _NUMERIC for name, each in known.items() if name not in required(tool))
    numbers = len(NUMBER.findall(said))
    names = len(dict.fromkeys(_NAME.findall(said)))
    texts = sum(each in ("string", "") for each in kinds)
    return bool(numeric and numbers > numeric + optional) or bool(texts and names > texts)


async def _picked(
    wanted: CallWanted, request: OpenRequest, turn: Turn, steps: Steps
) -> tuple[CallWanted, Mapping[str, Any]]:
    """The tool and the arguments as the model writes them: a call is forced on it, of this tool if no other fits."""
    offered = (wanted.tool, *wanted.others)
    forced = "required" if wanted.others else wanted.tool.name
    sampling = Sampling(max_tokens=_TOKENS, temperature=0.0)
    asked = ChatRequest(turn.model, _messages(wanted, request, turn.system), sampling, offered, forced)
    calls = (await steps.ask(asked)).tool_calls
    if not calls:
        return dataclasses.replace(wanted, others=()), {}
    tool = next((each for each in offered if each.name == calls[0].name), wanted.tool)
    return dataclasses.replace(wanted, tool=tool, others=()), _object(calls[0].arguments)


async def _many(wanted: CallWanted, request: OpenRequest, turn: Turn, steps: Steps) -> list[Mapping[str, Any]]:
    """The arguments of each call that the text asks for."""
    tool = wanted.tool
    items: dict[str, Any] = {"type": "object", "additionalProperties": False, **tool.parameters}
    definitions: dict[str, Any] = {key: items.pop(key) for key in ("$defs", "definitions") if key in items}
    schema = {"type": "array", "items": items, "minItems": 1, "maxItems": MAX_CALLS, **definitions}
    declared = json.dumps({"name": tool.name, "description": tool.description, "parameters": tool.parameters})
    told = (
        f"The user's request needs one or several calls of this function:\n{declared}\n"
        "Write a JSON list of the arguments, one object for each call. Leave out optional arguments that the user does "
        "not mention."
    )
    sampling = Sampling(max_tokens=_TOKENS_OF_MANY, temperature=0.0, grammar=Grammar("json_schema", json.dumps(schema)))
    messages = _messages(wanted, request, f"{turn.system}\n\n{told}".strip())
    answer = await steps.ask(ChatRequest(turn.model, messages, sampling))
    try:
        read = json.loads(answer.content)
    except ValueError:
        return []
    made = [each for each in read if isinstance(each, dict)] if isinstance(read, list) else []
    return [each for at, each in enumerate(made) if each not in made[:at]]


def _messages(wanted: CallWanted, request: OpenRequest, system: str) -> tuple[Message, ...]:
    shown = list(request.shown)
    if wanted.part:
        at = max(index for index, each in enumerate(shown) if each.role == "user")
        shown[at] = Message("user", f"{shown[at].content}\n\nNow only this part: {wanted.part}")
    first = (Message("system", system),) if system else ()
    return (*first, *shown)


def _kept(tool: Tool, made: Mapping[str, Any], stated: Mapping[str, Any], grounds: str) -> dict[str, Any]:
    """What the model wrote, without what it made up and without defaults; with what is certain in its place."""
    known, needed = properties(tool), required(tool)
    values: dict[str, Any] = {}
    derived = _names_left(made, grounds)
    for name, schema in known.items():
        value = made.get(name)
        if name in stated and (value is None or not _free_of_doubt(value, schema, name, grounds)):
            values[name] = stated[name]
        elif value is None or (name not in needed and _default(value, schema, name, grounds)):
            continue
        elif grounded(value, schema, name, grounds) or (derived and _derivable(value) and not identifier(name)):
            values[name] = value
    return values


def _derivable(value: Any) -> bool:
    """Whether a value can be another form of a name: a code, a number, coordinates. Another name is none."""
    if isinstance(value, str):
        return _CODE.fullmatch(value) is not None
    if isinstance(value, Mapping):
        return all(_derivable(each) for each in value.values())
    return all(_derivable(each) for each in value) if isinstance(value, list) else not isinstance(value, bool)


def _names_left(made: Mapping[str, Any], grounds: str) -> bool:
    """Whether the user's last words name something that no argument repeats: others may be derived from it, as a
    stock's symbol is from its company."""
    used = " ".join(str(value) for value in made.values()).lower()
    names = _NAME.findall(grounds.rsplit("\n", 1)[-1])
    return any(name.strip("\"'").lower() not in used for name in names)


def _free_of_doubt(value: Any, schema: Mapping[str, Any], name: str, grounds: str) -> bool:
    return not identifier(name) and grounded(value, schema, name, grounds)


def _default(value: Any, schema: Mapping[str, Any], name: str, grounds: str) -> bool:
    """Whether an optional argument says nothing: it has its default, is empty, or nobody spoke of it."""
    if value in ("", [], {}) or ("default" in schema and value == schema["default"]):
        return True
    there = stems(grounds)
    if isinstance(value, bool):
        return not stems(words(name)) & there
    if isinstance(value, str) and "enum" in schema:
        return not stems(words(value)) & there
    return False


def _free(tool: Tool, values: Mapping[str, Any], said: str) -> dict[str, Any]:
    """The user's own words for a required argument that takes any text, such as a query."""
    known = properties(tool)
    open_ones = [name for name in required(tool) if name not in values and name in _FREE and "enum" not in known[name]]
    return {open_ones[0]: said} if len(open_ones) == 1 and kind(known[open_ones[0]]) in ("string", "") else {}


def _object(text: str) -> Mapping[str, Any]:
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return {}
    return read if isinstance(read, Mapping) else {}
