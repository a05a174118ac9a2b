"""How an answer is made to fit its schema: by a grammar, by validation, or by both."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import InvalidSchema
from mainspring.core.types import ChatRequest, Grammar
from mainspring.engines.chat import tools as tool_calls
from mainspring.engines.grammar import checks, validation
from mainspring.engines.grammar.normal import normalised
from mainspring.engines.grammar.translation import keywords, translate

_TOLD = 1_500
"""The most characters about rules that the grammar omits: they are part of the prompt."""


@dataclass(frozen=True, slots=True)
class StructuredPlan:
    """``grammar``: the engine gets one. ``validated``: the finished answer is checked, all of it or, beside a grammar,
    the keywords ``checked``. ``ignored`` are keywords that say nothing."""

    grammar: bool
    validated: bool
    checked: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The value of the header that says so."""
        parts = ["grammar" if self.grammar else "validated"]
        if self.grammar and self.checked:
            parts.append(f"validated={keywords(self.checked)}")
        if self.ignored:
            parts.append(f"ignored={keywords(self.ignored[:8])}")
        return "; ".join(parts)


BY_GRAMMAR = StructuredPlan(grammar=True, validated=False)
BY_VALIDATION = StructuredPlan(grammar=False, validated=True)


def planned(grammar: Grammar, enforced: frozenset[str], *, compiled: bool) -> StructuredPlan:
    """The plan for an engine that enforces the kinds ``enforced`` (``compiled``: schemas as grammars of ours).

    Raises ``InvalidSchema``.
    """
    if grammar.kind not in enforced:
        return BY_VALIDATION
    if grammar.kind != "json_schema":
        return BY_GRAMMAR
    if not compiled:
        try:
            checks.check(grammar)
        except InvalidSchema:
            # It may be right and of a kind that other servers refuse or ignore.
            validation.validator(grammar.source)
            return BY_VALIDATION
        return BY_GRAMMAR
    found = translate(grammar.source)
    if found.grammar is None:
        return StructuredPlan(grammar=False, validated=True, ignored=found.ignored)
    return StructuredPlan(grammar=True, validated=bool(found.checked), checked=found.checked, ignored=found.ignored)


def planned_calls(request: ChatRequest, *, compiled: bool) -> StructuredPlan:
    """The plan for a call that is required: what the grammar leaves of strict tools is checked. Raises
    ``InvalidSchema``."""
    tools = tool_calls.offered(request.tools, request.tool_choice)
    checked: set[str] = set()
    for tool in tools if compiled else ():
        if tool.strict:
            checked.update(translate(tool_calls.parameters(tool)).checked)
    return StructuredPlan(grammar=True, validated=bool(checked), checked=tuple(sorted(checked)))


def told(source: str, checked: Sequence[str]) -> str:
    """The rules of a schema that its grammar leaves, for the model."""
    rules: list[str] = []
    for rule in _rules(source, frozenset(checked)):
        if sum(map(len, rules)) + len(rule) > _TOLD:
            break
        rules.append(rule)
    return f"Answer with JSON that keeps to these rules of its schema, too: {'; '.join(rules)}" if rules else ""


def _rules(source: str, checked: frozenset[str]) -> Iterator[str]:
    for place, node in validation.parts(normalised(source).schema):
        for name in sorted(checked & node.keys()):
            value: Any = (
                {key: node[key] for key in ("if", "then", "else") if key in node} if name == "if" else node[name]
            )
            text = json.dumps(value, ensure_ascii=False)
            if len(text) <= _TOLD // 3:
                yield f"{place.replace('#/properties/', '') if place != '#' else 'the whole'} {name} {text}"
