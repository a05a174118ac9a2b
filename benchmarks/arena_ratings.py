"""How often the intervals of ratings from votes hold the true strength, and whether a bias for length is taken out.

    python benchmarks/arena_ratings.py [--arenas 1000] [--dry]

Each arena has six models of random strength (a standard deviation of 104 points) and 600 votes of 150 voters. In the
second half of the arenas voters like the longer answer (half a unit of log odds for each unit of length) and weak
models write longer ones.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator

import numpy as np

from _report import Figure, report, table
from mainspring.features.evaluate.answers import wilson
from mainspring.statistics.bradley_terry import ELO, MIDDLE, Vote, leaderboard

MODELS, VOTES, VOTERS = 6, 600, 150
SPREAD, LIKING = 0.6, 0.5
CONTROLLED, NOT_CONTROLLED = "bias for length, controlled", "bias for length, not controlled"


def votes(strengths: np.ndarray, habits: np.ndarray, liking: float, draw: np.random.Generator) -> Iterator[Vote]:
    for _ in range(VOTES):
        one, other = (int(each) for each in draw.choice(MODELS, 2, replace=False))
        longer = float(habits[one] - habits[other] + draw.normal())
        chance = 1 / (1 + math.exp(-(strengths[one] - strengths[other] + liking * longer)))
        won = float(draw.random() < chance)
        yield Vote(f"m{one}", f"m{other}", won, f"v{draw.integers(VOTERS)}", {"length": longer})


def main(arguments: argparse.Namespace) -> None:
    draw = np.random.default_rng(23)
    held: dict[str, list[bool]] = {"no bias": [], CONTROLLED: [], NOT_CONTROLLED: []}
    order: dict[str, list[float]] = {CONTROLLED: [], NOT_CONTROLLED: []}
    for number in range(arguments.arenas):
        strengths = draw.normal(0, SPREAD, MODELS)
        strengths -= strengths.mean()
        biased = number >= arguments.arenas // 2
        habits = -strengths / SPREAD if biased else draw.normal(0, 1, MODELS)
        found = list(votes(strengths, habits, LIKING if biased else 0.0, draw))
        for name in order if biased else ("no bias",):
            ratings = leaderboard(found, style=("length",) if name == CONTROLLED else ()).ratings
            places = [int(each.model[1:]) for each in ratings]
            for place, each in zip(places, ratings, strict=True):
                held[name].append(each.rating.low <= MIDDLE + ELO * float(strengths[place]) <= each.rating.high)
            if biased:
                order[name].append(float(np.corrcoef(strengths[places], -np.arange(MODELS))[0, 1]))
    figures = {}
    for name, covered in held.items():
        share = wilson(sum(covered), len(covered))
        against = f"{len(covered)} ratings, [{share.low:.3f}, {share.high:.3f}]"
        floor = None if name == NOT_CONTROLLED else 0.94
        figures[f"coverage of 95 % intervals: {name}"] = Figure(share.value, "share", "higher", floor, against=against)
    for name, values in order.items():
        figures[f"correlation of the order with strength: {name}"] = Figure(
            float(np.mean(values)), "Pearson", "higher", against=f"{len(values)} arenas"
        )
    if arguments.dry:
        print(table(figures))
    else:
        report("arena_ratings", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ratings of synthetic arenas")
    parser.add_argument("--arenas", type=int, default=1000)
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
