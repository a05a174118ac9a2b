"""Tokens a CPU second of the recipe ``sft`` against plain trl with the same settings, and what packing and bf16 gain.

    MAINSPRING_DATA=... python benchmarks/sft_speed.py [--pairs N] [--steps N] [--keep FILE] [--sides NAME ...]

SmolLM2-135M with an adapter (r = 16) over rows of T0's permissive sets. Of each pair the sides run one after the other,
by turns in either order, over the same rows; what is timed are whole steps without the first one. CPU seconds, since
others use the machine; a ratio is the mean of the pairs' with its bootstrap interval. Needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _library import data
from _report import SKIPPED, Figure, report

SIDES: Mapping[str, Mapping[str, Any]] = {
    "ours": {},
    "plain trl": {},
    "ours, packed": {"packing": True},
    "ours, fp32": {"precision": "fp32"},
}
LENGTH, BATCH = 256, 4


def texts() -> list[dict[str, Any]]:
    """Short rows with prompt and completion."""
    found = []
    for path in sorted((data("sft") / "t0_permissive/templates").glob("*.jsonl*")):
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as lines:
            for line, _ in zip(lines, range(4), strict=False):
                row = json.loads(line)
                answer = row["completion"].replace("<|endoftext|>", "").strip()
                if answer and 10 < len(row["prompt"].split()) < 120:
                    found.append({"prompt": row["prompt"], "completion": answer})
    return found


def base() -> Path:
    from mainspring.core.settings import load

    found: Path = load().settings.models.directory.expanduser() / "smollm2-135m-instruct"
    return found


class Timed:
    """CPU seconds and tokens of steps; a callback of trainers."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def mark(self, tokens: float) -> None:
        self.marks.append((time.process_time(), tokens))

    @property
    def speed(self) -> float:
        """Tokens a CPU second after the first step."""
        (first, before), (last, after) = self.marks[0], self.marks[-1]
        return (after - before) / (last - first)


def timed(trainer: Any, clock: Timed) -> float:
    from transformers import PrinterCallback, TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.mark(trainer._total_train_tokens)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Clock())
    trainer.train()
    return clock.speed


def ours(rows: Sequence[Mapping[str, Any]], steps: int, **more: Any) -> float:
    from mainspring.training.chat import loop
    from mainspring.training.chat.recipe_list import RECIPES
    from mainspring.training.chat.recipes import sft
    from mainspring.training.chat.tuning import Tuning
    from mainspring.training.folder import Folder, RunRequest
    from mainspring.training.run import Run

    with tempfile.TemporaryDirectory() as place:
        folder = Folder(Path(place))
        options = {"batch": BATCH, "accumulation": 1, "steps": steps, "length": LENGTH, "samples": 0, **more}
        folder.create(RunRequest("sft", options, seed=1, base=str(base())))
        (folder.data / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        run = Run(next(each for each in RECIPES if each.name == "sft"), folder, folder.asked)
        tuning = Tuning(run, run.options)  # type: ignore[arg-type]
        trainer = sft.make(run, tuning, sft.prepared(run, tuning, "train"), [])
        trainer.add_callback(loop.Watch(run, tuning))
        return timed(trainer, Timed())


def plain(rows: Sequence[Mapping[str, Any]], steps: int) -> float:
    """trl as its manual shows it, over the same weights, in the same precision."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from mainspring.training.chat import base_weights
    from mainspring.training.chat.options import MODULES

    found = base_weights.find(base())
    with tempfile.TemporaryDirectory() as place:
        config = SFTConfig(
            output_dir=place,
            seed=1,
            max_steps=steps,
            learning_rate=2e-4,
            lr_scheduler_type="cosine",
            per_device_train_batch_size=BATCH,
            gradient_accumulation_steps=1,
            gradient_checkpointing=False,
            max_length=LENGTH,
            bf16=True,
            use_cpu=True,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        talks = [
            {
                "prompt": [{"role": "user", "content": row["prompt"]}],
                "completion": [{"role": "assistant", "content": row["completion"]}],
            }
            for row in rows
        ]
        trainer = SFTTrainer(
            base_weights.model(found, "bfloat16"),
            args=config,
            train_dataset=Dataset.from_list(talks),
            processing_class=base_weights.tokenizer(found),
            peft_config=LoraConfig(r=16, lora_alpha=32, target_modules=list(MODULES), task_type="CAUSAL_LM"),
        )
        return timed(trainer, Timed())


def measured(pairs: int, steps: int, keep: Path | None, sides: Sequence[str]) -> dict[str, list[float]]:
    """Speeds of each side, by pair; of sides that are not named those that are known."""
    known: dict[str, list[float]] = json.loads(keep.read_text()) if keep and keep.exists() else {}
    rows = texts()
    for number in range(pairs):
        for name in order(number):
            if name not in sides or len(known.get(name, [])) > number:
                continue
            part = rows[number * 64 % max(1, len(rows) - 64) :][:64]
            speed = plain(part, steps) if name == "plain trl" else ours(part, steps, **SIDES[name])
            known.setdefault(name, []).append(speed)
            print(f"{number + 1}/{pairs} {name}: {speed:.0f} tokens a CPU second", file=sys.stderr, flush=True)
            if keep:
                keep.write_text(json.dumps(known))
    return known


def order(number: int) -> Iterator[str]:
    return iter(SIDES) if number % 2 == 0 else reversed(list(SIDES))


def ratio(ones: Sequence[float], others: Sequence[float]) -> tuple[float, str]:
    from mainspring.statistics.significance import interval

    # The same place is the same pair; some sides may have been measured fewer times.
    found = interval([one / other for one, other in zip(ones, others, strict=False)])
    return found.value, f"{found.text()}; {found.n} pairs" if found.n > 1 else "one pair, which has no interval"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES), help="measure these")
    asked = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import torch
        import trl  # noqa: F401
    except ImportError:
        print("sft_speed needs mainspring[train]", file=sys.stderr)
        raise SystemExit(SKIPPED) from None
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    found = measured(asked.pairs, asked.steps, asked.keep, asked.sides)
    same, told = ratio(found["ours"], found["plain trl"])
    packed, packing = ratio(found["ours, packed"], found["ours"])
    half, halves = ratio(found["ours"], found["ours, fp32"])
    report(
        "sft_speed",
        {
            "sft: tokens a CPU second": Figure(
                same, "x", "higher", 1.0, against=f"plain trl with the same settings: {told}"
            ),
            "packing": Figure(packed, "x", "higher", against=f"the same without packing: {packing}"),
            "bf16": Figure(half, "x", "higher", against=f"the same in fp32: {halves}"),
            "tokens a CPU second": Figure(
                sum(found["ours"]) / len(found["ours"]), "tokens/s", "higher", against="SmolLM2-135M, r = 16, bf16"
            ),
        },
    )


if __name__ == "__main__":
    main()
