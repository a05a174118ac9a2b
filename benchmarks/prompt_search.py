"""What the recipe ``prompt`` gains on a small model: questions about passages, on rows that it never saw.

    python benchmarks/prompt_search.py [--model smollm2-135m-instruct] [--reflection NAME] [--calls 200] [--dry]

SQuAD 2.0's development set: a passage with a question that it answers, 40 rows to search on and 40 to choose by, and
others to report on (the articles differ). The application is a chat model with one instruction; what counts is the F1
of words with the nearest right answer. The baseline is the instruction that the search begins with, on the same rows.
A second run of the same search with another seed says how much is chance.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _report import SKIPPED, Figure, report
from mainspring.core.settings import ServingSettings, Settings
from mainspring.features.train.service import Training
from mainspring.features.train.working import training
from mainspring.system import System
from mainspring.training.ports import JobView, Order

PARTS = {"task": "Answer the question about the text."}
SIDES = {"train": 40, "validation": 40}


def rows(data: Path, tested: int) -> dict[str, list[dict[str, Any]]]:
    """Rows by side, each side of other articles."""
    articles = json.loads((data / "qa/squad/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    draw = random.Random(5)
    draw.shuffle(articles)
    found: dict[str, list[dict[str, Any]]] = {}
    for side, count in {**SIDES, "test": tested}.items():
        found[side] = []
        while len(found[side]) < count and articles:
            asked = [
                (part["context"], each)
                for part in articles.pop()["paragraphs"]
                for each in part["qas"]
                if each["answers"] and len(part["context"]) < 900
            ]
            for text, each in draw.sample(asked, min(20, len(asked), count - len(found[side]))):
                answers = list(dict.fromkeys(answer["text"] for answer in each["answers"]))
                question = {"role": "user", "content": f"{text}\n\nQuestion: {each['question']}"}
                messages = [question, {"role": "assistant", "content": answers[0]}]
                found[side].append({"messages": messages, "references": answers})
    return found


async def searched(home: Path, given: argparse.Namespace, seed: int) -> tuple[JobView, Any, float]:
    """The run when it is over, what it made (None: nothing), and seconds."""
    folder = home / "rows"
    folder.mkdir(exist_ok=True)
    for side, found in rows(given.data, given.tested).items():
        (folder / f"{side}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found), encoding="utf-8")
    options = {
        "application": given.model,
        "reflection": given.reflection,
        "parts": PARTS,
        "calls": given.calls,
        "tokens": 64,
        "tested": given.tested,
    }
    free = ServingSettings(requests_per_minute=10**6, tokens_per_minute=10**9)
    names = sorted({given.model, given.reflection} - {""})
    settings = Settings.model_validate({"home": home, "serving": free, "models": {"chat": names, "larger": ""}})
    async with System.open(settings) as system:
        service = system.services[Training]
        began = time.monotonic()
        async with training(service):
            order = Order("prompt", options, folder=folder, seed=seed, seconds=given.seconds)
            job = (await service.order(system.rooms.local, order)).id
            while (view := await service.training_job("default", job)).state in ("queued", "running", "waiting"):
                await asyncio.sleep(1)
        made = None if not view.version else (await service.version("default", view.version)).made
        return view, made, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("MAINSPRING_DATA"))
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--reflection", default="", help="the model that writes prompts; empty: the same")
    parser.add_argument("--calls", type=int, default=200)
    parser.add_argument("--tested", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    if given.data is None or not (Path(given.data) / "qa/squad/dev-v2.0.json").exists():
        print("MAINSPRING_DATA has no qa/squad/dev-v2.0.json")
        sys.exit(SKIPPED)
    figures: dict[str, Figure] = {}
    for seed in range(given.seeds):
        with tempfile.TemporaryDirectory(prefix="mainspring-prompt-") as home:
            view, made, seconds = asyncio.run(searched(Path(home), given, seed))
        print(json.dumps({"state": view.state, "error": view.error, "seconds": seconds, "made": repr(made)}))
        name = f"F1 after the search, seed {seed}"
        against = f"{given.model}, reflection by {given.reflection or 'itself'}, {given.calls} answers, {seconds:.0f} s"
        if made is None:
            if view.error is None or "no other prompt is better" not in str(view.error):
                # It did not search to its end: that says nothing about what a search gains.
                print(f"seed {seed} is left out")
                continue
            figures[name] = Figure(0.0, "gained", "higher", against=f"{against}: {view.error}")
            continue
        low, high = made.intervals["f1"]
        told = f"{made.before['f1']:.3f} before; [{low:.3f}, {high:.3f}], n = {made.counted['f1']}; {made.notes[-1]}"
        figures[name] = Figure(made.figures["f1"], "F1", "higher", against=f"{told}; {against}")
    if not given.dry and figures:
        report("prompt_search", figures)


if __name__ == "__main__":
    main()
