"""Detects changes of the traffic: questions, retrieval, answers, guard findings.

Each feature of a current window is compared with the reference before it. A change is reported if its effect is large
and chance explains it no more often than the settings allow. Both conditions are needed: with many requests, chance
does not explain even the smallest difference.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mainspring.features.monitor.alerts.signals import CLEAR, Signal
from mainspring.features.monitor.settings import DriftSettings
from mainspring.features.monitor.traffic.statistics import (
    Floats,
    Tested,
    binned,
    counts_of,
    kolmogorov_smirnov,
    mean_shift,
    psi,
)
from mainspring.features.monitor.traffic.tally import Tally

NUMERIC = ("input", "output", "score", "evidence")
"""Compared sketches: tokens of prompts and answers, the best cosine found, the evidence."""
SHIFT = 8.0
"""The ``mean_shift`` at which questions count as different: see ``benchmarks/drift.py``."""
FEWEST_BLOCKS = 4
MOST_BLOCKS = 60


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of an application's traffic: the value of ``statistic`` against its ``limit``."""

    name: str
    statistic: str
    value: float
    limit: float
    reference: int
    current: int

    @property
    def drifted(self) -> bool:
        return self.value > self.limit


def compare(reference: Tally, current: Tally, settings: DriftSettings, embedder: str = "") -> list[Feature]:
    """All features with enough data on both sides."""
    found: list[Feature] = []
    for name in NUMERIC:
        found += numeric(name, reference, current, settings)
    found += [
        feature
        for name, before, after in _categories(reference, current)
        if (feature := categorical(name, before, after, settings)) is not None
    ]
    if (shift := inputs(blocks(reference, embedder), blocks(current, embedder), settings)) is not None:
        found.append(shift)
    return found


def numeric(name: str, reference: Tally, current: Tally, settings: DriftSettings) -> list[Feature]:
    """Compares by both statistics: PSI sees spread, KS sees shifts."""
    before, after = reference.sketch(name), current.sketch(name)
    n, m = before.total, after.total
    if n < settings.reference_least or m < settings.least:
        return []
    moved = kolmogorov_smirnov(before, after, settings.p_value)
    spread = psi(*binned(before, after), settings.p_value)
    return [
        Feature(name, "ks", moved.value, max(settings.ks, moved.by_chance), n, m),
        Feature(name, "psi", spread.value, max(settings.psi, spread.by_chance), n, m),
    ]


def categorical(name: str, before: Sequence[int], after: Sequence[int], settings: DriftSettings) -> Feature | None:
    """Compares counts by category, by PSI."""
    n, m = sum(before), sum(after)
    if len(before) < 2 or n < settings.reference_least or m < settings.least:
        return None
    tested: Tested = psi(before, after, settings.p_value)
    return Feature(name, "psi", tested.value, max(settings.psi, tested.by_chance), n, m)


def inputs(before: Floats, after: Floats, settings: DriftSettings) -> Feature | None:
    """For the mean vectors of blocks of questions."""
    if len(before) < max(FEWEST_BLOCKS, settings.reference_least // settings.block) or len(after) < FEWEST_BLOCKS:
        return None
    before, after = _thinned(before, MOST_BLOCKS), after[-MOST_BLOCKS:]
    value = mean_shift(before, after)
    return Feature("questions", "shift", value, SHIFT, len(before) * settings.block, len(after) * settings.block)


def signals(features: Sequence[Feature]) -> list[Signal]:
    """A signal for each feature; a numeric one fires if both statistics do."""
    by_name: dict[str, list[Feature]] = {}
    for feature in features:
        by_name.setdefault(feature.name, []).append(feature)
    found = []
    for name, of in by_name.items():
        # The one that is least beyond its limit decides.
        shown = min(of, key=lambda each: each.value / each.limit)
        wrong = all(each.drifted for each in of)
        right = any(each.value < CLEAR * each.limit for each in of)
        found.append(Signal(f"{name} {shown.statistic}", shown.value, shown.limit, "", shown.current, wrong, right))
    return found


def packed(vectors: Floats, embedder: str) -> str:
    """The mean of the vectors of a block of questions, to be kept with the counts."""
    mean = np.asarray(vectors, np.float32).mean(axis=0).astype(np.float16)
    return f"{embedder}:{base64.b64encode(mean.tobytes()).decode()}"


def blocks(tally: Tally, embedder: str) -> Floats:
    """The mean vectors that were made by this embedder, (blocks, dimensions)."""
    kept = [block.removeprefix(f"{embedder}:") for block in tally.blocks if block.startswith(f"{embedder}:")]
    if not kept:
        return np.zeros((0, 0), np.float32)
    return np.stack([np.frombuffer(base64.b64decode(each), np.float16) for each in kept]).astype(np.float32)


def _categories(reference: Tally, current: Tally) -> list[tuple[str, list[int], list[int]]]:
    finish = counts_of(reference.named("finish|"), current.named("finish|"))
    guards = counts_of(_guarded(reference), _guarded(current))
    refused = (_answered(reference), _answered(current))
    return [("finish", *finish), ("guards", *guards), ("unanswered", *refused)]


def _answered(tally: Tally) -> list[int]:
    return [tally.counts["unanswered"], tally.counts["retrievals"] - tally.counts["unanswered"]]


def _guarded(tally: Tally) -> dict[str, int]:
    """Findings by guard and kind, and the requests without (as if each had one at most)."""
    found: dict[str, int] = {}
    for name, count in tally.named("guard|").items():
        guard, _, kind, stage, _ = (*name.split("|"), "", "", "", "")[:5]
        found[f"{guard}|{kind}|{stage}"] = found.get(f"{guard}|{kind}|{stage}", 0) + count
    found["none"] = max(0, tally.requests + tally.counts["guard_refused"] - sum(found.values()))
    return found


def _thinned(rows: Floats, most: int) -> Floats:
    """Maximum number of rows, sampled evenly over time."""
    if len(rows) <= most:
        return rows
    chosen: Floats = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    return chosen
