"""Drift: how often each statistic errs on traffic that stays as it is, and after how many questions it sees a change.

    MAINSPRING_DATA=... python benchmarks/drift.py [--tune]

The traffic is real questions: of six SQuAD articles, then mixed with questions about two other articles, word problems,
code problems, innocent texts that look like injections, or injections. Counted are the lengths of prompts and of gold
answers, the best cosine among the articles' paragraphs, how many of these are below what the lowest twentieth had, and
what the packaged rules flag. Articles are divided in two: limits were chosen on one half (``--tune``), and what is told
here is of the other half and of sets that were not looked at. A reference of 1,000 questions is compared with the last
200, every 20 questions; numbers raise the monitor's alert where both their statistics are beyond their limits.

"In runs" are five questions about one article in a row, as conversations bring them: the statistics expect questions
that come independently. A change that is not listed for a statistic was never seen by it. Traffic is as stationary here
as shuffling makes it, which days and weeks are not.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _report import Figure, report, skip
from mainspring.core.settings import load
from mainspring.engines import builtin
from mainspring.features.monitor.settings import DriftSettings
from mainspring.features.monitor.traffic import drift
from mainspring.features.monitor.traffic.tally import Tally
from mainspring.guards.detect import injection

Floats = NDArray[np.float32]
REFERENCE, WINDOW, STEP, LONGEST = 1000, 200, 20, 600
SEEDS = 40
SHARES = (1.0, 0.25, 0.1)


@dataclass
class Asked:
    """A question with all that is counted of it."""

    group: str
    vector: Floats
    tokens: int
    answer: int | None
    score: float = 0.0
    flagged: bool = False


@dataclass
class Side:
    """One half of the data: the traffic, and what it may change into."""

    base: list[Asked]
    shifts: dict[str, list[Asked]] = field(default_factory=dict)
    unanswered_below: float = 0.0


@dataclass
class Texts:
    """Questions with their answers, by set; paragraphs by article."""

    questions: dict[str, list[tuple[str, str | None]]] = field(default_factory=dict)
    paragraphs: dict[str, list[str]] = field(default_factory=dict)


def read(data: Path) -> Texts:
    """All sets."""
    found = Texts()
    for article in json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]:
        name = article["title"]
        found.paragraphs[name] = [each["context"] for each in article["paragraphs"]]
        found.questions[name] = [
            (asked["question"], asked["answers"][0]["text"] if asked["answers"] else "")
            for each in article["paragraphs"]
            for asked in each["qas"]
        ]
    problems = (data / "qa/gsm8k/test.jsonl").read_text(encoding="utf-8").splitlines()
    found.questions["word problems"] = [(row["question"], row["answer"]) for row in map(json.loads, problems)]
    code = json.loads((data / "qa/mbpp/sanitized-mbpp.json").read_text(encoding="utf-8"))
    found.questions["code problems"] = [(row["prompt"], row["code"]) for row in code]
    looks = [
        row["prompt"]
        for number in ("one", "two", "three")
        for row in json.loads((data / f"safety/injecguard/NotInject_{number}.json").read_text(encoding="utf-8"))
    ]
    found.questions["look-alikes of injections"] = [(text, None) for text in looks]
    with (data / "safety/giskard_prompt_injections.csv").open(encoding="utf-8") as file:
        found.questions["injections"] = [(row["prompt"], None) for row in csv.DictReader(file)]
    with (data / "safety/xstest_prompts.csv").open(encoding="utf-8") as file:
        found.questions["safe and unsafe prompts"] = [(row["prompt"], None) for row in csv.DictReader(file)]
    return found


async def sides(texts: Texts) -> tuple[Side, Side]:
    """(the half to choose limits on, the half that is reported)."""
    settings = load().settings
    embedder = await builtin.embedder(settings)
    try:
        vectors = {
            name: await _embedded(embedder, [q for q, _ in asked], "query") for name, asked in texts.questions.items()
        }
        passages = {name: await _embedded(embedder, asked, "passage") for name, asked in texts.paragraphs.items()}

        def count(asked: Sequence[str]) -> list[int]:
            return embedder.count_tokens(list(asked))

        articles = sorted(texts.paragraphs)
        halves = articles[::2], articles[1::2]
        outside = (
            ("safe and unsafe prompts",),
            ("word problems", "code problems", "look-alikes of injections", "injections"),
        )
        return tuple(  # type: ignore[return-value]
            _side(texts, vectors, passages, count, half, sets) for half, sets in zip(halves, outside, strict=True)
        )
    finally:
        await embedder.close()


async def _embedded(embedder: Any, texts: Sequence[str], kind: Any) -> Floats:
    return np.asarray((await embedder.embed(list(texts), kind)).vectors, np.float32)


def _side(
    texts: Texts,
    vectors: dict[str, Floats],
    passages: dict[str, Floats],
    count: Callable[[Sequence[str]], list[int]],
    articles: Sequence[str],
    outside: Sequence[str],
) -> Side:
    held, others = articles[:-2], articles[-2:]
    corpus = np.concatenate([passages[name] for name in held])

    def asked(name: str) -> list[Asked]:
        questions = texts.questions[name]
        tokens = count([question for question, _ in questions])
        answers = count([answer or "" for _, answer in questions])
        scores = (vectors[name] @ corpus.T).max(axis=1)
        return [
            Asked(
                name,
                vectors[name][row],
                tokens[row],
                None if answer is None else answers[row],
                float(scores[row]),
                bool(injection.scan(question)),
            )
            for row, (question, answer) in enumerate(questions)
        ]

    made = Side([each for name in held for each in asked(name)])
    made.shifts = {"other articles": [each for name in others for each in asked(name)]}
    made.shifts |= {name: asked(name) for name in outside}
    # As many of the usual questions as are refused for lack of support here and there.
    made.unanswered_below = float(np.quantile([each.score for each in made.base], 0.05))
    return made


class Counted:
    """Questions as the monitor counts them, by steps; sums of steps are tallies."""

    def __init__(self, stream: Sequence[Asked], below: float) -> None:
        self.steps = [self._tally(stream[at : at + STEP], below) for at in range(0, len(stream) - STEP + 1, STEP)]

    @staticmethod
    def _tally(asked: Sequence[Asked], below: float) -> Tally:
        made = Tally()
        for each in asked:
            made.counts["ok"] += 1
            made.counts["retrievals"] += 1
            made.counts["unanswered"] += each.score < below
            if each.flagged:
                made.counts["guard|injection|flag|injection|input|real"] += 1
            made._value("input", each.tokens)
            made._value("output", each.answer)
            made._value("score", each.score)
        made.blocks.append(drift.packed(np.stack([each.vector for each in asked]), "m"))
        return made


def summed(steps: Sequence[Tally]) -> Tally:
    made = Tally()
    for each in steps:
        made.merge(each)
    return made


NAMES = (
    *("questions shift", "input ks", "input psi", "output ks", "output psi", "score ks", "score psi"),
    *("guards psi", "unanswered psi"),
)


def crossings(reference: Tally, stream: Counted, settings: DriftSettings) -> dict[str, list[float]]:
    """Value to limit of each statistic at each step from the first full window on."""
    found: dict[str, list[float]] = {name: [] for name in NAMES}
    width = WINDOW // STEP
    for end in range(width, len(stream.steps) + 1):
        current = summed(stream.steps[end - width : end])
        compared = drift.compare(reference, current, settings, "m")
        ratios = {f"{each.name} {each.statistic}": each.value / each.limit for each in compared}
        for name in NAMES:
            # What cannot be compared (no answers are known, no guard said anything) raises nothing.
            found[name].append(ratios.get(name, 0.0))
    return found


def together(ratios: dict[str, list[float]]) -> dict[str, list[float]]:
    """With what the monitor makes of both statistics of a number: the one that is less beyond its limit."""
    made = dict(ratios)
    for name in ("input", "output", "score"):
        made[f"{name} both"] = [min(pair) for pair in zip(ratios[f"{name} ks"], ratios[f"{name} psi"], strict=True)]
    alarms = [made[name] for name in ("questions shift", "input both", "output both", "score both", *NAMES[-2:])]
    made["all of the monitor"] = [max(row) for row in zip(*alarms, strict=True)]
    return made


def shuffled(asked: Sequence[Asked], chosen: np.random.Generator, run: int) -> list[Asked]:
    """In random order; in runs of ``run`` about one article."""
    if run == 1:
        return [asked[place] for place in chosen.permutation(len(asked))]
    runs: list[list[Asked]] = []
    for group in sorted({each.group for each in asked}):
        mine = [each for each in asked if each.group == group]
        mine = [mine[place] for place in chosen.permutation(len(mine))]
        runs += [mine[at : at + run] for at in range(0, len(mine), run)]
    return [each for place in chosen.permutation(len(runs)) for each in runs[place]]


def false_alarms(side: Side, settings: DriftSettings, run: int, seeds: range) -> dict[str, float]:
    """Alarms a thousand questions that stay as they are; one that lasts counts once."""
    alarms: dict[str, int] = {}
    asked = 0
    for seed in seeds:
        traffic = shuffled(side.base, np.random.default_rng(seed), run)
        reference = summed(Counted(traffic[:REFERENCE], side.unanswered_below).steps)
        stream = Counted(traffic[REFERENCE:], side.unanswered_below)
        ratios = together(crossings(reference, stream, settings))
        asked += (len(stream.steps) - WINDOW // STEP) * STEP
        for name, values in ratios.items():
            beyond = [value > 1 for value in values]
            alarms[name] = alarms.get(name, 0) + sum(
                now and not before for now, before in zip(beyond, [False, *beyond], strict=False)
            )
    return {name: 1000 * count / asked for name, count in alarms.items()}


def delays(side: Side, settings: DriftSettings, kind: str, share: float, seeds: range) -> dict[str, list[int | None]]:
    """Questions from the change to the first alarm; None: none within ``LONGEST``."""
    found: dict[str, list[int | None]] = {}
    for seed in seeds:
        chosen = np.random.default_rng(10_000 + seed)
        traffic = shuffled(side.base, chosen, 1)
        other = [side.shifts[kind][place] for place in chosen.integers(0, len(side.shifts[kind]), LONGEST)]
        usual = traffic[REFERENCE + WINDOW :]
        changed = [other[place] if chosen.random() < share else usual[place % len(usual)] for place in range(LONGEST)]
        reference = summed(Counted(traffic[:REFERENCE], side.unanswered_below).steps)
        stream = Counted([*traffic[REFERENCE : REFERENCE + WINDOW], *changed], side.unanswered_below)
        for name, values in together(crossings(reference, stream, settings)).items():
            # The first value is that of the window before the change.
            at = next((place for place, value in enumerate(values) if place and value > 1), None)
            found.setdefault(name, []).append(None if at is None else at * STEP)
    return found


def typical(found: Sequence[int | None]) -> float | None:
    """The median; None where most saw nothing."""
    value = statistics.median([each if each is not None else float("inf") for each in found])
    return None if value == float("inf") else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="print the limits of the half that they are chosen on")
    arguments = parser.parse_args()
    folder = os.environ.get("MAINSPRING_DATA", "")
    if not folder or not Path(folder).is_dir():
        skip("MAINSPRING_DATA does not name the folder of data sets")
    tune, held = asyncio.run(sides(read(Path(folder))))
    settings = DriftSettings(block=STEP)
    if arguments.tune:
        _tune(tune, settings)
        return
    figures: dict[str, Figure] = {}
    for run, said in ((1, "independent"), (5, "in runs")):
        for name, rate in false_alarms(held, settings, run, range(SEEDS)).items():
            figures[f"{name}: false alarms, {said}"] = Figure(rate, "/1,000 questions", "lower")
    for kind in held.shifts:
        for share in SHARES:
            for name, found in delays(held, settings, kind, share, range(SEEDS // 2)).items():
                if not name.endswith("both") and (figure := _seen(found)) is not None:
                    figures[f"{name}: {share:.0%} {kind}"] = figure
    report("drift", figures)


def _seen(found: Sequence[int | None]) -> Figure | None:
    """How soon it is seen, or how often where that is less than half of the time; None: never."""
    share = sum(each is not None for each in found) / len(found)
    delay = typical(found)
    if delay is None:
        return Figure(share, "share", "higher", against=f"runs that see it within {LONGEST}") if share else None
    return Figure(delay, "questions", "lower", against=f"median; {share:.0%} see it within {LONGEST}")


def _tune(side: Side, settings: DriftSettings) -> None:
    """Ratios of value to limit, on the half that limits are chosen on."""
    for run in (1, 5):
        print(f"runs of {run}: false alarms a thousand questions, and quantiles of value / limit")
        rates = false_alarms(side, settings, run, range(20))
        ratios: dict[str, list[float]] = {}
        for seed in range(20):
            traffic = shuffled(side.base, np.random.default_rng(seed), run)
            reference = summed(Counted(traffic[:REFERENCE], side.unanswered_below).steps)
            stream = Counted(traffic[REFERENCE:], side.unanswered_below)
            for name, values in together(crossings(reference, stream, settings)).items():
                ratios.setdefault(name, []).extend(values)
        for name, rate in rates.items():
            spread = np.quantile(ratios[name], (0.5, 0.99, 1.0)) if ratios[name] else ()
            print(f"  {name:22} {rate:.3f}  {np.round(spread, 2)}")
    for kind in side.shifts:
        for share in SHARES:
            print(f"{share:.0%} {kind}")
            for name, found in delays(side, settings, kind, share, range(8)).items():
                seen = sum(each is not None for each in found) / len(found)
                print(f"  {name:22} seen {seen:.2f}, half within {typical(found)}")


if __name__ == "__main__":
    main()
