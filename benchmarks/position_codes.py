"""Positions: fixed, learned and rotary ones, at the length that a model was trained on and beyond it.

    MAINSPRING_DATA=... python benchmarks/position_codes.py [--keep FOLDER] [--seconds 600]

Small decoders are trained on windows of 64 tokens of stories (DuoRC, Quoref, ROPES). Then they predict the same last 32
tokens of each held-out story with 64, 128 and 256 tokens in sight: whoever can use positions that it was not trained on
does not get worse by seeing more. Learned positions beyond 64 are there, but nothing has trained them. Needs torch.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

from _report import Figure, data_sets, report, skip
from _small_texts import stories
from _small_training import arms, work_in
from mainspring.training.own import words
from mainspring.training.own.ratios import ratio

PLACES = ("sine", "learned", "rotary")
SEEDS, TRAINED, JUDGED = 3, 64, 32
LENGTHS = (64, 128, 256)
STEPS = 120


def tokens(data: Path) -> tuple[list[list[int]], list[list[int]], int]:
    """Stories that train, the first 257 tokens of those held out, and the size of the vocabulary."""
    found = stories(
        data, "duorc_ParaphraseRC_title", "quoref_Find_Answer", "ropes_plain_bottom_hint", "duorc_SelfRC_title"
    )
    apart = len(found) // 6
    held_out, train = found[:apart], found[apart:]
    tokenizer = words.train(train, algorithm="bpe", vocabulary=1_000)
    whole = [tokenizer.encode(text).ids for text in held_out]
    longest = LENGTHS[-1] + 1
    return (
        [[words.BEGIN, *tokenizer.encode(text).ids, words.END] for text in train],
        [each[:longest] for each in whole if len(each) >= longest],
        tokenizer.get_vocab_size(),
    )


def losses(positions: Any, seed: int, place: Path, data: Path) -> dict[str, list[float]]:
    """The loss of each held-out story (nats a token) for each length in sight."""
    import torch

    from mainspring.training.own.collate import causal
    from mainspring.training.own.feed import Shuffled
    from mainspring.training.own.loop import Plan, fit
    from mainspring.training.own.models.decoder import Decoder
    from mainspring.training.own.models.shape import Shape
    from mainspring.training.own.objectives.packing import pack

    train, held_out, size = tokens(data)
    torch.manual_seed(seed)
    model = Decoder(
        Shape("decoder", size, width=96, layers=2, heads=4, kv_heads=2, length=LENGTHS[-1], positions=positions)
    )
    feed = Shuffled(pack(train, TRAINED + 1), causal(apart=False), size=32, seed=seed)
    plan = Plan(STEPS, batch=32, rate=3e-3, warmup=15, precision="bfloat16", save=50)
    fit(work_in(place), model, feed, plan)
    ids = torch.tensor(held_out)
    found = {}
    with torch.no_grad():
        for length in LENGTHS:
            seen = ids[:, -length - 1 :]
            chances = torch.log_softmax(model(seen[:, :-1]), dim=-1).gather(-1, seen[:, 1:, None])[..., 0]
            found[str(length)] = (-chances[:, -JUDGED:].mean(1)).tolist()
    return found


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
    names = [f"{positions}-{seed}" for seed in range(SEEDS) for positions in PLACES]

    def measure(name: str, place: Path) -> dict[str, list[float]]:
        positions, _, seed = name.partition("-")
        return losses(positions, int(seed), place, data)

    found = arms(given.keep or Path(tempfile.mkdtemp()), names, given.seconds, measure)
    whole = [seed for seed in range(SEEDS) if all(f"{positions}-{seed}" in found for positions in PLACES)]
    if not whole:
        sys.exit("no seed is complete yet: run it again with the same --keep")
    figures = {}
    for positions in PLACES:
        seeds = [found[f"{positions}-{seed}"] for seed in whole]
        for length in LENGTHS:
            # A story's loss is its mean over the seeds: stories are what is drawn.
            each = [sum(story) / len(story) for story in zip(*(seed[str(length)] for seed in seeds), strict=True)]
            value, low, high = (math.exp(part) for part in ratio([(loss, 1.0) for loss in each]))
            label = f"{positions}: {length} tokens in sight ({length // TRAINED}x)"
            against = f"{low:.1f}-{high:.1f}, {len(each)} stories, {len(seeds)} seeds"
            figures[label] = Figure(value, "perplexity", "lower", against=against)
    report("position_codes", figures)


if __name__ == "__main__":
    main()
