"""What is known in a case besides the conversation: its references, its customer, and what tools said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.runs import CalledTool
from mainspring.core import cards
from mainspring.features.desk.store.assists import Suggestion
from mainspring.features.desk.store.records import Case

_MOST, _LONGEST = 24, 200
_WORDS = "say"
"""The field of an output that says to the customer what the others say to programs."""


def facts_of(case: Case, called: Sequence[CalledTool]) -> list[Mapping[str, Any]]:
    """Facts as ``{"name", "value", "from"}``: of the case, then of the outputs of tools, the latest call of each."""
    found: list[Mapping[str, Any]] = []
    if case.customer:
        found.append({"name": "customer", "value": case.customer, "from": "case"})
    found += [{"name": name, "value": str(value), "from": "case"} for name, value in case.references.items()]
    for each in {tool.name: tool for tool in called}.values():
        found += [{"name": name, "value": value, "from": each.name} for name, value in _plain(case, each)]
    return found[:_MOST]


def told(case: Case, called: Sequence[CalledTool]) -> Suggestion | None:
    """A draft that tells the customer what the last tool said, in its own words if it has some; None if none said
    anything."""
    last = next((each for each in reversed(called) if _plain(case, each)), None)
    if last is None:
        return None
    said = "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in _plain(case, last)[:6]) + "."
    words = cards.scrubbed(last.output).get(_WORDS) if isinstance(last.output, Mapping) else None
    if isinstance(words, str) and words.strip():
        said = words.strip()[: 5 * _LONGEST]
    return Suggestion(
        f"I have looked this up for you. {said}", "tools", [{"number": 1, "source": last.name, "text": said}]
    )


def _plain(case: Case, called: CalledTool) -> list[tuple[str, str]]:
    """What a tool said, by name; nothing of the tool that opened the case, which everybody knows."""
    found = [each for each in _flat(cards.scrubbed(called.output)) if each[0] != _WORDS]
    return [] if any(value == case.number for _, value in found) else found


def _flat(output: Any, prefix: str = "") -> list[tuple[str, str]]:
    """The plain values of an output, by name. Lists are counted if they hold more than texts."""
    if isinstance(output, Mapping):
        found: list[tuple[str, str]] = []
        for name, value in output.items():
            found += _flat(value, f"{prefix} {name}".strip())
        return found
    if isinstance(output, list):
        if all(isinstance(each, str | int | float) for each in output):
            return [(prefix or "found", ", ".join(str(each) for each in output)[:_LONGEST])] if output else []
        return [(prefix or "found", f"{len(output)} entries")]
    if output is None or output == "":
        return []
    return [(prefix or "result", str(output)[:_LONGEST])]
