"""What recipes of chat models do to SmolLM2-135M, on held-out rows, with intervals: runs that go on where they stopped.

    MAINSPRING_DATA=... python benchmarks/chat_tuning.py PART --keep FOLDER [--seconds N] [--steps N]
    python benchmarks/chat_tuning.py report --keep FOLDER

PART is ``raft`` (6,411 rows of ARES, PubMedQA, DuoRC and Quoref; measured on SQuAD and TAT-QA), ``dpo``
(HH-RLHF harmless, one half of the test file; measured on the other), ``grpo`` and ``ppo`` (the reward is an answer of
one sentence; questions of ARES, measured on questions of SQuAD). Each run lies below FOLDER; with ``--seconds`` it
stops after a checkpoint, and the same command goes on. ``report`` writes the result of what is finished. Needs the
extra ``train``.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import _grounded_rows as grounded
from _library import data
from _report import SKIPPED, Figure, report

ONE_SENTENCE = r"^\s*[^.!?\n]{15,160}[.!?]\s*$"
Row = Mapping[str, Any]
Sides = tuple[list[Row], list[Row], list[Row]]


def raft(steps: int = 20) -> tuple[dict[str, Any], Sides]:
    rows: list[Row] = list(grounded.trained_on(data(".")))
    random.Random(5).shuffle(rows)
    sets = grounded.held_out(data("."), 12)
    options: dict[str, Any] = {
        "batch": 4,
        "accumulation": 2,
        "length": 512,
        "answer_tokens": 24,
        "patience": 0,
        "save_every": 4,
    }
    options |= {"learning_rate": 5e-4, "tested": 72, "steps": steps}
    # Half of the rows are refusals, most of which the curriculum leaves out: it goes through all of its stages.
    return options, (rows[: int(steps * 8 * 1.75)], [], [*sets["squad"], *sets["tatqa"]])


def _turns(text: str) -> list[dict[str, str]] | None:
    """A dialogue of HH-RLHF as messages."""
    found = []
    for part in text.split("\n\n"):
        who, _, said = part.partition(": ")
        role = {"Human": "user", "Assistant": "assistant"}.get(who)
        if role:
            found.append({"role": role, "content": said.strip()})
        elif part.strip() and found:
            found[-1]["content"] += "\n\n" + part
    return found if found and found[-1]["role"] == "assistant" and found[-1]["content"] else None


def dpo() -> tuple[dict[str, Any], Sides]:
    pairs: list[Row] = []
    with gzip.open(data("judge") / "hh_rlhf/harmless-base/test.jsonl.gz", "rt") as lines:
        for line in lines:
            row = json.loads(line)
            chosen, rejected = _turns(row["chosen"]), _turns(row["rejected"])
            if chosen and rejected and chosen[:-1] == rejected[:-1] and len(row["chosen"]) + len(row["rejected"]) < 900:
                pairs.append({"prompt": chosen[:-1], "chosen": chosen[-1:], "rejected": rejected[-1:]})
    half = len(pairs) // 2
    options: dict[str, Any] = {
        "batch": 4,
        "accumulation": 2,
        "length": 192,
        "learning_rate": 2e-4,
        "steps": 24,
        "save_every": 4,
    }
    options |= {"tested": 24, "answer_tokens": 48, "samples": 3, "patience": 0, "evaluate_every": 12}
    return options, (pairs[:half], pairs[half : half + 16], pairs[half + 16 : half + 136])


def rewarded(**more: Any) -> tuple[dict[str, Any], Sides]:
    known = [each.question for each in grounded.ares(data("qa/grounded")) if each.question.endswith("?")]
    random.Random(6).shuffle(known)
    test = list({each.question for each in grounded.squad(data("qa/squad/dev-v2.0.json"))})
    test.sort()
    random.Random(7).shuffle(test)
    options: dict[str, Any] = {
        "batch": 16,
        "accumulation": 1,
        "length": 128,
        "new_tokens": 40,
        "answer_tokens": 40,
        "steps": 20,
    }
    options |= {"rewards": [{"name": "regex", "options": {"pattern": ONE_SENTENCE}}], "tested": 64, "save_every": 3}
    options |= {"learning_rate": 2e-4, "schedule": "constant", "warmup": 0, **more}
    sides = [[{"prompt": each} for each in part] for part in (known[:400], test[:64])]
    return options, (list(sides[0]), [], list(sides[1]))


PARTS: Mapping[str, Callable[[], tuple[dict[str, Any], Sides]]] = {
    "raft": raft,
    "dpo": dpo,
    "grpo": lambda: rewarded(group=8),
    "ppo": lambda: rewarded(passes=2),
}


def go_on(part: str, keep: Path, seconds: float, steps: int) -> None:
    """A piece of a run."""
    from mainspring.core.settings import load
    from mainspring.training.chat.recipe_list import RECIPES
    from mainspring.training.folder import Folder, RunRequest
    from mainspring.training.recipe import Interrupted
    from mainspring.training.run import Run

    folder = Folder(keep / part)
    if folder.made:
        return
    options, sides = raft(steps or 20) if part == "raft" else PARTS[part]()
    if steps:
        options["steps"] = steps
    base = load().settings.models.directory.expanduser() / "smollm2-135m-instruct"
    folder.create(RunRequest(part, options, seed=1, base=str(base), until=time.time() + seconds if seconds else None))
    for side, rows in zip(("train", "validation", "test"), sides, strict=True):
        write(folder.data / f"{side}.jsonl", rows)
    run = Run(next(each for each in RECIPES if each.name == part), folder, folder.asked)
    run.on_terminate()
    try:
        folder.finish(run.do())
    except Interrupted:
        print(f"{part} stopped; the same command goes on", file=sys.stderr)
        raise SystemExit(3) from None


def write(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


LOWER = ("loss", "perplexity", "refused-wrongly", "unsupported", "disliked-loss")


def told(keep: Path) -> None:
    """The result of what is finished."""
    from mainspring.training.folder import Folder

    figures: dict[str, Figure] = {}
    for part in PARTS:
        folder = Folder(keep / part)
        made = folder.made
        if made is None:
            continue
        steps = next((note for note in made.notes if note.startswith("weights of")), "")
        for name, value in made.figures.items():
            if name not in made.before:
                continue
            low, high = made.intervals.get(name, (value, value))
            against = f"{value:.3f} [{low:.3f}, {high:.3f}]; the base {made.before[name]:.3f}"
            if change := made.intervals.get(f"{name}-change"):
                gain = made.figures[f"{name}-change"]
                against += f"; change {gain:+.3f} [{change[0]:+.3f}, {change[1]:+.3f}]"
            against += f"; {made.counted.get(name, 0)} rows, {steps}"
            figures[f"{part}: {name}"] = Figure(value, "", "lower" if name in LOWER else "higher", against=against)
    report("chat_tuning", figures)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="?", default="", choices=["", *PARTS, "report"])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--steps", type=int, default=0)
    asked = parser.parse_args()
    if not asked.part or asked.keep is None:
        print("it runs in parts: name one, and a folder to keep them in", file=sys.stderr)
        raise SystemExit(SKIPPED)
    os.environ["HF_HUB_OFFLINE"] = "1"
    if asked.part == "report":
        told(asked.keep)
    else:
        go_on(asked.part, asked.keep, asked.seconds, asked.steps)


if __name__ == "__main__":
    main()
