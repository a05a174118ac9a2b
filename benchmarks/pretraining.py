"""Pretraining: what each objective is worth to a task with few examples, against none, with equal steps of fine-tuning.

    MAINSPRING_DATA=... python benchmarks/pretraining.py [--keep FOLDER] [--seconds 600]

Small models are pretrained on sentences of Tatoeba and on customers' questions without their labels. Then they learn
the 77 intents of Banking77 from ten examples each, by the mean of their states and one layer. Models that were
pretrained and those that were not are alike, and so are steps, batches and rates of fine-tuning. Pretraining takes 100
steps (200,000 tokens) or 1,000. Accuracy is of Banking77's own test questions, which neither stage has seen.

Needs torch.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _report import Figure, data_sets, report, skip
from _small_texts import sentences
from _small_training import arms, work_in
from mainspring.statistics.significance import interval
from mainspring.training.own import words

OBJECTIVES: dict[str, Any] = {"causal": "decoder", "masked": "encoder", "span": "encoder-decoder"}
SEEDS, LENGTH, EXAMPLES, TESTED = 3, 64, 10, 1_000
PRETRAINING, FINETUNING = (100, 1_000), 80
Labelled = list[tuple[str, str]]


def banking(data: Path) -> tuple[Labelled, Labelled]:
    """Questions with their intents: train and test."""
    sides = []
    for side in ("train", "test"):
        path = next((data / "agents/support_dialogue/banking77").glob(f"{side}*.csv*"))
        sides.append(_rows(path))
    return sides[0], sides[1]


def _rows(path: Path) -> Labelled:
    import gzip

    packed = path.read_bytes()
    text = (gzip.decompress(packed) if path.suffix == ".gz" else packed).decode()
    return [(row[0].strip(), row[1]) for row in list(csv.reader(text.splitlines()))[1:] if len(row) == 2]


def accuracy(arm: str, seed: int, place: Path, data: Path) -> list[int]:
    """Of each test question, whether its intent was found."""
    import torch

    from mainspring.training.own.models.model_files import build
    from mainspring.training.own.models.shape import Shape

    objective, _, how = arm.partition("+")
    train, test = banking(data)
    texts = [text for text, _ in train] + sentences(data, 12_000)
    random.Random(5).shuffle(texts)
    tokenizer = words.train(texts, algorithm="bpe", vocabulary=1_000, sentinels=6)
    torch.manual_seed(seed)
    # Of an encoder with decoder, the encoder's layers remain for the task.
    shape = Shape(
        OBJECTIVES[objective], tokenizer.get_vocab_size(), width=96, layers=2, heads=4, kv_heads=2, length=LENGTH + 1
    )
    model: Any = build(shape)
    if steps := int(how):
        pretrain(model, objective, texts, tokenizer, seed, steps, place / "first")
    return finetuned(model, tokenizer, few(train, seed), random.Random(6).sample(test, TESTED), seed, place / "second")


def pretrain(model: Any, objective: Any, texts: list[str], tokenizer: Any, seed: int, steps: int, place: Path) -> None:
    """The first stage."""
    from mainspring.training.own import collate as collates
    from mainspring.training.own.collate import Vocabulary
    from mainspring.training.own.feed import Shuffled
    from mainspring.training.own.loop import Plan, fit
    from mainspring.training.own.objectives.packing import pack

    vocabulary = Vocabulary(tokenizer.get_vocab_size(), 11, tuple(range(5, 11)))
    ids = [[words.BEGIN, *tokenizer.encode(text).ids, words.END] for text in texts]
    windows = pack(ids, LENGTH + (objective == "causal"))
    plan = Plan(steps, batch=32, rate=2e-3, warmup=15, precision="bfloat16")
    feed = Shuffled(windows, collates.of(objective, vocabulary), size=32, seed=seed)
    fit(work_in(place), model, feed, plan)


def finetuned(model: Any, tokenizer: Any, train: Labelled, test: Labelled, seed: int, place: Path) -> list[int]:
    """The second stage: of each test question, whether its intent was found."""
    import torch
    from torch import nn

    from mainspring.training.own.collate import filled, kept
    from mainspring.training.own.feed import Batch, Shuffled
    from mainspring.training.own.loop import Plan, fit

    labels = sorted({label for _, label in train})
    body: Any = nn.ModuleDict({"model": model, "head": nn.Linear(model.shape.width, len(labels))})

    def logits(both: Any, batch: Batch) -> torch.Tensor:
        of = both["model"]
        encode = of.encode if model.shape.kind == "encoder-decoder" else lambda ids, keep: of.states(ids, keep=keep)
        seen = batch["keep"][..., None]
        return both["head"]((encode(batch["ids"], batch["keep"]) * seen).sum(1) / seen.sum(1))

    def loss(both: Any, batch: Batch) -> torch.Tensor:
        return nn.functional.cross_entropy(logits(both, batch), batch["targets"], reduction="sum")

    def collate(rows: Labelled, _: Any = None) -> Batch:
        ids = [tokenizer.encode(text).ids[:LENGTH] for text, _ in rows]
        return {
            "ids": filled(ids),
            "keep": kept(ids),
            "targets": torch.tensor([labels.index(each) for _, each in rows]),
        }

    plan = Plan(FINETUNING, batch=32, rate=1e-3, warmup=10, precision="bfloat16")
    fit(work_in(place), body, Shuffled(train, collate, size=32, seed=seed), plan, loss=loss)
    found: list[int] = []
    with torch.no_grad():
        for at in range(0, len(test), 100):
            batch = collate(test[at : at + 100])
            found += (logits(body, batch).argmax(-1) == batch["targets"]).int().tolist()
    return found


def few(train: Labelled, seed: int) -> Labelled:
    """Ten examples of each intent."""
    by: dict[str, Labelled] = defaultdict(list)
    for row in train:
        by[row[1]].append(row)
    drawn = random.Random(seed)
    return [row for label in sorted(by) for row in drawn.sample(by[label], EXAMPLES)]


def gain_of(objective: str, steps: int, found: Mapping[str, Sequence[int]]) -> dict[str, Figure]:
    """Accuracy with and without pretraining, and its gain, over the seeds that have both."""
    seeds = [seed for seed in range(SEEDS) if {f"{objective}+{n}-{seed}" for n in (0, steps)} <= found.keys()]
    if not seeds:
        return {}
    figures, means = {}, {}
    for name, n in ((f"{steps:,} steps", steps), (f"nothing, beside {steps:,} steps", 0)):
        rows = [found[f"{objective}+{n}-{seed}"] for seed in seeds]
        means[n] = [sum(question) / len(rows) for question in zip(*rows, strict=True)]
        value = interval(means[n])
        against = f"{value.low:.3f}-{value.high:.3f}, {len(means[n])} questions, seeds: {len(seeds)}"
        figures[f"{objective}: from {name}"] = Figure(value.value, "accuracy", "higher", against=against)
    gain = interval([a - b for a, b in zip(means[steps], means[0], strict=True)])
    against = f"{gain.low:.3f} to {gain.high:.3f}"
    figures[f"{objective}: gain of {steps:,} steps"] = Figure(gain.value, "points", "higher", 0.0, against=against)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, default=None, help="folder of what was measured before")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no further training then")
    given = parser.parse_args()
    data = data_sets()
    try:
        import torch
    except ImportError:
        skip("torch is not installed: pip install 'mainspring[train]'")
    torch.set_num_threads(1)
    names = [
        f"{objective}+{steps}-{seed}"
        for steps in (0, *PRETRAINING)
        for seed in range(SEEDS if steps < PRETRAINING[-1] else 1)
        for objective in OBJECTIVES
    ]

    def measure(name: str, place: Path) -> list[int]:
        arm, _, seed = name.rpartition("-")
        return accuracy(arm, int(seed), place, data)

    found = arms(given.keep or Path(tempfile.mkdtemp()), names, given.seconds, measure)
    figures: dict[str, Figure] = {}
    for steps in PRETRAINING:
        for objective in OBJECTIVES:
            figures |= gain_of(objective, steps, found)
    if not figures:
        sys.exit("no objective is complete yet: run it again with the same --keep")
    report("pretraining", figures)
    print(json.dumps({name: sum(each) for name, each in found.items()}))


if __name__ == "__main__":
    main()
