"""Fit the packaged detectors and write ``src/mainspring/guards/detect/detectors.json``.

    MAINSPRING_DATA=... python benchmarks/fit_detectors.py [--only conversation]

Nothing that ``benchmarks/detectors.py`` reports is read here but to leave out what resembles it. Thresholds come from
predictions for texts that the fold's fit had not seen: at most ``ALIKE`` of the innocent look-alikes of the fitting
side and ``ORDINARY`` of the other innocent texts are above them. For ``PROMISED`` ones so few of the look-alikes are
that, with ``SURE`` confidence, no more than ``ALIKE`` of all such texts would be: a threshold with just ``ALIKE`` of
one sample above it breaks its promise on every second other one.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _talks
from _detectors import Sets, Task, digest, tasks
from _report import data_sets
from mainspring.core.settings import Settings, load
from mainspring.engines import builtin
from mainspring.guards.detect import embedding_detector

TARGET = Path(embedding_detector.__file__).with_name("detectors.json")
ALIKE, ORDINARY, SURE = 0.05, 0.01, 0.95
PROMISED = ("injection", "conversation")
"""Detectors whose promise is kept with that confidence; those of the others are kept in the sample. (With it, and for
whole e-mails, `indirect` found 8 to 22 % of what was held out: e-mails do ask their readers for things.)"""
RIDGES = (0.3, 1.0, 3.0, 10.0)
FOLDS = 5
ROUNDS = 3
Floats = NDArray[np.float64]


class Vectors:
    """Embeds windows with the embedder that serves, each once; kept in a file where one is named."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known: dict[str, Any] = {}
        self.name = settings.models.embedding
        kept = os.environ.get("DETECTOR_VECTORS", "")
        self._kept = Path(kept) if kept else None
        if self._kept is not None and self._kept.exists():
            with np.load(self._kept) as held:
                self._known = dict(zip(held["keys"].tolist(), held["rows"], strict=True))

    def of(self, texts: Sequence[str], cut: Callable[[str], list[str]] = embedding_detector.windows) -> list[Any]:
        """Float32 of shape (windows, dimensions) for each of ``texts``."""
        parts = [cut(text) or ["-"] for text in texts]
        missing = list(dict.fromkeys(w for part in parts for w in part if digest(w) not in self._known))
        if missing:
            for window, row in zip(missing, asyncio.run(self._embed(missing)), strict=True):
                self._known[digest(window)] = row
            if self._kept is not None:
                np.savez(self._kept, keys=np.array(list(self._known)), rows=np.array(list(self._known.values())))
        return [np.array([self._known[digest(window)] for window in part]) for part in parts]

    async def _embed(self, windows: list[str]) -> Any:
        embedder = await builtin.embedder(self._settings)
        try:
            print(f"embedding {len(windows)} windows", flush=True)
            rows = []
            for start in range(0, len(windows), 512):
                rows.append((await embedder.embed(windows[start : start + 512], "passage")).vectors)
            return np.vstack(rows)
        finally:
            await embedder.close()


def fit(bags: Sequence[Any], labels: Floats, ridge: float) -> tuple[Floats, float]:
    """(weights, bias) for bags of windows: a positive bag counts by the two of its windows that look worst to the round
    before, a negative one by all of them. Both classes weigh the same, and each bag within its class."""
    chosen = [np.arange(len(bag)) for bag in bags]
    found: tuple[Floats, float] = (np.zeros(bags[0].shape[1]), 0.0)
    for turn in range(ROUNDS):
        if turn:
            for index, bag in enumerate(bags):
                if labels[index] and len(bag) > 2:
                    chosen[index] = np.argsort(bag @ found[0])[-2:]
        rows = np.vstack([bag[pick] for bag, pick in zip(bags, chosen, strict=True)]).astype(np.float64)
        targets = np.repeat(labels, [len(pick) for pick in chosen])
        shares = np.concatenate([np.full(len(pick), 1 / len(pick)) for pick in chosen])
        shares *= np.where(targets == 1, 0.5 / labels.sum(), 0.5 / (1 - labels).sum()) * len(bags)
        found = newton(rows, targets, shares, ridge)
    return found


def newton(rows: Floats, labels: Floats, shares: Floats, ridge: float) -> tuple[Floats, float]:
    """Weighted logistic regression under a Gaussian prior of precision ``ridge``."""
    design = np.hstack([rows, np.ones((len(rows), 1))])
    penalty = np.append(np.full(rows.shape[1], ridge), 1e-6)
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        chances = embedding_detector.sigmoid(design @ weights)
        slope = design.T @ (shares * (chances - labels)) + penalty * weights
        bend = (design * (shares * chances * (1 - chances))[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-7:
            break
    return weights[:-1], float(weights[-1])


def worst(bags: Sequence[Any], weights: Floats, bias: float) -> Floats:
    """The probability of each bag's worst window."""
    return np.array([float(embedding_detector.sigmoid((bag @ weights + bias).max())) for bag in bags])


def auroc(positives: Floats, negatives: Floats) -> float:
    """The chance that a positive scores above a negative; ties count half."""
    both = np.concatenate([positives, negatives])
    _, places, counts = np.unique(both, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(above / (len(positives) * len(negatives)))


def threshold(alike: Floats, others: Floats, sure: float | None = None) -> float:
    """The least threshold that keeps both promises; the one about look-alikes with that confidence (None: just in this
    sample)."""
    least = np.quantile(alike, 1 - ALIKE) if sure is None else np.sort(alike)[::-1][allowed(len(alike), ALIKE, sure)]
    return float(max(least, np.quantile(others, 1 - ORDINARY))) + 1e-4


def allowed(count: int, share: float, sure: float) -> int:
    """How many of ``count`` may be above, so that with confidence ``sure`` at most ``share`` of all are (the bound of
    Clopper and Pearson); 0 where no number is that sure."""
    most, chance = 0, 0.0
    for number in range(count + 1):
        log = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        chance += math.exp(log + number * math.log(share) + (count - number) * math.log(1 - share))
        if chance > 1 - sure:
            break
        most = number
    return most


def cut_of(task: Task, held: Floats, alike: Any, others: Any) -> float:
    """The threshold, by what was held out."""
    return threshold(held[alike], held[others], SURE if task.name in PROMISED else None)


def head(task: Task, vectors: Vectors) -> tuple[embedding_detector.Head, dict[str, Any]]:
    """The fitted head, and its card."""
    texts = list(dict.fromkeys([*task.positives, *task.negatives]))
    wanted = set(task.positives)
    labels = np.array([float(text in wanted) for text in texts])
    like, guilty = set(task.alike), set(task.guilty)
    alike = np.array([text in like for text in texts]) & (labels == 0)
    others = (labels == 0) & ~alike & np.array([text not in guilty for text in texts])
    bags = vectors.of(texts)
    # Texts that begin alike were made from one pattern: they stay in one fold.
    folds = np.array([task.folds.get(text, int(digest(text[:24]), 16)) % FOLDS for text in texts])
    best: tuple[float, float, Floats] | None = None
    for ridge in RIDGES:
        held = np.zeros(len(texts))
        for fold in range(FOLDS):
            seen = folds != fold
            weights, bias = fit([bag for bag, keep in zip(bags, seen, strict=True) if keep], labels[seen], ridge)
            held[~seen] = worst([bag for bag, keep in zip(bags, seen, strict=True) if not keep], weights, bias)
        cut = cut_of(task, held, alike, others)
        found = float((held[labels == 1] >= cut).mean())
        print(
            f"{task.name:12} ridge {ridge:5} AUROC {auroc(held[labels == 1], held[labels == 0]):.3f} found {found:.3f}"
        )
        if best is None or found > best[0]:
            best = (found, ridge, held)
    assert best is not None
    found, ridge, held = best
    cut = cut_of(task, held, alike, others)
    weights, bias = fit(bags, labels, ridge)
    card = {
        "positives": int(labels.sum()),
        "negatives": int((1 - labels).sum()),
        "look_alikes": int(alike.sum()),
        "ridge": ridge,
        "held_out_auroc": round(auroc(held[labels == 1], held[labels == 0]), 3),
        "held_out_found": round(found, 3),
    }
    return embedding_detector.Head(task.name, weights, bias, cut), card


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="fit this detector, and leave the others as they are")
    only = parser.parse_args().only
    root = data_sets()
    vectors = Vectors(load().settings)
    packaged = embedding_detector.packaged()
    heads: dict[str, embedding_detector.Head] = dict(packaged.heads) if only else {}
    cards: dict[str, Any] = dict(packaged.card["heads"]) if only else {}
    sets = Sets(root)
    for task in [*tasks(sets), _talks.task(sets)]:
        if only in (None, task.name):
            heads[task.name], cards[task.name] = head(task, vectors)
    card = {
        "fitted_at": time.strftime("%Y-%m-%d", time.gmtime()),
        "by": "benchmarks/fit_detectors.py",
        "look_alikes_above": ALIKE,
        "sure": SURE,
        "others_above": ORDINARY,
        "heads": cards,
        # A red team attacks with the other jailbreaks.
        "fitted_on": sorted(digest(text)[:8] for text in sets.wild[0]),
    }
    embedding_detector.Heads(vectors.name, heads, card).save(TARGET)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
