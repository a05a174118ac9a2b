"""A regression gate: both sides answer the same cases in random order until the verdict is certain.

The cases of one source give one difference, their mean, since they are alike. ``statistics.sequential.Pairs`` decides
after each; what it says holds although one looks every time. A case of which one of both answers has no score is left
out, and counted.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.features.evaluate.gates.scores import Rate
from mainspring.statistics.sequential import Pairs, Verdict
from mainspring.statistics.significance import Estimate, clustered

Ask = Callable[[Example], Awaitable[ExampleAnswer]]
Side = Literal["candidate", "incumbent"]


@dataclass(frozen=True, slots=True)
class Judged:
    """Both answers to a case, with their scores."""

    case: Example
    candidate: ExampleAnswer
    incumbent: ExampleAnswer
    candidate_score: float
    incumbent_score: float

    @property
    def difference(self) -> float:
        return self.candidate_score - self.incumbent_score


@dataclass(frozen=True, slots=True)
class Unscored:
    """Both answers to a case that was left out, and ``why``."""

    case: Example
    candidate: ExampleAnswer
    incumbent: ExampleAnswer
    why: str


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """``difference`` is candidate minus incumbent over the cases that were asked. ``spared`` cases were not needed.

    The interval of ``difference`` is that of a sample of fixed size and only describes; the verdict is what holds.
    ``unasked`` counts cases that were left out before anybody was asked, by the reason.
    """

    verdict: Verdict
    difference: Estimate
    judged: tuple[Judged, ...]
    spared: int
    margin: float
    means: Mapping[Side, float] = field(default_factory=dict)
    unscored: tuple[Unscored, ...] = ()
    unasked: Mapping[str, int] = field(default_factory=dict)

    @property
    def worst(self) -> list[Judged]:
        """Cases in which the candidate lost, the largest losses first."""
        return sorted((each for each in self.judged if each.difference < 0), key=lambda each: each.difference)

    @property
    def left_out(self) -> dict[str, int]:
        """How many cases were left out, by the reason."""
        counted = dict(self.unasked)
        for each in self.unscored:
            counted[each.why] = counted.get(each.why, 0) + 1
        return counted


async def gate(
    cases: Sequence[Example],
    candidate: Ask,
    incumbent: Ask,
    rate: Rate,
    pairs: Pairs,
    *,
    seed: int = 1,
    unasked: Mapping[str, int] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> GateOutcome:
    """Ask both sides until ``pairs`` decides or the cases are used up. The order depends on ``seed`` alone.

    Raises ``InvalidRequest`` without cases, if none of them has a score, and for a score outside [0, 1]; whatever a
    side raises goes through.
    """
    if not cases:
        raise InvalidRequest("there are no cases", param="cases")
    judged: list[Judged] = []
    unscored: list[Unscored] = []
    for group in _groups(cases, seed):
        found = []
        for case in group:
            each = await _compared(case, candidate, incumbent, rate)
            if isinstance(each, Judged):
                found.append(each)
            else:
                unscored.append(each)
            progress(len(judged) + len(found) + len(unscored), len(cases))
        judged += found
        if found and pairs.add(sum(each.difference for each in found) / len(found)) != "undecided":
            break
    if not judged:
        raise InvalidRequest(
            f"none of the {len(cases)} cases has a score",
            param="scorer",
            remedy="Use a scorer that fits these cases: what each needs is on the page of experiments",
        )
    return GateOutcome(
        pairs.verdict,
        clustered([each.difference for each in judged], [each.case.group for each in judged]),
        tuple(judged),
        len(cases) - len(judged) - len(unscored),
        pairs.margin,
        {
            "candidate": sum(each.candidate_score for each in judged) / len(judged),
            "incumbent": sum(each.incumbent_score for each in judged) / len(judged),
        },
        tuple(unscored),
        unasked or {},
    )


def _groups(cases: Sequence[Example], seed: int) -> list[list[Example]]:
    """Cases of one source together, in the order of ``seed``."""
    groups: dict[object, list[Example]] = {}
    for number, case in enumerate(cases):
        groups.setdefault(case.group or number, []).append(case)
    order = list(groups.values())
    random.Random(seed).shuffle(order)
    return order


async def _compared(case: Example, candidate: Ask, incumbent: Ask, rate: Rate) -> Judged | Unscored:
    ours, theirs = await candidate(case), await incumbent(case)
    mine, others = await rate(case, ours), await rate(case, theirs)
    if mine is not None and others is not None:
        return Judged(case, ours, theirs, _checked(mine), _checked(others))
    if mine is None and others is None:
        return Unscored(case, ours, theirs, "neither answer has a score")
    return Unscored(
        case, ours, theirs, f"only the {'candidate' if others is None else 'incumbent'}'s answer has a score"
    )


def _checked(score: float) -> float:
    if not 0 <= score <= 1:
        raise InvalidRequest(f"a score must be between 0 and 1, not {score:g}", param="score")
    return score
