"""Ratings recover the strengths behind simulated votes, their intervals cover them, and style can be taken out."""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from mainspring.core.errors import InvalidRequest
from mainspring.statistics.bradley_terry import ELO, MIDDLE, Vote, leaderboard


def votes_between(
    strengths: Mapping[str, float],
    count: int,
    draw: np.random.Generator,
    habits: Mapping[str, float] | None = None,
    weight: float = 0.0,
) -> Iterator[Vote]:
    models = list(strengths)
    for _ in range(count):
        first, second = draw.choice(len(models), 2, replace=False)
        one, other = models[first], models[second]
        longer = (habits[one] - habits[other] + draw.normal()) if habits else 0.0
        chance = 1 / (1 + math.exp(-(strengths[one] - strengths[other] + weight * longer)))
        yield Vote(one, other, float(draw.random() < chance), style={"length": longer})


def test_two_models_differ_by_the_odds() -> None:
    votes = [Vote("a", "b", 1.0)] * 70 + [Vote("b", "a", 1.0)] * 30
    first, second = leaderboard(votes).ratings
    assert (first.model, first.wins, first.losses) == ("a", 70, 30)
    assert first.rating.value - second.rating.value == pytest.approx(ELO * math.log(7 / 3), rel=1e-3)
    # The delta method for a log odds: 1 / (n p q).
    error = ELO * math.sqrt(1 / (100 * 0.7 * 0.3)) / 2
    assert first.rating.high - first.rating.value == pytest.approx(1.96 * error, rel=0.02)
    assert (first.rank, second.rank) == (1, 2)


def test_ties_count_for_both() -> None:
    first, second = leaderboard([Vote("a", "b", 0.5)] * 10).ratings
    assert first.rating.value == pytest.approx(MIDDLE)
    assert (first.ties, second.ties, second.rank) == (10, 10, 1)


def test_intervals_cover_the_strengths() -> None:
    draw = np.random.default_rng(4)
    covered = []
    for _ in range(60):
        values = draw.normal(0, 0.6, 5)
        strengths = {f"m{number}": float(value) for number, value in enumerate(values - values.mean())}
        board = leaderboard(list(votes_between(strengths, 400, draw)))
        covered += [
            each.rating.low <= MIDDLE + ELO * strengths[each.model] <= each.rating.high for each in board.ratings
        ]
    assert np.mean(covered) > 0.9


def test_a_planted_bias_for_length_is_taken_out() -> None:
    draw = np.random.default_rng(6)
    strengths, habits = {"brief": 0.3, "long": -0.3}, {"brief": -1.0, "long": 1.0}
    votes = list(votes_between(strengths, 4000, draw, habits, weight=0.8))
    assert leaderboard(votes).ratings[0].model == "long"
    board = leaderboard(votes, style=("length",))
    assert board.ratings[0].model == "brief"
    assert board.ratings[0].rating.low <= MIDDLE + ELO * 0.3 <= board.ratings[0].rating.high
    assert board.style["length"].low > 0


def test_one_voter_a_hundred_times_is_less_certain_than_a_hundred_voters() -> None:
    votes = [Vote("a", "b", 1.0)] * 70 + [Vote("b", "a", 1.0)] * 30
    alone = [Vote(each.first, each.second, each.score, voter=f"v{number % 2}") for number, each in enumerate(votes)]
    assert leaderboard(alone).voters == 2
    many = leaderboard(votes).ratings[0].rating
    agreeing = [Vote("a", "b", 1.0, voter=f"v{n}") for n in range(7) for _ in range(10)]
    agreeing += [Vote("b", "a", 1.0, voter=f"w{n}") for n in range(3) for _ in range(10)]
    few = leaderboard(agreeing).ratings[0].rating
    assert few.value == pytest.approx(many.value)
    assert few.high - few.low > 2 * (many.high - many.low)


def test_a_model_that_won_all_of_its_votes_has_a_finite_place() -> None:
    first, _ = leaderboard([Vote("a", "b", 1.0)] * 50).ratings
    assert MIDDLE < first.rating.value < MIDDLE + 3000


@pytest.mark.parametrize(
    "votes",
    [[], [Vote("a", "a", 1.0)], [Vote("a", "b", 2.0)], [Vote("a", "b", 1.0), Vote("c", "d", 1.0)]],
)
def test_votes_that_compare_nothing_are_refused(votes: list[Vote]) -> None:
    with pytest.raises(InvalidRequest):
        leaderboard(votes)


def test_two_votes_that_agree_rank_nobody() -> None:
    found = leaderboard([Vote("a", "b", 1.0, "ann"), Vote("b", "a", 0.0, "ann")])
    assert [each.rank for each in found.ratings] == [1, 1]
    assert found.ratings[0].rating.low < found.ratings[1].rating.high
