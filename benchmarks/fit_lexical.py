"""Fit the packaged detectors of words and write ``src/mainspring/guards/detect/lexical.json``.

    MAINSPRING_DATA=... python benchmarks/fit_lexical.py

Nothing that ``benchmarks/default_guards.py`` reports is read here but to leave out what resembles it. Thresholds come
from texts that the fold's fit had not seen: at most ``ALIKE`` of the innocent look-alikes of the fitting side and
``ORDINARY`` of the other innocent texts are above them. Larger ridges found less of what was held out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _default_guards import Task, tasks
from _detectors import Sets, digest
from _report import data_sets
from _tfidf import TfIdf, logistic
from fit_detectors import FOLDS, auroc
from mainspring.guards.detect import lexical

TARGET = Path(lexical.__file__).with_name("lexical.json")
ALIKE, ORDINARY = 0.01, 0.003
MOST = 6000
RIDGES = (0.1, 0.3)
Floats = NDArray[np.float64]


def fitted(name: str, texts: Sequence[str], labels: Floats, ridge: float, cut: float = 0.5) -> lexical.Lexical:
    """A detector of these texts; both classes weigh the same."""
    parts = [window for text in texts for window in windows(text)]
    targets = np.repeat(labels, [len(windows(text)) for text in texts])
    terms = TfIdf(parts, MOST)
    shares = np.where(targets == 1, 0.5 / targets.sum(), 0.5 / (1 - targets).sum()) * len(targets)
    weights = logistic(terms.vectors(parts), targets, shares, ridge)
    known = {
        term: (float(idf), float(weight))
        for term, idf, weight in zip(terms.terms, terms.idf, weights[:-1], strict=True)
        if abs(weight) > 0.02
    }
    return lexical.Lexical(name, known, float(weights[-1]), cut, {})


def windows(text: str) -> list[str]:
    """The first windows of a text as it is read: enough to learn from."""
    words = text.split()
    return [" ".join(words[start : start + lexical.WINDOW]) for start in range(0, len(words), lexical.WINDOW)][:3] or [
        "-"
    ]


def head(task: Task) -> lexical.Lexical:
    """The fitted detector, with its card."""
    texts = list(dict.fromkeys([*task.positives, *task.negatives]))
    wanted, like = set(task.positives), set(task.alike)
    labels = np.array([float(text in wanted) for text in texts])
    alike = np.array([text in like for text in texts]) & (labels == 0)
    others = (labels == 0) & ~alike
    folds = np.array([int(digest(text[:24]), 16) % FOLDS for text in texts])
    best: tuple[float, float, float, float] | None = None
    for ridge in RIDGES:
        held = np.zeros(len(texts))
        for fold in range(FOLDS):
            seen = [text for text, each in zip(texts, folds, strict=True) if each != fold]
            found = fitted(task.name, seen, labels[folds != fold], ridge)
            held[folds == fold] = [found.chance(t) for t, each in zip(texts, folds, strict=True) if each == fold]
        cut = float(max(np.quantile(held[alike], 1 - ALIKE), np.quantile(held[others], 1 - ORDINARY))) + 1e-4
        share, area = float((held[labels == 1] >= cut).mean()), auroc(held[labels == 1], held[labels == 0])
        print(f"{task.name} ridge {ridge} AUROC {area:.3f} found {share:.3f} at {cut:.3f}", flush=True)
        if best is None or share > best[0]:
            best = share, ridge, cut, area
    assert best is not None
    share, ridge, cut, area = best
    card: dict[str, Any] = {
        "positives": int(labels.sum()),
        "negatives": int((1 - labels).sum()),
        "look_alikes": int(alike.sum()),
        "ridge": ridge,
        "held_out_auroc": round(area, 3),
        "held_out_found": round(share, 3),
        "by": "benchmarks/fit_lexical.py",
        # A red team attacks with other texts.
        "fitted_on": sorted(digest(text)[:8] for text in task.positives),
    }
    whole = fitted(task.name, texts, labels, ridge)
    return lexical.Lexical(task.name, whole.weights, whole.bias, cut, card)


def main() -> None:
    found = {task.name: head(task) for task in tasks(Sets(data_sets()))}
    lexical.save(found, TARGET)
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
