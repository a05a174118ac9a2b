"""Judged answers: how often a false drop is reported, and after how many answers a real one is seen.

    MAINSPRING_DATA=... python benchmarks/judging.py [--tune] [--keep FOLDER]

Questions are SQuAD's (dev part) with five paragraphs each, and answers of three sorts, judged by embeddings as live
ones are. Then a share of them turns bad in one way:

- *extracted*: the sentence that shares most with the question, by cosine and by words, which is what an extractive
  answerer shows. What judges look at is what it was chosen by, so that good ones look very good. Bad: of *wrong
  passages* (five paragraphs of other articles, and the best sentence of those: a broken index), *another answer* (right
  paragraphs, and the sentence that answers another question), a *sentence beside* the right one, an *evasion*;
- *in other words*: the right sentence, reworded by rule. Bad: *details changed*, a number, a name or a negation;
- *short*: the gold answer. Bad: a *wrong short answer*, one that the paragraph gives to another question.

Streams are drawn from these. The monitor's own signals compare the last answers that were judged (40 or 120 an hour)
with the 1,000 before, at each answer. The weights of the measures, and the limits, were chosen on other questions
(``--tune``). "In runs" are five questions about one article in a row. Drawn traffic is as stationary as can be, which
days are not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import _perturb as perturb
from _claims import Case, cases
from _library import data
from _report import Figure, report, skip
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import load
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.encode.embedder import OpenVinoEmbedder
from mainspring.features.evaluate.ablate.vector_cache import KeptEmbedder
from mainspring.features.evaluate.sets import public
from mainspring.features.evaluate.sets.collections import Split
from mainspring.features.monitor.alerts import signals
from mainspring.features.monitor.judging.score_means import ScoreSums
from mainspring.features.monitor.settings import MonitorSettings
from mainspring.features.monitor.traffic.tally import Tally
from mainspring.rag.text import sentences, terms
from mainspring.rag.triad.live import GivenAnswer, verdict
from mainspring.statistics.curves import auroc

USUAL = {
    "wrong passages": "extracted",
    "another answer": "extracted",
    "sentence beside": "extracted",
    "evasion": "extracted",
    "details changed": "in other words",
    "wrong short answer": "short",
}
"""What is bad, and what is usual beside it."""
SHARES = (1.0, 0.25, 0.1)
WINDOWS = (40, 120)
BEFORE, LONGEST, RUN = 1000, 1000, 5
SEEDS = 60
EVASIONS = (
    "It depends on many things.",
    "That is a very good question!",
    "Please contact our support team for details.",
    "There are different views on this, and much has been written.",
)
MEASURES = ("context_relevance", "faithfulness", "answer_relevancy")


@dataclass(frozen=True, slots=True)
class Judged:
    """What an answer scores, usual or bad; ``group`` is the article of its question."""

    group: str
    kind: str
    scores: dict[str, float]


async def best(question: str, passages: Sequence[str], embedder: Any) -> str:
    """The sentence that an extractive answerer would show."""
    texts = [text[one.start : one.end] for text in passages for one in sentences.split(text) if one.kind != "heading"]
    vectors = np.asarray((await embedder.embed([question, *texts])).vectors)
    asked = terms.content(question)
    words = [terms.content(text) & asked for text in texts]
    rare = terms.rarity(asked, words)
    near = [float(one @ vectors[0]) + terms.overlap(rare, said) for one, said in zip(vectors[1:], words, strict=True)]
    return texts[int(np.argmax(near))]


async def judged(found: Sequence[Case], groups: dict[str, str], embedder: Any) -> tuple[list[Judged], int]:
    """The verdicts on all answers, usual and bad, and how many extracted ones hold the gold answer."""
    made: list[Judged] = []
    extracted = [await best(case.question, [case.paragraph, *case.near], embedder) for case in found]
    right = sum(case.answer in text for case, text in zip(found, extracted, strict=True))
    chosen = random.Random(5)
    for number, case in enumerate(found):
        group, own = groups[case.paragraph], [case.paragraph, *case.near]
        others = [each for each in found if groups[each.paragraph] != group]
        away = [each.paragraph for each in chosen.sample(others, 5)]
        reworded = perturb.reworded(case.sentence)
        rows = {
            "extracted": (extracted[number], own),
            "wrong passages": (await best(case.question, away, embedder), away),
            "another answer": (chosen.choice(others).sentence, own),
            "sentence beside": (case.beside, own),
            "evasion": (EVASIONS[number % len(EVASIONS)], own),
            "in other words": (reworded, own),
            "details changed": (changed(reworded, own, chosen), own),
            "short": (case.answer, own),
            "wrong short answer": (case.other_answer, own),
        }
        for kind, (answer, passages) in rows.items():
            if answer:
                told = await verdict(GivenAnswer(case.question, answer, passages), embedder)
                made.append(Judged(group, kind, dict(told.scores)))
    return made, right


def changed(text: str, passages: Sequence[str], chosen: random.Random) -> str | None:
    """``text`` with one detail made wrong; None where it has none that rules know how to change."""
    ways = (
        perturb.number_changed(text, chosen),
        perturb.name_changed(text, perturb.names(" ".join(passages)), chosen),
        perturb.negated(text),
    )
    possible = [each for each in ways if each and each != text]
    return chosen.choice(possible) if possible else None


def separated(rows: Sequence[Judged]) -> dict[str, Figure]:
    """What each measure is worth for a single answer."""
    figures = {}
    for kind, usually in USUAL.items():
        for measure in MEASURES:
            usual, bad = (
                [each.scores[measure] for each in rows if each.kind == of and measure in each.scores]
                for of in (usually, kind)
            )
            if len(bad) > 1:
                estimate = auroc(usual, bad)
                against = f"95 % [{estimate.low:.3f}, {estimate.high:.3f}]; means {statistics.fmean(usual):.2f}"
                against += f" and {statistics.fmean(bad):.2f}"
                figures[f"one answer, {measure}: {kind}"] = Figure(estimate.value, "AUROC", "higher", against=against)
    return figures


class Stream:
    """Scores as they come, with sums that give any stretch of them at once."""

    def __init__(self, rows: Sequence[Judged]) -> None:
        self._sums = {name: np.zeros((len(rows) + 1, 3), np.int64) for name in MEASURES}
        for name, sums in self._sums.items():
            for place, row in enumerate(rows):
                one = ScoreSums()
                if name in row.scores:
                    one.add(row.scores[name])
                sums[place + 1] = sums[place] + one.plain()

    def tally(self, begin: int, end: int) -> Tally:
        made = Tally()
        made.scores = {(name, "j"): ScoreSums(*map(int, sums[end] - sums[begin])) for name, sums in self._sums.items()}
        return made


def looked(stream: Stream, end: int, window: int, settings: MonitorSettings) -> tuple[bool, bool]:
    """Whether some measure is told to have dropped at that answer, and whether all are right (which is more than not
    dropped: an alert that is open ends with it)."""
    now, before = stream.tally(end - window, end), stream.tally(end - window - BEFORE, end - window)
    found = signals.quality(now, before, settings.quality, settings.least, settings.baseline_least)
    return any(each.wrong for each in found), all(each.right for each in found)


def drawn(rows: Sequence[Judged], chosen: random.Random, count: int, run: int) -> list[Judged]:
    """So many of ``rows``, each independently, or so many in a row of one article."""
    if run == 1:
        return chosen.choices(rows, k=count)
    groups: dict[str, list[Judged]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    found: list[Judged] = []
    while len(found) < count:
        # An article comes as often as its questions do.
        found += chosen.choices(groups[chosen.choice(rows).group], k=run)
    return found[:count]


def false_alarms(usual: Sequence[Judged], window: int, run: int, settings: MonitorSettings, seeds: range) -> float:
    """Alerts in a thousand judged answers that stay as they are."""
    alarms = looks = 0
    for seed in seeds:
        stream = Stream(drawn(usual, random.Random(seed), BEFORE + window + LONGEST, run))
        alert = False
        for end in range(BEFORE + window, BEFORE + window + LONGEST + 1):
            wrong, right = looked(stream, end, window, settings)
            alarms += wrong and not alert
            alert = wrong or (alert and not right)
            looks += 1
    return 1000 * alarms / looks


def delays(
    rows: Sequence[Judged], kind: str, share: float, window: int, settings: MonitorSettings, seeds: range
) -> list[int | None]:
    """Judged answers from the drop to the first alarm; None: none within ``LONGEST``."""
    usual, bad = ([row for row in rows if row.kind == of] for of in (USUAL[kind], kind))
    found: list[int | None] = []
    for seed in seeds:
        chosen = random.Random(10_000 + seed)
        changed = [chosen.choice(bad if chosen.random() < share else usual) for _ in range(LONGEST)]
        begin = BEFORE + window
        stream = Stream([*chosen.choices(usual, k=begin), *changed])
        ends = range(begin + 1, begin + LONGEST + 1)
        found.append(next((end - begin for end in ends if looked(stream, end, window, settings)[0]), None))
    return found


def figure(found: Sequence[int | None]) -> Figure:
    """How soon it is seen, or how often where that is less than half of the time."""
    share = sum(each is not None for each in found) / len(found)
    delay = statistics.median([float("inf") if each is None else each for each in found])
    if delay == float("inf"):
        return Figure(share, "share", "higher", against=f"runs that see it within {LONGEST}")
    return Figure(delay, "answers", "lower", against=f"median; {share:.0%} see it within {LONGEST}")


async def cost(found: Sequence[Case], embedder: OpenVinoEmbedder) -> Figure:
    """CPU time of a verdict of which nothing is known beforehand."""
    await verdict(GivenAnswer(found[0].question, found[0].sentence, [found[0].paragraph]), embedder)
    began = time.process_time()
    for case in found:
        await verdict(GivenAnswer(case.question, case.sentence, [case.paragraph, *case.near]), embedder)
    spent = 1e3 * (time.process_time() - began) / len(found)
    return Figure(spent, "CPU ms", "lower", against=f"five paragraphs and a sentence, {len(found)} answers")


async def measured(split: Split, questions: int, keep: Path) -> tuple[list[Judged], dict[str, Figure]]:
    """The verdicts of one half, and what they tell of single answers."""
    kept = keep / f"judging-{split}-{questions}.json"
    if kept.exists():
        read = json.loads(kept.read_text(encoding="utf-8"))
        return [Judged(**row) for row in read["rows"]], {name: Figure(**each) for name, each in read["figures"].items()}
    settings = load().settings
    try:
        pulled = Puller(settings).local(settings.models.embedding)
    except ModelNotPulled as error:
        skip(str(error))
    embedder = OpenVinoEmbedder(pulled, settings.engines.threads)
    try:
        folder = data("").resolve()
        found, _ = cases(folder, split, questions)
        groups = {
            each["context"]: article["title"] for article in public.articles(folder) for each in article["paragraphs"]
        }
        figures = {"cost of a judged answer": await cost(found[:40], embedder)}
        rows, right = await judged(found, groups, KeptEmbedder(embedder, keep))
    finally:
        await embedder.close()
    figures["extracted answers that hold the gold one"] = Figure(
        right / len(found), "share", "higher", against=f"{len(found)} questions"
    )
    kept.write_text(
        json.dumps(
            {"rows": [asdict(row) for row in rows], "figures": {n: asdict(each) for n, each in figures.items()}}
        ),
        encoding="utf-8",
    )
    return rows, figures


def sorts(rows: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The usual answers, by sort."""
    return {name: [row for row in rows if row.kind == name] for name in dict.fromkeys(USUAL.values())}


def tune(rows: Sequence[Judged]) -> None:
    """What other limits would do, on the half that limits are chosen on."""
    for row, each in separated(rows).items():
        print(f"  {row}: {each.value:.3f} ({each.against})")
    for spreads, less in ((3.0, 0.1), (3.5, 0.1), (4.0, 0.1), (4.0, 0.05)):
        signals.SCORE_SPREADS = spreads
        settings = MonitorSettings.model_validate({"quality": {"less": less}})
        print(f"spreads {spreads}, less {less}")
        for window in WINDOWS:
            for name, usual in sorts(rows).items():
                rates = [false_alarms(usual, window, run, settings, range(20)) for run in (1, RUN)]
                print(f"  {window} {name}: false {rates[0]:.2f}, in runs {rates[1]:.2f}", flush=True)
            for kind in USUAL:
                seen = [figure(delays(rows, kind, share, window, settings, range(9))) for share in (1.0, 0.25)]
                print(f"  {window} {kind}: {', '.join(f'{each.value:.3g} {each.unit}' for each in seen)}", flush=True)


async def main(arguments: argparse.Namespace) -> None:
    if arguments.tune:
        rows, _ = await measured("development", arguments.questions, arguments.keep)
        tune(rows)
        return
    rows, figures = await measured("reported", arguments.questions, arguments.keep)
    figures |= separated(rows)
    settings = MonitorSettings()
    for window in WINDOWS:
        for run, said in ((1, "independent"), (RUN, "in runs")):
            for name, usual in sorts(rows).items():
                rate = false_alarms(usual, window, run, settings, range(SEEDS))
                figures[f"{window} an hour, {name}: false alarms, {said}"] = Figure(rate, "/1,000 answers", "lower")
        for kind in USUAL:
            for share in SHARES:
                found = delays(rows, kind, share, window, settings, range(SEEDS // 2))
                figures[f"{window} an hour: {share:.0%} {kind}"] = figure(found)
    report("judging", figures)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Judged answers: false alarms and delays")
    parser.add_argument("--tune", action="store_true", help="other limits on the development half, printed only")
    parser.add_argument("--questions", type=int, default=160)
    parser.add_argument("--keep", type=Path, help="folder of vectors and verdicts")
    given = parser.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(main(given)))
    with tempfile.TemporaryDirectory() as folder:
        given.keep = Path(folder)
        asyncio.run(main(given))
