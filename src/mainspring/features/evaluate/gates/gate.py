"""A regression gate: both sides answer the same cases in random order until the verdict is certain.

The cases of one source give one difference, their mean, since they are alike. ``statistics.sequential.Pairs`` decides
after each; what it says holds although one looks every time.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mainspring.core.errors import InvalidRequest
from mainspring.features.evaluate.gates.cases import Case
from mainspring.statistics.sequential import Pairs, Verdict
from mainspring.statistics.significance import Estimate, clustered

Ask = Callable[[Case], Awaitable[str]]
Score = Callable[[str, Case], float]
"""The score of an answer, from 0 to 1."""
Side = Literal["candidate", "incumbent"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Both answers to a case, with their scores."""

    case: Case
    candidate: str
    incumbent: str
    candidate_score: float
    incumbent_score: float

    @property
    def difference(self) -> float:
        return self.candidate_score - self.incumbent_score


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """``difference`` is candidate minus incumbent over the cases that were asked. ``spared`` cases were not needed.

    The interval of ``difference`` is that of a sample of fixed size and only describes; the verdict is what holds.
    """

    verdict: Verdict
    difference: Estimate
    judged: tuple[Judged, ...]
    spared: int
    margin: float
    means: Mapping[Side, float] = field(default_factory=dict)

    @property
    def worst(self) -> list[Judged]:
        """Cases in which the candidate lost, the largest losses first."""
        return sorted((each for each in self.judged if each.difference < 0), key=lambda each: each.difference)


async def gate(
    cases: Sequence[Case],
    candidate: Ask,
    incumbent: Ask,
    score: Score,
    pairs: Pairs,
    *,
    seed: int = 1,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GateOutcome:
    """Ask both sides until ``pairs`` decides or the cases are used up. The order depends on ``seed`` alone.

    Raises ``InvalidRequest`` without cases and for a score outside [0, 1]; whatever a side raises goes through.
    """
    if not cases:
        raise InvalidRequest("there are no cases", param="cases")
    groups: dict[object, list[Case]] = {}
    for number, case in enumerate(cases):
        groups.setdefault(case.source or number, []).append(case)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    judged: list[Judged] = []
    for group in order:
        found = []
        for case in group:
            ours, theirs = await candidate(case), await incumbent(case)
            found.append(Judged(case, ours, theirs, _checked(score(ours, case)), _checked(score(theirs, case))))
            progress(len(judged) + len(found), len(cases))
        judged += found
        if pairs.add(sum(each.difference for each in found) / len(found)) != "undecided":
            break
    return GateOutcome(
        pairs.verdict,
        clustered([each.difference for each in judged], [each.case.source for each in judged]),
        tuple(judged),
        len(cases) - len(judged),
        pairs.margin,
        {
            "candidate": sum(each.candidate_score for each in judged) / len(judged),
            "incumbent": sum(each.incumbent_score for each in judged) / len(judged),
        },
    )


def _checked(score: float) -> float:
    if not 0 <= score <= 1:
        raise InvalidRequest(f"a score must be between 0 and 1, not {score:g}", param="score")
    return score


def markdown(outcome: GateOutcome, candidate: str, incumbent: str, measure: str, shown: int = 10) -> str:
    """The report, for a comment of a continuous integration."""
    difference = outcome.difference
    said = {
        "worse": f"**{candidate} is worse than {incumbent}.**",
        "not worse": f"**{candidate} is not worse than {incumbent} by {outcome.margin:g} or more.**",
        "undecided": f"**Undecided after all {len(outcome.judged)} cases.** A margin of {outcome.margin:g} needs more.",
    }[outcome.verdict]
    lines = [
        said,
        "",
        f"| | {measure} |",
        "|---|---|",
        f"| {candidate} | {outcome.means['candidate']:.3f} |",
        f"| {incumbent} | {outcome.means['incumbent']:.3f} |",
        f"| difference | {difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}] |",
        f"| cases asked | {len(outcome.judged)}, {outcome.spared} spared |",
    ]
    if outcome.worst:
        lines += ["", "| lost | question | candidate | incumbent |", "|---|---|---|---|"]
        lines += [
            f"| {each.difference:+.2f} | {_cell(each.case.messages[-1].content)} | {_cell(each.candidate)} | "
            f"{_cell(each.incumbent)} |"
            for each in outcome.worst[:shown]
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str, most: int = 160) -> str:
    plain = " ".join(text.split()).replace("|", "\\|")
    return plain if len(plain) <= most else plain[: most - 1] + "…"
