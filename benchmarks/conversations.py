"""What is found of attacks over several turns, and how often ordinary conversations are taken for one.

    MAINSPRING_DATA=... python benchmarks/conversations.py

"Each turn by itself" is what the rules and the detector `injection` find in any one message; "together" adds what
`guards.untrusted.turns` does: the rules over the whole conversation and over pieces put together, and the detector
`conversation` over four neighbouring turns. A conversation counts as a whole, over all its turns. Which conversations
were fitted on, and which are reported here, says ``benchmarks/_talks.py``. Writes
``benchmarks/results/conversations.json``.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import _talks
from _detectors import Sets
from _report import Figure, data_sets, report
from fit_detectors import Vectors, worst
from mainspring.engines import builtin
from mainspring.guards import detector, injection, turns
from mainspring.settings import Settings, load

Found = NDArray[np.bool_]


def judged(talks: Sequence[Sequence[str]], vectors: Vectors) -> tuple[Found, Found]:
    """Which of ``talks`` are found by a turn of theirs, and which by their turns together."""
    heads = detector.packaged().heads
    single, several = heads["injection"], heads["conversation"]
    scores: list[dict[str, float]] = []
    for head, texts in (
        (single, [turn for talk in talks for turn in talk]),
        (several, [text for talk in talks for text in _talks.texts(talk)]),
    ):
        unique = list(dict.fromkeys(texts))
        scores.append(dict(zip(unique, worst(vectors.of(unique), head.weights, head.bias), strict=True)))
    each, together = [], []
    for talk in talks:
        heard = turns.heard(talk)
        whole = ["\n".join(heard), *turns.put_together(heard)]
        each.append(any(injection.scan(turn) or scores[0][turn] >= single.threshold for turn in talk))
        together.append(
            any(injection.scan(text) for text in whole)
            or any(scores[1][text] >= several.threshold for text in _talks.texts(talk))
        )
    return np.array(each), np.array(together)


def figures_of(sets: Sets, vectors: Vectors) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    kinds: list[tuple[str, Literal["higher", "lower"], list[tuple[str, list[_talks.Talk]]]]] = [
        ("found", "higher", list(_talks.attacked(sets))),
        ("false alarms", "lower", list(_talks.innocent(sets))),
    ]
    for kind, better, named in kinds:
        for name, talks in named:
            each, together = judged(talks, vectors)
            told = f"{len(talks)} conversations"
            floor = 0.05 if "bookings" in name or "article" in name or "dialogues" in name else None
            figures[f"{kind}, each turn by itself: {name}"] = Figure(float(each.mean()), "share", better, against=told)
            figures[f"{kind}, and together: {name}"] = Figure(
                float((each | together).mean()), "share", better, floor, against=told
            )
    return figures


async def cost(settings: Settings, sets: Sets) -> dict[str, Figure]:
    """Medians: the rules over a conversation, and the detector for the one window that is new."""
    talks = _talks.dialogues(sets.data, of=False) or _talks.asked(sets.data, of=False)
    said = [turn for talk in talks for turn in talk]
    heads, embedder = detector.packaged(), await builtin.embedder(settings)
    names = list(heads.heads)
    figures: dict[str, Figure] = {}
    try:
        for long in (4, 32):
            ruled, scored = [], []
            for number in range(41):
                talk = turns.heard(said[number * 32 : number * 32 + long])
                began = time.perf_counter()
                for text in ["\n".join(talk), *turns.put_together(talk)]:
                    injection.scan(text)
                ruled.append((time.perf_counter() - began) * 1e3)
                began = time.perf_counter()
                await detector.score(turns.windows(talk, _talks.TURNS)[-1:], heads, names, embedder)
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
