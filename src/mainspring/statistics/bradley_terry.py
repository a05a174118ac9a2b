"""Ratings of models from votes between two of them (Bradley and Terry 1952), with intervals and control of style.

A vote says which of two answers was better, or that neither was. With ``style`` the ratings are what voters would say
of answers of one style: how much longer an answer is, say, enters the same regression beside the models (Li et al.,
"Does style matter?", LMSYS 2024). Intervals are from the sandwich estimator, clustered by voter where voters are known:
a voter who votes a hundred times is one opinion, not a hundred.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.significance import Estimate

ELO = 400 / math.log(10)
"""Points for each unit of log odds: 400 points are odds of ten to one."""
MIDDLE = 1000.0
_RIDGE = 1e-3
_STEPS, _CLOSE = 100, 1e-10


@dataclass(frozen=True, slots=True)
class Vote:
    """``score`` is 1 if the ``first`` was better, 0 if the ``second`` was, .5 for neither. ``style`` says by how much
    the first has more of each quality, in any unit that is the same for all votes."""

    first: str
    second: str
    score: float
    voter: str = ""
    style: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rating:
    """A model's place. ``rating`` is in Elo points around 1,000. ``rank`` is 1 plus the number of models that are
    surely better (their intervals lie wholly above its own)."""

    model: str
    rating: Estimate
    rank: int
    wins: int
    losses: int
    ties: int


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """``ratings``, best first. ``style`` are the log odds that one standard deviation of a quality gains."""

    ratings: tuple[Rating, ...]
    style: Mapping[str, Estimate]
    votes: int
    voters: int


def leaderboard(votes: Sequence[Vote], *, style: Sequence[str] = (), confidence: float = 0.95) -> Leaderboard:
    """The ratings of all models that ``votes`` name.

    A vote without a quality of ``style`` counts as one between answers that are equal in it. Raises
    ``InvalidRequest`` without votes, for a score outside [0, 1], for a model against itself, and for models that no
    chain of votes connects, since nothing compares them.
    """
    models = _checked(votes)
    design, scores = _design(votes, models, style)
    found, spread = _fitted(design, scores, [each.voter for each in votes], len(models))
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    ratings = {
        model: Estimate(
            MIDDLE + ELO * float(found[place]),
            MIDDLE + ELO * float(found[place] - z * spread[place]),
            MIDDLE + ELO * float(found[place] + z * spread[place]),
            sum(model in (each.first, each.second) for each in votes),
        )
        for place, model in enumerate(models)
    }
    effects = {
        name: Estimate(
            float(found[place]),
            float(found[place] - z * spread[place]),
            float(found[place] + z * spread[place]),
            len(votes),
        )
        for place, name in enumerate(style, len(models))
    }
    ordered = sorted(models, key=lambda model: -ratings[model].value)
    return Leaderboard(
        tuple(_rating(model, ratings, votes) for model in ordered),
        effects,
        len(votes),
        len({each.voter for each in votes if each.voter}),
    )


def _rating(model: str, ratings: Mapping[str, Estimate], votes: Sequence[Vote]) -> Rating:
    own = ratings[model]
    scores = [each.score for each in votes if each.first == model]
    scores += [1 - each.score for each in votes if each.second == model]
    return Rating(
        model,
        own,
        1 + sum(each.low > own.high for each in ratings.values()),
        sum(score > 0.5 for score in scores),
        sum(score < 0.5 for score in scores),
        sum(score == 0.5 for score in scores),
    )


def _design(votes: Sequence[Vote], models: Sequence[str], style: Sequence[str]) -> tuple[Any, Any]:
    """Rows of votes: 1 for the first model, -1 for the second, and the standardised style."""
    place = {model: number for number, model in enumerate(models)}
    design = np.zeros((len(votes), len(models) + len(style)))
    for row, vote in enumerate(votes):
        design[row, place[vote.first]] += 1
        design[row, place[vote.second]] -= 1
        design[row, len(models) :] = [vote.style.get(name, 0.0) for name in style]
    if style:
        # Differences are not centred: two answers of one style have a difference of nothing.
        scale = np.sqrt((design[:, len(models) :] ** 2).mean(axis=0))
        design[:, len(models) :] /= np.where(scale > 0, scale, 1.0)
    return design, np.asarray([each.score for each in votes], np.float64)


def _fitted(design: Any, scores: Any, voters: Sequence[str], models: int) -> tuple[Any, Any]:
    """The coefficients, those of models with the sum 0, and their standard errors."""
    size = design.shape[1]
    # Only differences of models are known: a weight on their sum fixes it at 0. The slight ridge keeps a model that
    # won all of its votes finite.
    penalty = _RIDGE * np.eye(size)
    penalty[:models, :models] += np.ones((models, models))
    found = np.zeros(size)
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(design @ found, -35, 35)))
        gradient = design.T @ (scores - expected) - penalty @ found
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        found = found + step
        if np.abs(step).max() < _CLOSE:
            break
    expected = 1 / (1 + np.exp(-np.clip(design @ found, -35, 35)))
    bread = np.linalg.inv((design * (expected * (1 - expected))[:, None]).T @ design + penalty)
    # Voters who are not told are one each.
    groups: dict[object, int] = {}
    member = np.asarray([groups.setdefault(name or row, len(groups)) for row, name in enumerate(voters)])
    sums = np.zeros((len(groups), size))
    np.add.at(sums, member, design * (scores - expected)[:, None])
    few = len(groups) / max(1, len(groups) - 1)
    errors = np.sqrt(np.maximum(0.0, np.diag(bread @ (sums.T @ sums * few) @ bread)))
    # A few votes that all agree, or a few voters, leave no residuals to see the spread by: what the model itself
    # expects of so many votes is the least.
    expected_errors = np.diag(bread).copy()
    # Without what the weight on the sum of all ratings adds, which nobody asks about.
    expected_errors[:models] -= 1 / (models * (models + _RIDGE))
    return found, np.maximum(errors, np.sqrt(np.maximum(0.0, expected_errors)))


def _checked(votes: Sequence[Vote]) -> list[str]:
    """The models, in the order in which they occur."""
    if not votes:
        raise InvalidRequest("there are no votes", param="votes")
    near: dict[str, set[str]] = {}
    for each in votes:
        if each.first == each.second:
            raise InvalidRequest(f"{each.first} stands against itself", param="votes")
        if not 0 <= each.score <= 1:
            raise InvalidRequest(f"a score lies between 0 and 1, not at {each.score:g}", param="votes")
        near.setdefault(each.first, set()).add(each.second)
        near.setdefault(each.second, set()).add(each.first)
    reached, waiting = set[str](), [next(iter(near))]
    while waiting:
        model = waiting.pop()
        if model not in reached:
            reached.add(model)
            waiting += near[model] - reached
    if apart := near.keys() - reached:
        raise InvalidRequest(
            f"no votes connect {min(apart)} with {next(iter(near))}",
            param="votes",
            remedy="Ask for votes between them, or rate them apart",
        )
    return list(near)
