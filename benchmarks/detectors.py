"""The fitted detectors on sets that no fit and no threshold has seen: detection rate, error rate, and cost.

    MAINSPRING_DATA=... python benchmarks/detectors.py

The packaged heads are judged as they are shipped, beside the rules and beside TF-IDF with logistic regression on the
same fitting texts (its threshold chosen in the same way). "AUROC" and "found at 1 % false alarms" are against all
innocent reported texts of the detector together; "found" is at the shipped threshold. `benchmarks/fit_detectors.py`
fits, `benchmarks/_detectors.py` says what is on which side.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from _detectors import Report, Sets, Task, digest, reports, tasks
from _report import Figure, data_sets, report
from _tfidf import Linear
from fit_detectors import ALIKE, FOLDS, PROMISED, SURE, Vectors, auroc, threshold, worst
from mainspring.core.settings import Settings, load
from mainspring.engines import builtin
from mainspring.guards.detect import embedding_detector, injection, pii
from mainspring.guards.detect.leak import LeakRedactor, Prompt
from mainspring.guards.policy.output import PieceFilter
from mainspring.guards.rewrite.links import AllowedLinks, LinkRedactor
from mainspring.guards.rewrite.stream import StreamRedactor

Floats = NDArray[np.float64]
COMPARED = ("injection", "toxicity")
SHORT = "How long do I have to return a grinder that I ordered online, and who pays for the parcel?"


def judged(name: str, texts: Sequence[str], vectors: Vectors) -> Floats:
    """The packaged head's probability of each text."""
    head = embedding_detector.packaged().heads[name]
    bags = vectors.of(texts, embedding_detector.pieces if name == "indirect" else embedding_detector.windows)
    return worst(bags, head.weights, head.bias)


def figures_of(name: str, sets: Sequence[Report], vectors: Vectors, task: Task) -> dict[str, Figure]:
    """What one head finds, and where it errs."""
    scores = {each.name: judged(name, each.texts, vectors) for each in sets if each.texts}
    positive = {each.name: each.positive for each in sets}
    # A category's two sides bear one name.
    if len(positive) < len(sets):
        return category(name, sets, vectors)
    innocent = np.concatenate([found for label, found in scores.items() if not positive[label]])
    cut = embedding_detector.packaged().heads[name].threshold
    strict = float(np.quantile(innocent, 0.99))
    figures: dict[str, Figure] = {}
    for each in sets:
        found = scores[each.name]
        count = f"{len(each.texts)} texts"
        if each.positive:
            figures[f"{name}: AUROC, {each.name}"] = Figure(auroc(found, innocent), "", "higher", against=count)
            share = float((found > strict).mean())
            figures[f"{name}: found at 1 % false alarms, {each.name}"] = Figure(share, "share", "higher", against=count)
        kind, better = told(each)
        floor = 0.05 if any(mark in each.name for mark in ("NotInject", "XSTest")) else None
        label = f"{name}: {kind}, {each.name}"
        figures[label] = Figure(float((found >= cut).mean()), "share", better, floor, against=count)
    if name in COMPARED:
        figures |= compared(name, sets, task, {label: found >= cut for label, found in scores.items()})
    return figures


def told(each: Report) -> tuple[str, Literal["higher", "lower"]]:
    """What a share of its texts above the threshold is, and whether more is better."""
    return ("found", "higher") if each.positive else ("false alarms", "lower")


def category(name: str, sets: Sequence[Report], vectors: Vectors) -> dict[str, Figure]:
    """A category of moderation: the labelled texts of the other half against the rest of it."""
    yes, no = (
        judged(name, next(each.texts for each in sets if each.positive is side), vectors) for side in (True, False)
    )
    cut = embedding_detector.packaged().heads[name].threshold
    count = f"{len(yes)} of {len(yes) + len(no)} texts"
    return {
        f"{name}: AUROC, moderation set": Figure(auroc(yes, no), "", "higher", against=count),
        f"{name}: found, moderation set": Figure(float((yes >= cut).mean()), "share", "higher", against=count),
        f"{name}: false alarms, moderation set": Figure(float((no >= cut).mean()), "share", "lower", against=count),
    }


def compared(
    name: str, sets: Sequence[Report], task: Task, detected: dict[str, NDArray[np.bool_]]
) -> dict[str, Figure]:
    """The rules alone, the rules and the detector together, and TF-IDF."""
    texts = list(dict.fromkeys([*task.positives, *task.negatives]))
    wanted, alike = set(task.positives), set(task.alike) - set(task.positives)
    labels = np.array([float(text in wanted) for text in texts])
    like = np.array([text in alike for text in texts])
    folds = np.array([int(digest(text[:24]), 16) % FOLDS for text in texts])
    held = np.zeros(len(texts))
    for fold in range(FOLDS):
        seen = [text for text, each in zip(texts, folds, strict=True) if each != fold]
        unseen = [text for text, each in zip(texts, folds, strict=True) if each == fold]
        held[folds == fold] = Linear(seen, labels[folds != fold]).scores(unseen)
    cut = threshold(held[like], held[(labels == 0) & ~like], SURE if name in PROMISED else None)
    linear = Linear(texts, labels)
    scores = {each.name: linear.scores(each.texts) for each in sets}
    innocent = np.concatenate([scores[each.name] for each in sets if not each.positive])
    strict = float(np.quantile(innocent, 0.99))
    figures: dict[str, Figure] = {}
    for each in sets:
        found = scores[each.name]
        kind, better = told(each)
        if each.positive:
            figures[f"TF-IDF {name}: AUROC, {each.name}"] = Figure(auroc(found, innocent), "", "higher")
            share = float((found > strict).mean())
            figures[f"TF-IDF {name}: found at 1 % false alarms, {each.name}"] = Figure(share, "share", "higher")
        figures[f"TF-IDF {name}: {kind}, {each.name}"] = Figure(float((found >= cut).mean()), "share", better)
        if name == "injection":
            ruled = np.array([bool(injection.scan(text)) for text in each.texts])
            both = ruled | detected[each.name]
            figures[f"rules alone: {kind}, {each.name}"] = Figure(float(ruled.mean()), "share", better)
            floor = ALIKE if any(mark in each.name for mark in ("NotInject", "XSTest")) else None
            label = f"rules and detector: {kind}, {each.name}"
            figures[label] = Figure(float(both.mean()), "share", better, floor, against=f"{len(each.texts)} texts")
    return figures


async def latency(settings: Settings, paragraphs: Sequence[str]) -> dict[str, Figure]:
    """Medians of many turns, milliseconds a request that has one such message; microseconds a streamed piece."""
    heads = embedding_detector.packaged()
    long = "\n".join(paragraphs)[:4000]
    figures: dict[str, Figure] = {}
    embedder = await builtin.embedder(settings)
    names = list(heads.heads)
    try:
        for label, text in (("90 characters", SHORT), ("4,000 characters", long)):
            for what, work in (("injection rules", injection.scan), ("PII search", pii.find)):
                figures[f"added p50, {what}, {label}"] = Figure(median(lambda w=work, t=text: w(t)), "ms", "lower")  # type: ignore[misc]
            times = []
            for turn in range(60):
                begin = time.perf_counter()
                await embedding_detector.score([f"{turn} {text}"], heads, names, embedder)
                times.append((time.perf_counter() - begin) * 1e3)
            figures[f"added p50, detectors, {label}"] = Figure(
                statistics.median(times), "ms", "lower", against="60 turns"
            )
    finally:
        await embedder.close()
    pieces = [long[index : index + 4] for index in range(0, len(long), 4)]
    prompt = Prompt([f"You are the assistant of a shop. {SHORT} " * 4])
    makers: dict[str, Callable[[], PieceFilter]] = {
        "personal data": StreamRedactor,
        "prompt leak": lambda: LeakRedactor(prompt),
        "links": lambda: LinkRedactor(AllowedLinks()),
    }
    for label, make in makers.items():
        figures[f"streamed: {label}"] = Figure(streamed(make, pieces), "us/piece of 4 characters", "lower")
    return figures


def median(work: Callable[[], object], turns: int = 41) -> float:
    times = []
    for _ in range(turns):
        begin = time.perf_counter()
        work()
        times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def streamed(make: Callable[[], PieceFilter], pieces: Sequence[str]) -> float:
    def run() -> None:
        redactor = make()
        for piece in pieces:
            redactor.push(piece)
        redactor.flush()

    return median(run, 15) * 1e3 / len(pieces)


def main() -> None:
    root = data_sets()
    settings = load().settings
    sets = Sets(root)
    vectors = Vectors(settings)
    learnt = {task.name: task for task in tasks(sets)}
    every = reports(sets)
    figures: dict[str, Figure] = {}
    for name in learnt:
        figures |= figures_of(name, [each for each in every if each.head == name], vectors, learnt[name])
    figures |= asyncio.run(latency(settings, sets.paragraphs))
    report("detectors", figures)


if __name__ == "__main__":
    main()
