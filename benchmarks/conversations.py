"""The detection rate of attacks over several turns, and the rate of false alarms on ordinary conversations.

    MAINSPRING_DATA=... python benchmarks/conversations.py

"Each turn by itself" is what the rules and the detector `injection` find in any one message; "together" adds what
`guards.untrusted.turns` does: the rules over the whole conversation and over pieces put together, and the detector
`conversation` over four neighbouring turns, at its shipped threshold and at others (`conversation_above`). A
conversation counts as a whole, over all its turns. AUROC, and what is found at 1 % false alarms, are of the detector
alone, against all innocent conversations that do not resemble attacks. Intervals are Wilson's, 95 %.
``benchmarks/_talks.py`` says which conversations were used for fitting, and which are reported here. Writes
``benchmarks/results/conversations.json``.
"""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import _talks
from _detectors import Sets
from _report import Figure, data_sets, report
from fit_detectors import Vectors, auroc, worst
from mainspring.core.settings import Settings, load
from mainspring.engines import builtin
from mainspring.guards.detect import conversation, embedding_detector, injection

Found = NDArray[np.bool_]
Scores = NDArray[np.float64]
ABOVE = (0.65, 0.5)
"""Other thresholds than the shipped one."""


def judged(talks: Sequence[Sequence[str]], vectors: Vectors) -> tuple[Found, Found, Scores]:
    """Which of ``talks`` are found by a turn of theirs, which by the rules about all of it, and how much the detector
    takes its turns together for an attack."""
    heads = embedding_detector.packaged().heads
    single, several = heads["injection"], heads["conversation"]
    scores: list[dict[str, float]] = []
    for head, texts in (
        (single, [turn for talk in talks for turn in talk]),
        (several, [text for talk in talks for text in _talks.texts(talk)]),
    ):
        unique = list(dict.fromkeys(texts))
        scores.append(dict(zip(unique, worst(vectors.of(unique), head.weights, head.bias), strict=True)))
    each, ruled = [], []
    for talk in talks:
        heard = conversation.heard(talk)
        whole = ["\n".join(heard), *conversation.put_together(heard)]
        each.append(any(injection.scan(turn) or scores[0][turn] >= single.threshold for turn in talk))
        ruled.append(any(injection.scan(text) for text in whole))
    together = [max((scores[1][text] for text in _talks.texts(talk)), default=0.0) for talk in talks]
    return np.array(each), np.array(ruled), np.array(together)


def share(found: Found, better: Literal["higher", "lower"], floor: float | None = None) -> Figure:
    """The share of conversations that are found, with its interval."""
    count, mean, z = len(found), float(found.mean()), 1.96
    middle, spread = mean + z * z / (2 * count), z * math.sqrt(mean * (1 - mean) / count + (z / (2 * count)) ** 2)
    low, high = ((middle + sign * spread) / (1 + z * z / count) for sign in (-1, 1))
    told = f"{count} conversations, {max(0.0, low):.3f} to {min(1.0, high):.3f}"
    return Figure(mean, "share", better, floor, against=told)


def figures_of(sets: Sets, vectors: Vectors) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    kinds: list[tuple[str, Literal["higher", "lower"], list[tuple[str, list[_talks.Talk]]]]] = [
        ("found", "higher", list(_talks.attacked(sets))),
        ("false alarms", "lower", list(_talks.innocent(sets))),
    ]
    shipped = embedding_detector.packaged().heads["conversation"].threshold
    seen: dict[str, dict[str, Scores]] = {"found": {}, "false alarms": {}}
    for kind, better, named in kinds:
        for name, talks in named:
            if not talks:
                continue
            each, ruled, scores = judged(talks, vectors)
            seen[kind][name] = scores
            ordinary = kind == "false alarms" and "look-alikes" not in name
            figures[f"{kind}, each turn by itself: {name}"] = share(each, better)
            for above in (shipped, *ABOVE):
                label = "and together" if above == shipped else f"conversation_above {above}"
                floor = 0.05 if ordinary and above == shipped else None
                figures[f"{kind}, {label}: {name}"] = share(each | ruled | (scores >= above), better, floor)
    innocent = np.concatenate([found for name, found in seen["false alarms"].items() if "look-alikes" not in name])
    least = np.quantile(innocent, 0.99)
    for name, scores in seen["found"].items():
        told = f"{len(scores)} against {len(innocent)} conversations"
        figures[f"detector alone, AUROC: {name}"] = Figure(auroc(scores, innocent), "share", "higher", against=told)
        figures[f"detector alone, found at 1 % false alarms: {name}"] = share(scores > least, "higher")
    return figures


async def cost(settings: Settings, sets: Sets) -> dict[str, Figure]:
    """Medians: the rules over a conversation, and the detector for the one window that is new."""
    talks = _talks.dialogues(sets.data, of=False) or _talks.asked(sets.data, of=False)
    said = [turn for talk in talks for turn in talk]
    heads, embedder = embedding_detector.packaged(), await builtin.embedder(settings)
    names = list(heads.heads)
    figures: dict[str, Figure] = {}
    try:
        for long in (4, 32):
            ruled, scored = [], []
            for number in range(41):
                talk = conversation.heard(said[number * 32 : number * 32 + long])
                began = time.perf_counter()
                for text in ["\n".join(talk), *conversation.put_together(talk)]:
                    injection.scan(text)
                ruled.append((time.perf_counter() - began) * 1e3)
                began = time.perf_counter()
                await embedding_detector.score(conversation.windows(talk, _talks.TURNS)[-1:], heads, names, embedder)
                scored.append((time.perf_counter() - began) * 1e3)
            for name, times in (("rules", ruled), ("detector, the newest turns", scored)):
                figures[f"added p50, {name}, {long} turns"] = Figure(
                    statistics.median(times), "ms", "lower", against="41 conversations"
                )
    finally:
        await embedder.close()
    return figures


def main() -> None:
    root = data_sets()
    settings, sets = load().settings, Sets(root)
    figures = figures_of(sets, Vectors(settings))
    figures |= asyncio.run(cost(settings, sets))
    report("conversations", figures)


if __name__ == "__main__":
    main()
