"""What a request and a tool say, as words: the texts that are embedded, and the stems that are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mainspring.agents.tools.base import BaseTool
from mainspring.core.types import Tool

_HUMP = re.compile(r"([a-z0-9])([A-Z])")
_OTHER = re.compile(r"[^A-Za-z0-9]+")
_WORD = re.compile(r"[a-z]+|\d+")
_ENDINGS = ("ing", "ies", "es", "ed", "s")
_STOP = frozenset(
    "a an the of for to in on at is are was be i me my you your it its this that and or with by from what which who "
    "how can could please would will do does need want help get find tell give show provide calculate as if into about "
    "hi hello also some any let s know using use used".split()
)
_ROLES = ("agent", "assistant", "bot", "expert", "specialist", "team", "tool")
"""Words of names that say nothing of what for."""
NUMBER = re.compile(r"(?<![A-Za-z\d])-?\d[\d,]*(?:\.\d+)?")
# Ends of sentences, and the joints of requests that are made in one sentence.
_PARTS = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"'])|(?:,\s+|(?<![\s,])\s+)(?:and then|then|after that)\s+|;\s+")
_NUMERIC = ("integer", "number")
_QUERIES = frozenset({"query", "question", "q", "search", "search_query"})
_KNOWLEDGE = frozenset(
    "knowledge kb faq faqs article articles document documents docs documentation manual manuals handbook wiki "
    "policies collection passages".split()
)


@dataclass(frozen=True, slots=True)
class ToolText:
    """A tool as text. ``said`` are its name and description together; ``stems`` those of name, description and
    parameters."""

    name: str
    description: str
    parameters: str
    examples: tuple[str, ...]
    name_stems: frozenset[str]
    description_stems: frozenset[str]
    parameter_stems: frozenset[str]
    numbers: int
    """How many required arguments are numbers."""
    takes_numbers: bool

    @property
    def said(self) -> str:
        return f"{self.name}: {self.description}"


def words(name: str) -> str:
    """``getOrderStatus``, ``get_order_status`` or ``orders.status`` as words in lower case."""
    return _OTHER.sub(" ", _HUMP.sub(r"\1 \2", name)).lower().strip()


@lru_cache(4096)
def stems(text: str) -> frozenset[str]:
    """The words of ``text`` that mean something, without their endings."""
    found = []
    for word in _WORD.findall(text.lower()):
        if word in _STOP:
            continue
        ending = next((each for each in _ENDINGS if word.endswith(each) and len(word) - len(each) >= 3), "")
        found.append(word.removesuffix(ending))
    return frozenset(found)


def properties(tool: Tool) -> Mapping[str, Mapping[str, Any]]:
    """The schemas of the arguments, by name."""
    found = tool.parameters.get("properties", {})
    return {name: each if isinstance(each, Mapping) else {} for name, each in found.items()}


def required(tool: Tool) -> tuple[str, ...]:
    """The arguments without which it cannot be called, in their order."""
    known = properties(tool)
    return tuple(name for name in tool.parameters.get("required", ()) if name in known)


def kind(schema: Mapping[str, Any]) -> str:
    """The type of an argument; of one that may be null the other type; empty: any."""
    named = schema.get("type", "")
    if isinstance(named, list):
        return next((each for each in named if each != "null"), "")
    options = [each for each in schema.get("anyOf", ()) if isinstance(each, Mapping) and each.get("type") != "null"]
    return str(named or (options[0].get("type", "") if options else ""))


def read(tool: BaseTool) -> ToolText:
    """What a tool says of itself."""
    declared = tool.declaration
    known = properties(declared)
    parameters = "; ".join(f"{words(name)}: {each.get('description', '')}" for name, each in known.items())
    named = words(declared.name).split()
    name = " ".join([each for each in named if each not in _ROLES] or named)
    kinds = [kind(each) for each in known.values()]
    return ToolText(
        name,
        declared.description,
        parameters,
        tuple(tool.examples),
        stems(name),
        stems(declared.description),
        stems(parameters),
        sum(kind(known[each]) in _NUMERIC for each in required(declared)),
        any(each in _NUMERIC for each in kinds),
    )


def searching(tool: BaseTool) -> bool:
    """Whether it only looks up what some body of texts says about a question."""
    declared, needed = tool.declaration, required(tool.declaration)
    if tool.policy.effect != "none" or len(needed) != 1 or needed[0] not in _QUERIES:
        return False
    return not _KNOWLEDGE.isdisjoint(_WORD.findall(f"{words(declared.name)} {declared.description.lower()}"))


def parts(request: str) -> list[str]:
    """The sentences of a request and its halves that are requests of their own, of four words and more."""
    return [part.strip() for part in _PARTS.split(request) if len(part.split()) > 3]
