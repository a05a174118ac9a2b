"""What votes say of those who gave them: always one side, too quick to have read, against everybody else, changing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from mainspring.features.arena.rating.board import GivenVote, connected
from mainspring.statistics.bradley_terry import ELO, leaderboard

ONE_SIDED = 1e-4
"""Below this p-value of "left and right win equally often" a voter prefers a side."""
QUICK_S = 2.0
"""Median seconds from both answers to the vote, below which nobody has read them."""
AGAINST = 2.5
"""Standard errors below what the others' ratings let expect, from which a voter votes against everybody else."""
SMALL = 0.02
"""The share of all votes up to which a voter's own hardly move the ratings: they are not taken out for each."""
_WEEK = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Week:
    """``begins`` in Unix seconds. ``agreement`` is the share of decided votes for the model that others rate higher;
    None without any."""

    begins: float
    votes: int
    left: float
    ties: float
    agreement: float | None


@dataclass(frozen=True, slots=True)
class Voter:
    """``left`` is the share of the left side among decided votes. ``against`` are standard errors by which the voter
    agrees less with the others' ratings than those let expect (negative: less). ``suspicions`` are ``side``, ``quick``
    and ``against``; ``drift`` is the change of agreement from the first half of the votes to the second, in standard
    errors."""

    name: str
    votes: int
    left: float
    ties: float
    seconds: float
    against: float
    drift: float
    suspicions: tuple[str, ...]
    weeks: tuple[Week, ...]


def voters(votes: Sequence[GivenVote], fewest: int) -> list[Voter]:
    """Everybody who has voted, most votes first; those with fewer than ``fewest`` votes are never suspicious."""
    by: dict[str, list[GivenVote]] = {}
    for each in votes:
        by.setdefault(each.vote.voter, []).append(each)
    found, everybody = [], _rated(votes)
    for name, own in by.items():
        others = everybody
        if len(own) > SMALL * len(votes):
            others = _rated([each for each in votes if each.vote.voter != name])
        found.append(_voter(name, sorted(own, key=lambda each: each.at), others, fewest))
    return sorted(found, key=lambda each: -each.votes)


def _rated(votes: Sequence[GivenVote]) -> Mapping[str, float]:
    joined, _ = connected([each.vote for each in votes])
    if not joined:
        return {}
    return {each.model: each.rating.value / ELO for each in leaderboard(joined).ratings}


def _voter(name: str, own: Sequence[GivenVote], others: Mapping[str, float], fewest: int) -> Voter:
    decided = [each for each in own if each.vote.score != 0.5]
    lefts = sum(each.vote.score == 1 for each in decided)
    seconds = median(each.seconds for each in own)
    against = _surprise(decided, others)
    half = len(decided) // 2
    drift = (_surprise(decided[half:], others) - _surprise(decided[:half], others)) / math.sqrt(2)
    suspicions = []
    if len(own) >= fewest:
        if decided and _two_sided(lefts, len(decided)) < ONE_SIDED:
            suspicions.append("side")
        if seconds < QUICK_S:
            suspicions.append("quick")
        if against < -AGAINST:
            suspicions.append("against")
    return Voter(
        name,
        len(own),
        lefts / len(decided) if decided else 0.5,
        1 - len(decided) / len(own),
        seconds,
        round(against, 3),
        round(drift, 3),
        tuple(suspicions),
        _weeks(own, others),
    )


def _chance(each: GivenVote, others: Mapping[str, float]) -> float | None:
    """That the left one wins, as the others rate the models; None if they do not."""
    one, other = others.get(each.vote.first), others.get(each.vote.second)
    return None if one is None or other is None else 1 / (1 + math.exp(other - one))


def _surprise(decided: Sequence[GivenVote], others: Mapping[str, float]) -> float:
    """Standard errors by which more votes go to the model that the others rate higher than their ratings let expect."""
    total, spread = 0.0, 0.0
    for each in decided:
        chance = _chance(each, others)
        if chance is None or chance == 0.5:
            continue
        likely = max(chance, 1 - chance)
        total += float((each.vote.score == 1) == (chance > 0.5)) - likely
        spread += likely * (1 - likely)
    return total / math.sqrt(spread) if spread > 0 else 0.0


def _two_sided(successes: int, of: int) -> float:
    """The p-value of "as many as not", by the normal distribution with a correction for steps."""
    z = max(0.0, abs(successes - of / 2) - 0.5) / math.sqrt(of / 4)
    return 2 * (1 - NormalDist().cdf(z))


def _weeks(own: Sequence[GivenVote], others: Mapping[str, float]) -> tuple[Week, ...]:
    weeks: dict[float, list[GivenVote]] = {}
    for each in own:
        weeks.setdefault(each.at // _WEEK * _WEEK, []).append(each)
    return tuple(_week(begins, votes, others) for begins, votes in sorted(weeks.items()))


def _week(begins: float, votes: Sequence[GivenVote], others: Mapping[str, float]) -> Week:
    decided = [each for each in votes if each.vote.score != 0.5]
    chances = [(each, _chance(each, others)) for each in decided]
    agreed = [
        (each.vote.score == 1) == (chance > 0.5) for each, chance in chances if chance is not None and chance != 0.5
    ]
    return Week(
        begins,
        len(votes),
        sum(each.vote.score == 1 for each in decided) / len(decided) if decided else 0.5,
        1 - len(decided) / len(votes),
        sum(agreed) / len(agreed) if agreed else None,
    )
