"""How often tests that are looked at after every answer decide wrongly, and how soon they decide.

    python benchmarks/sequential_tests.py [--simulations 10000] [--keep FOLDER] [--seconds S] [--dry]

Arms: at rates of .03 to .97, two to four arms, once all alike and once with one better by the effect that the test is
designed for; each simulation ends when an arm is named, or after three times the size of a fixed test of power .9.
Wrong is any arm that is named among equal ones, or one that is not the best. The median number of answers of each arm
is held against the size of a one-sided z-test of the same alpha (.05 divided by the arms) and power .8.
Dropped arms: the same where an arm that was shown worse gets no more traffic, until one has all of it.
Pairs: a candidate that drops by 3 points and one that does not, a tenth of the examples answered differently, at most
2,000 examples, held against the fixed size of alpha .05 and power .9.
With ``--keep`` a run goes on where the one before it ended.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from _report import Figure, report, table
from mainspring.features.evaluate.answers import wilson
from mainspring.statistics.sequential import (
    BOLD,
    SCALES,
    bets,
    better_factor,
    fixed_size,
    hedged,
    mixed,
    seen_rate,
    threshold,
)

RATES = {0.03: 0.02, 0.05: 0.02, 0.5: 0.05, 0.9: 0.05, 0.97: 0.02}
"""A rate, and the effect that is looked for there."""
ARMS = (2, 3, 4)
ALLOCATIONS = (
    ((0.9, 0.85), 0.05),
    ((0.05, 0.03), 0.02),
    ((0.9, 0.85, 0.85, 0.85), 0.05),
    ((0.9, 0.9, 0.85, 0.85), 0.05),
    ((0.9, 0.9, 0.9, 0.9), 0.05),
)
"""Rates of arms of which worse ones are dropped, and the effect that is looked for. Two equal best ones: naming one of
them is wrong."""
ALPHA = 0.05
BLOCK = 256


def arms(
    rates: Sequence[float], effect: float, longest: int, simulations: int, seed: int, dropping: bool = False
) -> dict[str, Any]:
    """Simulates a comparison of arms with true ``rates``, ``BLOCK`` answers at a time: how many named an arm
    wrongly and rightly, the median of answers of the arm that has most, and the mean share of answers of all arms but
    the first. With ``dropping`` arms that were shown worse get no more."""
    draw = np.random.default_rng(seed)
    count = len(rates)
    alive = np.arange(simulations)
    state = Simulated(np.zeros((simulations, count)), {}, np.full((simulations, count, count), np.inf))
    named, ended = np.full(simulations, -1), np.full(simulations, float(longest))
    worse = np.zeros(simulations)
    for begin in range(0, longest, BLOCK):
        seen = draw.random((len(alive), min(BLOCK, longest - begin), count)) < np.asarray(rates)
        looked_at(state, seen, alive, begin, effect, threshold(count, ALPHA, dropping=dropping))
        best, until = decided(state.crossed[alive], begin + seen.shape[1], dropping)
        when = until.max(axis=1)
        over = best >= 0
        named[alive[over]], ended[alive[over]] = best[over], when[over]
        worse[alive] = 1 - until[:, 0] / until.sum(axis=1)
        alive = alive[~over]
        if not len(alive):
            break
    right = (named == 0) & (rates[0] > rates[1])
    wrong = int(((named >= 0) & ~right).sum())
    found = {"wrong": wrong, "right": int(right.sum()), "median": float(np.median(ended))}
    return {**found, "worse": float(worse.mean()), "simulations": simulations}


def decided(crossed: np.ndarray, now: int, dropping: bool) -> tuple[np.ndarray, np.ndarray]:
    """The arm that is named (-1: none) by the times ``crossed`` (n, k, k), and how many answers each arm has had
    (n, k)."""
    count = crossed.shape[1]
    if not dropping:
        # An arm is named once it was shown better than each other one.
        when = np.where(np.eye(count, dtype=bool), 0, crossed).max(axis=2)
        end = np.minimum(when.min(axis=1), now)
        return np.where(np.isfinite(when.min(axis=1)), when.argmin(axis=1), -1), np.repeat(end[:, None], count, axis=1)
    left = np.ones(crossed.shape[:2], bool)
    until = np.full(crossed.shape[:2], float(now))
    rows = np.arange(len(crossed))
    for _ in range(count - 1):
        among = np.where(left[:, :, None] & left[:, None, :], crossed, np.inf).reshape(len(crossed), -1)
        first = among.min(axis=1)
        lost = among.argmin(axis=1) % count
        ended = np.isfinite(first)
        until[rows[ended], lost[ended]] = first[ended]
        left[rows[ended], lost[ended]] = False
    alone = left.sum(axis=1) == 1
    # The last one left needs no more answers than the last one dropped.
    last = np.where(left, 0, until).max(axis=1)
    until = np.where(left & alone[:, None], last[:, None], until)
    return np.where(alone, left.argmax(axis=1), -1), until


@dataclass
class Simulated:
    """Simulations (n) of k arms: successes (n, k), the logarithms of the e-processes of each pair (n, 2, scales), and
    the answer at which the row's arm was shown better than the column's (n, k, k)."""

    successes: np.ndarray
    logs: dict[tuple[int, int], np.ndarray]
    crossed: np.ndarray


def looked_at(state: Simulated, seen: np.ndarray, alive: np.ndarray, begin: int, effect: float, most: float) -> None:
    """Counts the outcomes ``seen`` (alive, answers, arms), with a look after each answer."""
    simulations, count = state.successes.shape
    before = np.cumsum(seen, axis=1) - seen + state.successes[alive][:, None, :]
    pairs = begin + np.arange(seen.shape[1])
    for one, other in itertools.combinations(range(count), 2):
        rate = seen_rate(before[:, :, one] + before[:, :, other], pairs)
        logs = state.logs.setdefault((one, other), np.zeros((simulations, 2, len(SCALES))))
        for place, (first, second) in enumerate(((one, other), (other, one))):
            steps = [better_factor(seen[:, :, first], seen[:, :, second], rate, scale * effect) for scale in SCALES]
            held = np.cumsum(np.stack(steps, axis=-1), axis=1) + logs[alive, place][:, None, :]
            logs[alive, place] = held[:, -1]
            # A mixture is at most its largest part: most simulations are far from crossing.
            near = np.flatnonzero(held.max(axis=(1, 2)) >= most)
            over = mixed(held[near]) >= most
            now = np.where(over.any(axis=1), begin + over.argmax(axis=1) + 1.0, np.inf)
            rows = alive[near]
            state.crossed[rows, first, second] = np.minimum(state.crossed[rows, first, second], now)
    state.successes[alive] += seen.sum(axis=1)


def gates(drop: float, differing: float, longest: int, simulations: int, seed: int) -> dict[str, Any]:
    """Simulates paired comparisons: how many are called worse, and not worse, and the mean number of examples."""
    margin, alpha, beta = 0.03, ALPHA, 0.1
    draw = np.random.default_rng(seed)
    chances = [(differing + drop) / 2, 1 - differing, (differing - drop) / 2]
    seen = draw.choice([-1.0, 0.0, 1.0], (simulations, longest), p=chances)
    squares = np.cumsum(seen**2, axis=1) - seen**2
    stakes = bets(squares, np.arange(longest), margin)
    lost = [np.cumsum(np.log1p(-stake * seen), axis=1) for stake in (stakes, BOLD)]
    held = [np.cumsum(np.log1p(stake * (seen + margin)), axis=1) for stake in (stakes, BOLD)]
    worse, fine = hedged(*lost) >= -np.log(alpha), hedged(*held) >= -np.log(beta)
    when = [np.where(each.any(axis=1), each.argmax(axis=1), longest) for each in (worse, fine)]
    used = np.minimum(np.minimum(*when) + 1, longest)
    return {
        "worse": int((when[0] < when[1]).sum()),
        "not worse": int((when[1] < when[0]).sum()),
        "examples": float(used.mean()),
        "simulations": simulations,
    }


def kept(folder: Path | None, name: str, make: Any, began: float, seconds: float) -> Any:
    """A figure of an earlier run, or ``make``'s; ends the run if its time is up."""
    path = folder / f"{name}.json" if folder is not None else None
    if path is not None and path.exists():
        return json.loads(path.read_text())
    if seconds and time.monotonic() - began > seconds:
        raise SystemExit(f"not yet simulated: {name}; run it again")
    found = make()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))
    return found


def share(count: int, of: int) -> str:
    held = wilson(count, of)
    return f"{count} of {of:,} simulations, [{held.low:.4f}, {held.high:.4f}]"


def of_arms(arguments: argparse.Namespace, began: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    wrongest: dict[str, Any] = {"wrong": -1, "simulations": 1}
    slowest = 0.0
    for place, (rate, effect) in enumerate(RATES.items()):
        better, other = (rate + effect, rate) if rate < 0.9 else (rate, rate - effect)
        middle = (better + other) / 2
        for count in ARMS:
            size = {
                power: fixed_size(effect, 2 * middle * (1 - middle), alpha=ALPHA / count, power=power)
                for power in (0.8, 0.9)
            }
            found = {}
            for label, rates in (("alike", [rate] * count), ("one better", [better, *[other] * (count - 1)])):
                name = f"{rate:g}-{count}-{label.replace(' ', '-')}-{arguments.simulations}"

                make = partial(arms, rates, effect, int(3 * size[0.9]), arguments.simulations, 100 * place + count)
                found[label] = kept(arguments.keep, name, make, began, arguments.seconds)
                if found[label]["wrong"] / found[label]["simulations"] > wrongest["wrong"] / wrongest["simulations"]:
                    wrongest = found[label]
            ratio = found["one better"]["median"] / size[0.8]
            slowest = max(slowest, ratio)
            label = f"arms: {count} at {rate:g}"
            figures[f"{label}, alike: named"] = Figure(
                found["alike"]["wrong"] / found["alike"]["simulations"], "share", "lower", 0.05,
                against=share(found["alike"]["wrong"], found["alike"]["simulations"]),
            )  # fmt: skip
            figures[f"{label}, one better by {effect:g}: median answers of each over a fixed test's"] = Figure(
                ratio,
                "x",
                "lower",
                1.3,
                against=f"{found['one better']['median']:,.0f} over {size[0.8]:,.0f}, power .8",
            )
            figures[f"{label}, one better by {effect:g}: named rightly"] = Figure(
                found["one better"]["right"] / found["one better"]["simulations"], "share", "higher",
                against=f"{share(found['one better']['right'], found['one better']['simulations'])}; "
                f"{found['one better']['wrong']} wrongly",
            )  # fmt: skip
    figures["arms: most wrong decisions"] = Figure(
        wrongest["wrong"] / wrongest["simulations"],
        "share",
        "lower",
        0.05,
        against=share(wrongest["wrong"], wrongest["simulations"]),
    )
    figures["arms: largest median over a fixed test's"] = Figure(slowest, "x", "lower", 1.3, against="power .8")
    return figures


def of_dropping(arguments: argparse.Namespace, began: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    for place, (rates, effect) in enumerate(ALLOCATIONS):
        size = fixed_size(effect, 2 * rates[0] * (1 - rates[0]), alpha=ALPHA / len(rates), power=0.9)
        name = f"dropping-{'-'.join(f'{rate:g}' for rate in rates)}-{arguments.simulations}"
        make = partial(arms, rates, effect, int(4 * size), arguments.simulations, 1000 + place, True)
        found = kept(arguments.keep, name, make, began, arguments.seconds)
        label = f"dropped when worse, at {', '.join(f'{rate:g}' for rate in rates)}"
        figures[f"{label}: all traffic on a wrong arm"] = Figure(
            found["wrong"] / found["simulations"], "share", "lower", 0.05,
            against=share(found["wrong"], found["simulations"]),
        )  # fmt: skip
        if rates[0] > rates[1]:
            figures[f"{label}: all traffic on the best arm"] = Figure(
                found["right"] / found["simulations"], "share", "higher",
                against=f"after {found['median']:,.0f} answers of it (median)",
            )  # fmt: skip
            figures[f"{label}: answers of worse arms"] = Figure(
                found["worse"], "share", "lower", against=f"{1 - 1 / len(rates):.3f} without dropping"
            )
    return figures


def of_pairs(arguments: argparse.Namespace, began: float) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    fixed = fixed_size(0.03, 0.1, alpha=ALPHA, power=0.9)
    for label, drop in (("no drop", 0.0), ("3 points", 0.03)):
        found = kept(
            arguments.keep,
            f"pairs-{label.replace(' ', '-')}-{arguments.simulations}",
            lambda drop=drop: gates(drop, 0.1, 2000, arguments.simulations, 7),
            began,
            arguments.seconds,
        )
        figures[f"pairs, {label}: called worse"] = Figure(
            found["worse"] / found["simulations"],
            "share",
            "higher" if drop else "lower",
            0.9 if drop else 0.05,
            against=share(found["worse"], found["simulations"]),
        )
        figures[f"pairs, {label}: undecided after 2,000 examples"] = Figure(
            1 - (found["worse"] + found["not worse"]) / found["simulations"], "share", "lower"
        )
        figures[f"pairs, {label}: examples spared"] = Figure(
            1 - found["examples"] / fixed,
            "share",
            "higher",
            against=f"{found['examples']:,.0f} of a fixed test's {fixed:,.0f}",
        )
    return figures


def main(arguments: argparse.Namespace) -> None:
    began = time.monotonic()
    found = of_pairs(arguments, began) | of_dropping(arguments, began) | of_arms(arguments, began)
    if arguments.dry:
        print(table(found))
    else:
        report("sequential_tests", found)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Errors and sizes of tests that one may look at any time")
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seconds", type=float, default=0.0, help="end after the part during which this has passed")
    parser.add_argument("--dry", action="store_true", help="write no result")
    main(parser.parse_args())
