"""Intents of CLINC150 with what is out of scope, by an encoder that is fine-tuned, against TF-IDF with a regression.

    MAINSPRING_DATA=... python benchmarks/intents.py --keep DIR [--seconds N] [--train PYTHON] [--score]

Both learn the same rows, a share of the training side, and are reported on the test side: accuracy of 4,500 questions
of 150 intents, and AUROC of telling them from 1,000 that belong to none. None of those is seen in training. ``--score``
needs scikit-learn.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from argparse import Namespace
from importlib import import_module
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _training
from _library import data
from _report import Figure, report
from mainspring.engines.encode.text_classes import TextClasses
from mainspring.training.encoders import figures
from mainspring.training.folder import Folder

SEED, EACH = 5, 20
OUTSIDE = "oos"
OPTIONS = {
    "epochs": 12,
    "batch": 32,
    "learning_rate": 2e-4,
    "length": 32,
    "freeze": 0,
    "evaluate_every": 188,
    "patience": 0,
    "outside": OUTSIDE,
}


def rows(side: str, most: int = 10**9) -> list[tuple[str, str]]:
    """Texts and intents of a side of CLINC150; ``most`` of each intent, drawn by seed."""
    path = data("agents/support_dialogue/clinc150/data_full.json.gz")
    given = json.loads(gzip.decompress(path.read_bytes()))[side]
    by_label: dict[str, list[str]] = {}
    for text, label in given:
        by_label.setdefault(label, []).append(text)
    random = Random(SEED)
    return [
        (text, label)
        for label, texts in sorted(by_label.items())
        for text in random.sample(texts, min(most, len(texts)))
    ]


def sides() -> dict[str, list[dict[str, Any]]]:
    named = {"train": rows("train", EACH), "validation": rows("val", 3)}
    return {side: [{"text": text, "label": label} for text, label in found] for side, found in named.items()}


def tfidf(train: list[tuple[str, str]], labels: list[str], texts: list[str]) -> NDArray[np.float64]:
    """Logits (texts, labels) of scikit-learn's logistic regression over TF-IDF of words and pairs of words."""
    terms = import_module("sklearn.feature_extraction.text").TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    given = terms.fit_transform([text for text, _ in train])
    model = (
        import_module("sklearn.linear_model")
        .LogisticRegression(C=10, max_iter=60)
        .fit(given, [labels.index(label) for _, label in train])
    )
    return np.asarray(model.decision_function(terms.transform(texts)), np.float64)


async def score(arguments: Namespace) -> None:
    made = Folder(arguments.keep / "run").made
    assert made is not None, "train first"
    labels = list(made.value["labels"])
    inside = [each for each in rows("test") if each[1] != OUTSIDE]
    texts = [text for text, _ in inside] + [text for text, _ in rows("oos_test")]
    classes = TextClasses(_training.served(arguments.keep), labels, 2)
    ours = np.asarray(await classes.logits(texts), np.float64)
    await classes.close()
    train = [(each["text"], each["label"]) for each in Folder(arguments.keep / "run").rows("train")]
    theirs = tfidf(train, labels, texts)
    wanted = np.array([labels.index(label) for _, label in inside])
    known = np.arange(len(texts)) < len(inside)
    right = np.stack([side[: len(inside)].argmax(1) == wanted for side in (ours, theirs)], 1).astype(float)
    names = [str(number) for number in range(len(inside))]
    found: dict[str, Figure] = {}
    for place, label in enumerate(("fine-tuned", "TF-IDF")):
        low, high = figures.interval(lambda at, place=place: float(right[at, place].mean()), names)  # type: ignore[misc]
        text = f"[{low:.3f}, {high:.3f}]; {len(inside)} questions, {len(train)} to learn from"
        found[f"CLINC150: accuracy, {label}"] = Figure(float(right[:, place].mean()), "", "higher", against=text)
    value, low, high = figures.paired(
        lambda at: float(right[at, 0].mean()), lambda at: float(right[at, 1].mean()), names
    )
    found["CLINC150: accuracy, gain"] = Figure(value, "", "higher", 0.0, against=f"paired [{low:.3f}, {high:.3f}]")
    most = [side - side.max(1, keepdims=True) for side in (ours, theirs)]
    energy = [side.max(1) + np.log(np.exp(rest).sum(1)) for side, rest in zip((ours, theirs), most, strict=True)]
    every = [str(number) for number in range(len(texts))]
    outside = _training.compared("CLINC150 out of scope", np.stack(energy, 1), known, every, "questions")
    found |= {name.replace("as it ships", "TF-IDF"): figure for name, figure in outside.items()}
    size = _training.size_mb(arguments.keep)
    found["Size of the classifier"] = Figure(size, "MB", "lower", 35, against="what a small encoder may take")
    report("intents", found)


def main() -> None:
    arguments = _training.asked(__doc__)
    if arguments.score:
        asyncio.run(score(arguments))
    else:
        _training.train(arguments, "classifier", _training.EMBEDDER, OPTIONS, SEED, sides)


if __name__ == "__main__":
    main()
