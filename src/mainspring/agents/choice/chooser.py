"""The chooser: rules first, then answers to its own questions, then scores; and arguments for what it chose."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.choice import arguments, slots
from mainspring.agents.choice.arguments import CallWanted
from mainspring.agents.choice.base import UNABLE, Choice, Chosen, Steps, Turn, Way
from mainspring.agents.choice.branches import ability, gathered, spread
from mainspring.agents.choice.examples import Examples
from mainspring.agents.choice.grounding import grounded, identifier
from mainspring.agents.choice.questions import question
from mainspring.agents.choice.reading import parts, properties, read, required, searching
from mainspring.agents.choice.request import OpenRequest, opened
from mainspring.agents.choice.rules import Rule
from mainspring.agents.choice.scorer import Scorer
from mainspring.agents.choice.weights import known
from mainspring.agents.tools.base import BaseTool
from mainspring.core.types import Tool
from mainspring.engines.base import Embedder

THRESHOLD = 0.35
"""The probability from which on a tool is called: where, on requests that nothing was fitted on, nearly all are called
that a tool serves and nearly none that no tool does."""
_LIKELY = 0.15
"""The probability from which on a tool is called whose identifiers the request tells: "Where is my order 4711?"."""
_OTHERWISE = 0.5
"""The probability from which on what follows a question is another request."""
_CLOSE = 2.0
"""Tools whose log-odds are so close to the best one's are left to the model: among them is the right one of .997 of
requests, where the best one alone is it of .941 (356 requests of Seal-Tools that nothing was fitted on)."""
_MAX_PARTS = 5
_LEAST_WORDS = 3
"""Words of a request that is worth a search."""


class ToolChooser:
    """Implements ``base.Chooser`` over the vectors of an embedding model. Raises ``SettingsError`` if tools cannot be
    chosen by that model."""

    def __init__(self, embedder: Embedder, *, threshold: float = THRESHOLD) -> None:
        self.scorer = Scorer(embedder)
        self._examples = Examples(embedder)
        self.threshold = threshold

    async def choose(self, turn: Turn, steps: Steps) -> Choice:
        """See ``Chooser``. Raises what the embedder and the model raise."""
        turn = dataclasses.replace(turn, tools=spread(turn.tools))
        choice = await self._chosen(turn, steps)
        return dataclasses.replace(choice, calls=gathered(choice.calls, turn.tools))

    async def _chosen(self, turn: Turn, steps: Steps) -> Choice:
        request = opened(turn.messages, turn.tools)
        if not request.text:
            return Choice()
        tools = [tool for tool in turn.tools if not _forbidden(tool, turn.rules, request.text)]
        turn = dataclasses.replace(turn, tools=tools)
        if request.answered:
            return await self._next(request, tools, turn, steps)
        for rule in turn.rules:
            if rule.pattern and rule.say and not rule.otherwise and rule.matches(request.latest):
                return Choice(say=rule.say, way="rule")
            calls = (
                rule.pattern
                and not (rule.never or rule.requires or rule.after or rule.otherwise)
                and rule.matches(request.latest)
            )
            if calls and (tool := _named(rule.tool, tools)) is not None:
                return await _filled([CallWanted(tool.declaration, fixed=rule.arguments)], request, turn, steps, "rule")
        choice = await self._weighed(request, tools, turn, steps)
        if choice.calls or choice.say or request.social or request.taken_back:
            return choice
        return await self._otherwise(choice, request, tools, turn, steps)

    async def _otherwise(
        self, choice: Choice, request: OpenRequest, tools: Sequence[BaseTool], turn: Turn, steps: Steps
    ) -> Choice:
        """What a rule has for requests that no tool fits."""
        for rule in turn.rules:
            if rule.otherwise and rule.matches(request.latest):
                if rule.say:
                    return Choice(say=rule.say, way="rule", scores=choice.scores)
                if (tool := _named(rule.tool, tools)) is not None:
                    wanted = [CallWanted(tool.declaration, fixed=rule.arguments)]
                    return await _filled(wanted, request, turn, steps, "rule", choice.scores)
        searches = [tool for tool in tools if searching(ability(tool))]
        if len(searches) == 1 and len(request.latest.split()) >= _LEAST_WORDS:
            # Whatever such a tool knows, its description does not say. A first question is searched for as it is.
            declared = searches[0].declaration
            fixed = {} if request.before else dict.fromkeys(required(declared), request.latest)
            return await _filled([CallWanted(declared, fixed=fixed)], request, turn, steps, "knowledge", choice.scores)
        return choice

    async def _next(self, request: OpenRequest, tools: Sequence[BaseTool], turn: Turn, steps: Steps) -> Choice:
        """What follows on the calls that were made: what a rule says comes after them, or what waited for them."""
        done = set(request.done) & set(request.answered)
        for rule in turn.rules:
            tool = _named(rule.tool, tools)
            if rule.after in done and rule.tool not in request.answered and tool is not None:
                return await _filled([CallWanted(tool.declaration, fixed=rule.arguments)], request, turn, steps, "rule")
        if any(done & set(rule.requires) for rule in turn.rules):
            scores = await self._scores(request.text, tools, steps) if tools else {}
            likely = {name: score for name, score in scores.items() if name not in request.answered}
            tool = _named(_best(likely), tools) if likely else None
            if tool is not None and likely[tool.declaration.name] >= self.threshold:
                choice = await _filled([CallWanted(tool.declaration)], request, turn, steps, "rule", scores)
                if choice.say or any(call.name not in request.answered for call in choice.calls):
                    return choice
        return Choice(way="served")

    async def _weighed(self, request: OpenRequest, tools: Sequence[BaseTool], turn: Turn, steps: Steps) -> Choice:
        if not tools or request.taken_back:
            return Choice()
        scores = await self._scores(request.latest, tools, steps)
        if request.pending is not None and request.pending[0] in tools:
            other = _best(scores)
            pending = request.pending[0]
            if scores[other] < _OTHERWISE or other == pending.declaration.name:
                return await _filled([CallWanted(pending.declaration)], request, turn, steps, "slot", scores)
        if scores[_best(scores)] < self.threshold and request.goes_on and request.pending is None:
            return await self._going_on(request, tools, turn, steps)
        name = _best(scores)
        if scores[name] < self.threshold:
            likely = {each: score for each, score in scores.items() if _told(each, score, tools, request.latest)}
            if not likely:
                return Choice(scores=scores)
            name = _best(likely)
        wanted = await self._several(request.latest, tools, steps)
        if len(wanted) < 2:
            tool = _named(name, tools)
            assert tool is not None
            told = scores[name] < self.threshold
            close = () if told or turn.model in UNABLE else _close(name, scores, tools)
            wanted = [CallWanted(tool.declaration, others=close)]
        way_found: Way = "examples" if _with_examples(name, tools) else "scores"
        return await _filled(wanted, request, turn, steps, way_found, scores)

    async def _going_on(self, request: OpenRequest, tools: Sequence[BaseTool], turn: Turn, steps: Steps) -> Choice:
        """A call that the requests before this one explain, if this one gives it a value."""
        scores = await self._scores(f"{request.before} {request.latest}", tools, steps)
        tool = _named(_best(scores), tools)
        if tool is None or scores[tool.declaration.name] < self.threshold:
            return Choice(scores=scores)
        choice = await _filled([CallWanted(tool.declaration)], request, turn, steps, "scores", scores)
        new = any(
            grounded(value, properties(tool.declaration)[name], name, request.latest)
            for call in choice.calls
            for name, value in call.arguments.items()
            if not isinstance(value, bool)
        )
        return choice if new else Choice(scores=scores)

    async def _several(self, text: str, tools: Sequence[BaseTool], steps: Steps) -> list[CallWanted]:
        """One call for each part of the request that another tool serves."""
        found: dict[str, CallWanted] = {}
        said = parts(text)
        if not 2 <= len(said) <= _MAX_PARTS or len(tools) < 2:
            return []
        for part in said:
            scores = await self._scores(part, tools, steps)
            name = _best(scores)
            tool = _named(name, tools)
            if scores[name] >= self.threshold and name not in found and tool is not None:
                found[name] = CallWanted(tool.declaration, part)
        return list(found.values())

    async def _scores(self, text: str, tools: Sequence[BaseTool], steps: Steps) -> dict[str, float]:
        """The probability of each tool, by name; a step of the run."""
        names = [tool.declaration.name for tool in tools]

        async def find() -> Any:
            said = [read(tool) for tool in tools]
            scored = await self.scorer.probabilities(text, said)
            known = await self._examples.probabilities(text, said)
            joined = {
                name: max(score, known.get(at, 0.0)) for at, (name, score) in enumerate(zip(names, scored, strict=True))
            }
            return {name: round(score, 4) for name, score in joined.items()}

        found: Mapping[str, float] = await steps.value("tool_choice", {"request": text, "tools": names}, find)
        return dict(found)


def made_for(embedder: Embedder) -> ToolChooser | None:
    """A chooser over the vectors of ``embedder``; None if tools cannot be chosen by them."""
    return ToolChooser(embedder) if embedder.name in known() else None


async def _filled(
    wanted: Sequence[CallWanted],
    request: OpenRequest,
    turn: Turn,
    steps: Steps,
    way: Way,
    scores: Mapping[str, float] | None = None,
) -> Choice:
    """The calls with their arguments; a question if one of them lacks any."""
    calls: list[Chosen] = []
    for each in _ordered(wanted, request, turn):
        made = await arguments.filled(each, request, turn, steps)
        if made.missing:
            return Choice(say=question(each.tool, made.missing), way=way, scores=scores or {})
        calls += made.calls
    return Choice(tuple(calls), way=way, scores=scores or {})


def _ordered(wanted: Sequence[CallWanted], request: OpenRequest, turn: Turn) -> list[CallWanted]:
    """Each call, or in its place the first one that a rule requires before it; neither if that cannot be made."""
    found: dict[str, CallWanted] = {}
    for each in wanted:
        lacking = _lacking(each.tool.name, request, turn)
        if not lacking:
            others = tuple(other for other in each.others if not _lacking(other.name, request, turn))
            found.setdefault(each.tool.name + each.part, dataclasses.replace(each, others=others))
        elif (first := _named(lacking[0], turn.tools)) is not None:
            found.setdefault(lacking[0], CallWanted(first.declaration))
    return list(found.values())


def _lacking(name: str, request: OpenRequest, turn: Turn) -> list[str]:
    """The tools that must succeed before the tool ``name`` is called, the first to call first."""
    before: dict[str, tuple[str, ...]] = {}
    for rule in turn.rules:
        if rule.requires and rule.matches(request.text):
            before[rule.tool] = (*before.get(rule.tool, ()), *rule.requires)
    lacking: list[str] = []

    def walk(each: str, above: frozenset[str]) -> None:
        for needed in before.get(each, ()):
            if needed in above:
                # Rules in a circle can never be met: nothing that is there may be called.
                lacking.append("")
            elif needed not in request.done:
                walk(needed, above | {needed})
                lacking.append(needed)

    walk(name, frozenset({name}))
    return lacking


def _close(best: str, scores: Mapping[str, float], tools: Sequence[BaseTool]) -> tuple[Tool, ...]:
    """The tools that fit nearly as well as the best one, best first."""
    least = _odds(scores[best]) - _CLOSE
    names = sorted((name for name in scores if name != best and _odds(scores[name]) >= least), key=scores.__getitem__)
    return tuple(tool.declaration for name in reversed(names) if (tool := _named(name, tools)) is not None)


def _odds(probability: float) -> float:
    bounded = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(bounded / (1 - bounded))


def _forbidden(tool: BaseTool, rules: Sequence[Rule], text: str) -> bool:
    return any(rule.never and rule.tool == tool.declaration.name and rule.matches(text) for rule in rules)


def _named(name: str, tools: Sequence[BaseTool]) -> BaseTool | None:
    return next((tool for tool in tools if tool.declaration.name == name), None)


def _told(name: str, score: float, tools: Sequence[BaseTool], said: str) -> bool:
    """Whether the tool is likely, and ``said`` states all that it needs, an identifier among it."""
    tool = _named(name, tools) if score >= _LIKELY else None
    if tool is None:
        return False
    declared = ability(tool).declaration
    needed = required(declared)
    return any(identifier(each) for each in needed) and set(needed) <= set(slots.found(declared, said))


def _with_examples(name: str, tools: Sequence[BaseTool]) -> bool:
    tool = _named(name, tools)
    return tool is not None and bool(tool.examples)


def _best(scores: Mapping[str, float]) -> str:
    return max(scores, key=lambda name: scores[name])
