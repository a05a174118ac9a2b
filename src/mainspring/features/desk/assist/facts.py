"""What is known in a case besides the conversation: its references, its customer, and what tools said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.runs import CalledTool
from mainspring.core import cards
from mainspring.features.desk.store.assists import Suggestion
from mainspring.features.desk.store.records import Case

_MOST, _LONGEST = 24, 200


def facts_of(case: Case, called: Sequence[CalledTool]) -> list[Mapping[str, Any]]:
    """Facts as ``{"name", "value", "from"}``: of the case, then of the outputs of tools, the latest call of each."""
    found: list[Mapping[str, Any]] = []
    if case.customer:
        found.append({"name": "customer", "value": case.customer, "from": "case"})
    found += [{"name": name, "value": str(value), "from": "case"} for name, value in case.references.items()]
    for each in {tool.name: tool for tool in called}.values():
        found += [
            {"name": name, "value": value, "from": each.name} for name, value in _flat(cards.scrubbed(each.output))
        ]
    return found[:_MOST]


def told(facts: Sequence[Mapping[str, Any]]) -> Suggestion | None:
    """A draft that tells the customer what a tool said; None if none said anything."""
    tools = list(dict.fromkeys(each["from"] for each in facts if each["from"] != "case"))
    if not tools:
        return None
    mine = [each for each in facts if each["from"] == tools[-1]][:6]
    said = "; ".join(f"{each['name'].replace('_', ' ')}: {each['value']}" for each in mine)
    cited = [{"number": 1, "source": tools[-1], "text": said}]
    return Suggestion(f"I have looked this up for you. {said}.", "tools", cited)


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
