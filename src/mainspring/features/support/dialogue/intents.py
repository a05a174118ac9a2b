"""Which tasks a message asks for: patterns of the script first, then a classifier over its examples."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.agents.choice.base import Steps
from mainspring.agents.choice.examples import Examples
from mainspring.agents.choice.reading import ToolText
from mainspring.engines.base import Embedder
from mainspring.features.support.dialogue.script import Script, Task

SURE, LIKELY, ALONE, GUESS = 0.7, 0.5, 0.35, 0.15
"""Probabilities: from which a further wish of a message counts, a wish counts, and the best guess of a whole message
counts where nothing else does; ``GUESS`` is that of one that names an order and sounds like a question about
policies."""
_CLAUSES = re.compile(
    r"(?<=[.?!])\s+|\n+|;\s+|(?:,\s+|(?<![\s,])\s+|(?<=\n)[^\S\n]+)(?:and|but) "
    r"(?=(?:also|can|could|would|please|i (?:want|need|would|also)|what|where|when|how|is|do|does|tell|"
    r"check|cancel|track|return|change|send)\b)|,\s+(?=(?:also|then|plus)\b)|"
    r"(?:(?<!\s)\s+|(?<=\n)[^\S\n]+)(?:and then|also)\s+",
    re.IGNORECASE,
)
_MOST = 8
_WHO = re.compile(
    r"\b(?:my|the|is|it'?s|are|am|i'?m|and|with|for|an?|your|post\s?code|zip|code|e-?mail|mail|address|order|number|"
    r"no|account|under|on|here|hi|hello|sure|ok|okay|yes|of|course)\b",
    re.IGNORECASE,
)
"""Words of a clause that only says who the customer is: "my postcode is MB4 2QT"."""
_BY_THE_WAY = re.compile(
    r"\b(?:still|also|please|just|now|maybe|perhaps|possibly|then|really|actually|kindly|simply) ", re.I
)
"""Words that patterns need not know: "may I still send it back"."""
_SUPPOSES = re.compile(
    r"^\W*(?:if|in case|suppose|supposing|assuming)\b[^?]{0,200}\b(?:what|how|who|when|where|do|does|must|am|is|are)\b"
    r"[^?]{0,200}\?|"
    r"\bwhat (?:happens|(?:do|should|must|shall) i do) (?:if|when)\b",
    re.IGNORECASE,
)
"""What would be done in a case that may come: a question about policies."""
_SEARCH = "search"


@dataclass(frozen=True, slots=True)
class Wish:
    """A task that a ``text`` asks for (``tool`` empty: it is a question for the search)."""

    tool: str
    text: str
    probability: float
    way: str


class Intents:
    """Reads wishes with the examples of ``script``; without an ``embedder`` by its patterns alone."""

    def __init__(self, script: Script, embedder: Embedder | None) -> None:
        self._script = script
        self._examples = Examples(embedder) if embedder is not None else None
        self._patterns = [(task, [re.compile(each, re.IGNORECASE) for each in task.patterns]) for task in script.tasks]
        self._about = [read for name, read in script.readers.items() if name == "order_number"]
        self._never = {task.tool: re.compile(task.never, re.IGNORECASE) for task in script.tasks if task.never}
        named = [(task.tool, task.examples) for task in script.tasks]
        if script.search and script.questions:
            named.append((_SEARCH, script.questions))
        self._texts = [_text(name, examples) for name, examples in named]
        self._names = [name for name, _ in named]

    async def wishes(self, text: str, steps: Steps) -> list[Wish]:
        """The wishes of a message, in its order; none if it asks for nothing that is known."""
        clauses = [each.strip() for each in _CLAUSES.split(text) if self._tells(each)][:_MOST]
        if not clauses:
            return []
        found: list[Wish] = []
        for clause in clauses if len(clauses) > 1 else ():
            wish = await self._wish(clause, steps, SURE)
            if wish is not None and wish.tool not in [each.tool for each in found]:
                found.append(wish)
        if found:
            kept = _without_asides(found)
            return [dataclasses.replace(kept[0], text=text)] if len(kept) == 1 and kept[0].tool else kept
        wish = await self._wish(text, steps, ALONE)
        return [wish] if wish is not None else []

    async def _wish(self, text: str, steps: Steps, least: float) -> Wish | None:
        about = any(read(text) is not None for read in self._about)
        if self._script.search and not about and _SUPPOSES.search(text):
            return Wish("", text, 1.0, "rule")
        for said in dict.fromkeys((text, _BY_THE_WAY.sub("", text))):
            for task, patterns in self._patterns:
                if self._allowed(task, said) and any(each.search(said) for each in patterns):
                    return Wish(task.tool, text, 1.0, "rule")
        scores = await self.scores(text, steps)
        for name in sorted(scores, key=lambda each: -scores[each]):
            if name == _SEARCH and about:
                # Who names an order asks about it, and not about policies.
                least = min(least, GUESS) if least == ALONE else least
                continue
            if scores[name] < least:
                return None
            if name == _SEARCH:
                return Wish("", text, scores[name], "examples")
            if self._allowed(self._script.task(name), text):
                return Wish(name, text, scores[name], "examples")
        return None

    async def scores(self, text: str, steps: Steps) -> dict[str, float]:
        """The probability of each task, by the name of its tool."""
        examples = self._examples
        if examples is None:
            return {}

        async def find() -> dict[str, float]:
            found = await examples.probabilities(text, self._texts)
            return {self._names[at]: round(score, 4) for at, score in found.items()}

        made: dict[str, float] = await steps.value("wishes", {"text": text, "tasks": self._names}, find)
        return dict(made)

    def tells(self, text: str) -> bool:
        """Whether a message may ask for something: it is more than who the customer is."""
        return any(self._tells(each) for each in _CLAUSES.split(text))

    def _tells(self, clause: str) -> bool:
        """Whether a clause may ask for something: it is more than who the customer is."""
        words = _WHO.sub(" ", clause)
        for read in self._script.readers.values():
            value = read(clause)
            for part in (str(value), *str(value).split()) if value is not None else ():
                words = re.sub(re.escape(part), " ", words, flags=re.IGNORECASE)
        return bool(re.search(r"[A-Za-z]{2}", words)) and len(clause.split()) > 1

    def _allowed(self, task: Task, text: str) -> bool:
        never = self._never.get(task.tool)
        return never is None or never.search(text) is None


def _text(name: str, examples: Sequence[str]) -> ToolText:
    empty: frozenset[str] = frozenset()
    return ToolText(name, "", "", tuple(examples), empty, empty, empty, 0, False)


def _without_asides(found: list[Wish]) -> list[Wish]:
    """Questions for the search beside a wish for a task stay only if they are questions."""
    tasks = [each for each in found if each.tool]
    if not tasks:
        return found[:1] if len(found) > 1 and not found[1].text.endswith("?") else found
    return [each for each in found if each.tool or each.text.rstrip().endswith("?")]
