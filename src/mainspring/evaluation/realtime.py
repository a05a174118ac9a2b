"""What is known of every answer at once, as scores: its format, toxicity and personal data, as the guards found them.

Nothing is looked for again: the facts of an answer and of its guards say it. A score is 1 where nothing was found. A
check that no policy makes has no score.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mainspring.core.errors import UnfitAnswer
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings import GuardsSettings

FORMAT, TOXICITY, PERSONAL_DATA = "format", "toxicity", "personal_data"
MEASURES = (FORMAT, TOXICITY, PERSONAL_DATA)


def checked(settings: GuardsSettings) -> frozenset[str]:
    """The measures that some policy looks at."""
    answers = [settings.answers, *(each.answers for each in settings.policies.values() if each.answers is not None)]
    outputs = [settings.pii_output, *(each.pii_output for each in settings.policies.values())]
    found = {FORMAT}
    found |= {TOXICITY} if any(each.toxicity != "off" for each in answers) else set()
    found |= {PERSONAL_DATA} if any(each not in (None, "off") for each in outputs) else set()
    return frozenset(found)


def misshapen(facts: AnswerFacts) -> bool:
    """Whether an answer was cut at its length, or does not fit the schema that was asked for."""
    return facts.error == UnfitAnswer.code or "length" in facts.finish


def measure_of(facts: GuardFacts) -> str | None:
    """The measure that a finding in an answer counts for; None: none of these, or a finding in a question."""
    if facts.stage != "output":
        return None
    if facts.guard == "pii_output":
        return PERSONAL_DATA
    return TOXICITY if (facts.guard, facts.kind) == ("answer", TOXICITY) else None


def scores(answer: AnswerFacts, guards: Iterable[GuardFacts], measures: Iterable[str]) -> Mapping[str, float]:
    """The scores of one answer, of ``measures`` and of whatever was found."""
    made = dict.fromkeys(measures, 1.0)
    if misshapen(answer):
        made[FORMAT] = 0.0
    for each in guards:
        if (name := measure_of(each)) is not None:
            # A detector's probability says more than that it found something.
            made[name] = min(made.get(name, 1.0), 1.0 - (1.0 if each.score is None else each.score))
    return made
