"""CPU seconds of a training step: attention in plain products against the fused one, and memory kept between steps.

    python benchmarks/training_steps.py [--pairs N] [--steps N]

A translator of the recipe ``translate`` and an encoder of the recipes for encoders, at their own sizes and with random
weights, on one thread. Each side is a process of its own; of each pair the sides run one after the other, by turns in
either order. CPU seconds, since others use the machine; a ratio is the mean of the pairs' with its bootstrap interval.
Needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from _report import Figure, report, skip

SIDES: Mapping[str, tuple[str, bool]] = {
    "before": ("sdpa", False),
    "plain attention": ("eager", False),
    "memory kept": ("sdpa", True),
    "both": ("eager", True),
}
MODELS = ("translator", "encoder")


def model(name: str, attention: str) -> Any:
    """With random weights; it is called with token numbers."""
    from transformers import BertConfig, BertModel

    if name == "encoder":
        sizes = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 1536}
        config = BertConfig(vocab_size=30_522, **sizes)
        config._attn_implementation = attention
        return BertModel(config)
    from mainspring.features.translate.training.model import build
    from mainspring.features.translate.training.options import TranslateOptions
    from mainspring.features.translate.training.vocabulary import learn

    words = [f"w{number}" for number in range(6_000)]
    made = build(learn(words, {"en"}, 6_000), TranslateOptions())
    made.config._attn_implementation = attention
    for each in made.modules():
        if hasattr(each, "config"):
            each.config._attn_implementation = attention
    return made


def step_s(name: str, attention: str, keep: bool, steps: int) -> float:
    """The median CPU seconds of a step."""
    import torch

    from mainspring.features.translate.training.model import logits
    from mainspring.training import child

    if keep:
        child._keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = model(name, attention).train()
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-4, fused=True)
    rows, length = (16, 110) if name == "encoder" else (137, 15)
    ids = torch.randint(10, made.config.vocab_size - 1, (rows, length))
    found = []
    for _ in range(steps + 2):
        began = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            out = made(input_ids=ids).last_hidden_state if name == "encoder" else logits(made, ids, ids, 0)
        loss = out.float().mean() if name == "encoder" else torch.nn.functional.cross_entropy(out.float(), ids.ravel())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        found.append(time.process_time() - began)
    return float(np.median(found[2:]))


def ratio(before: list[float], after: list[float], what: str) -> Figure:
    values = np.array(before) / np.array(after)
    random = np.random.default_rng(0)
    means = [float(random.choice(values, len(values)).mean()) for _ in range(2_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    text = f"[{low:.2f}, {high:.2f}]; {len(values)} pairs, {what}"
    return Figure(float(values.mean()), "times as fast", "higher", against=text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        skip(f"{error.name} is not installed: pip install 'mainspring[train,translate]'")
    if arguments.side:
        name, side = arguments.side
        print(json.dumps(step_s(name, *SIDES[side], arguments.steps)))
        return
    figures: dict[str, Figure] = {}
    for name in MODELS:
        found: dict[str, list[float]] = {side: [] for side in SIDES}
        for pair in range(arguments.pairs):
            for side in list(SIDES)[:: 1 if pair % 2 else -1]:
                command = [sys.executable, __file__, "--steps", str(arguments.steps), "--side", name, side]
                done = subprocess.run(
                    command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
                )
                found[side].append(json.loads(done.stdout.splitlines()[-1]))
        for side in list(SIDES)[1:]:
            figures[f"{name}: {side}"] = ratio(found["before"], found[side], f"{arguments.steps} steps each")
        figures[f"{name}: CPU of a step"] = Figure(float(np.median(found["both"])) * 1e3, "ms", "lower")
    report("training_steps", figures)


if __name__ == "__main__":
    main()
