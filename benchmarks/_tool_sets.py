"""Public requests for tools to fit and to develop tool choice on: none of them is reported as a result.

Seal-Tools (github fairyshine/Seal-Tools, Apache-2.0): 4,076 tools and requests for one or several of them. Its part
``test_out_domain`` has tools of other fields than the others. Glaive (github hiyouga/LLaMA-Factory,
``data/glaive_toolcall_en_demo.json``, Apache-2.0): 300 conversations with tools, some of whose requests no tool serves.
Both lie in one folder, as ``seal_{tool,dev,test_in_domain,test_out_domain}.jsonl`` and ``glaive.json``.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mainspring.agents.choice.reading import parts, read
from mainspring.agents.tools.base import ToolPolicy
from mainspring.core.types import Tool

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
_REFUSED = re.compile(r"sorry|unable|can't|don't have", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bare:
    """A tool without a function."""

    declaration: Tool
    examples: tuple[str, ...] = ()
    policy: ToolPolicy = field(default_factory=ToolPolicy)

    async def call(self, arguments: Mapping[str, Any], context: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Case:
    """A request with tools, of which one serves it (-1: none). ``before`` are the user's earlier messages."""

    source: str
    request: str
    tools: tuple[Bare, ...]
    right: int
    arguments: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[str, ...] = ()


def seal_tools(folder: Path) -> dict[str, tuple[Bare, str]]:
    """Each tool with its field, by name."""
    found = {}
    for row in _lines(folder / "seal_tool.jsonl"):
        known = {name: _property(each) for name, each in row["parameters"].items()}
        schema = {"type": "object", "properties": known, "required": row.get("required", [])}
        found[row["api_name"]] = (Bare(Tool(row["api_name"], row["api_description"], schema)), row["field"])
    return found


def _property(each: Mapping[str, Any]) -> dict[str, Any]:
    return {**each, "type": _TYPES.get(each.get("type", ""), "string")}


def seal(folder: Path, names: Iterable[str], seed: int = 7) -> list[Case]:
    """Requests for one tool, and the sentences of requests for several: with up to three others of its field, with one
    other of its field alone, and with one of any field alone."""
    tools, draw = seal_tools(folder), random.Random(seed)
    by_field: dict[str, list[str]] = {}
    for name, (_, about) in tools.items():
        by_field.setdefault(about, []).append(name)
    cases = []
    for part in names:
        for row in _lines(folder / f"seal_{part}.jsonl"):
            for request, name, arguments in _single(row, tools):
                near = [each for each in by_field[tools[name][1]] if _apart(tools[each][0], tools[name][0])]
                far = [each for each in draw.sample(sorted(tools), 4) if _apart(tools[each][0], tools[name][0])]
                around = draw.sample(near, min(len(near), draw.randint(1, 3)))
                right = (tools[name][0], *(tools[each][0] for each in around))
                cases.append(Case("seal", request, right, 0, arguments))
                for source, pool in (("seal near", near), ("seal far", far)):
                    if pool:
                        cases.append(Case(source, request, (tools[draw.choice(pool)][0],), -1))
    return cases


def _single(row: Mapping[str, Any], tools: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    called = {each["api"]: each["parameters"] for each in row["calling"]}
    if len(called) != len(row["calling"]) or not called.keys() <= tools.keys():
        return []
    if len(called) == 1:
        return [(row["query"], *next(iter(called.items())))]
    # The sentences follow the calls in their order, at times behind one that only opens.
    said = parts(row["query"])
    if len(said) == len(called) + 1:
        said = said[1:]
    if len(said) != len(called):
        return []
    return [(part, name, arguments) for part, (name, arguments) in zip(said, called.items(), strict=True)]


def _apart(one: Bare, other: Bare) -> bool:
    """Whether two tools clearly do different things."""
    first, second = (read(each) for each in (one, other))
    return one is not other and len(first.name_stems & second.name_stems) < 2


def glaive(folder: Path) -> list[Case]:
    """Each turn of a user that is answered by a call, or that no tool serves."""
    cases = []
    for talk in json.loads((folder / "glaive.json").read_text(encoding="utf-8")):
        declared = json.loads(talk["tools"] or "[]")
        tools = tuple(Bare(Tool(each["name"], each["description"], each["parameters"])) for each in declared)
        before: list[str] = []
        for turn, after in zip(talk["conversations"], talk["conversations"][1:], strict=False):
            if turn["from"] != "human" or not tools:
                continue
            case = _turn(turn["value"], after, tools, tuple(before))
            if case is not None:
                cases.append(case)
            before.append(turn["value"])
    return cases


def _turn(said: str, after: Mapping[str, str], tools: tuple[Bare, ...], before: tuple[str, ...]) -> Case | None:
    names = [tool.declaration.name for tool in tools]
    if after["from"] == "function_call":
        call = json.loads(after["value"])
        if call["name"] not in names:
            return None
        return Case("glaive", said, tools, names.index(call["name"]), call["arguments"], before)
    if _REFUSED.search(after["value"]) or "welcome" in after["value"].lower():
        return Case("glaive none", said, tools, -1, {}, before)
    return None


@dataclass(frozen=True, slots=True)
class Intents:
    """Requests by what they want, and requests that want nothing of it."""

    name: str
    requests: Mapping[str, list[str]]
    nothing: list[str]


def clinc(folder: Path) -> Intents:
    """CLINC150's training part, with all requests out of scope."""
    with gzip.open(folder / "agents/support_dialogue/clinc150/data_full.json.gz", "rt", encoding="utf-8") as file:
        read_in = json.load(file)
    return Intents(
        "clinc", _grouped(read_in["train"]), [text for text, _ in (*read_in["oos_val"], *read_in["oos_train"])]
    )


def banking(folder: Path) -> Intents:
    """Banking77's test part."""
    with (folder / "agents/support_dialogue/banking77/test.csv").open(encoding="utf-8", newline="") as file:
        return Intents("banking", _grouped([list(row.values())[:2] for row in csv.DictReader(file)]), [])


def _grouped(rows: Iterable[Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text, name in rows:
        found.setdefault(name, []).append(text)
    return found


def halves(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """The first half and the rest."""
    return list(cases[: len(cases) // 2]), list(cases[len(cases) // 2 :])


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
