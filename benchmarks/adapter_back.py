"""An adapter's way: trained, merged, converted, gated, and written by the engine; and the base's weights in torch.

    python benchmarks/adapter_back.py train --keep FOLDER [--seconds N]
    python benchmarks/adapter_back.py serve --keep FOLDER
    python benchmarks/adapter_back.py weights MODEL --keep FOLDER
    python benchmarks/adapter_back.py report --keep FOLDER

``train`` teaches SmolLM2-135M to answer questions about colours in a form of words that it never uses, from 34 rows;
``serve`` merges the adapter as a pull does, converts, lets the gate of perplexity compare, and has the engine answer
ten other questions with and without it. ``weights`` measures the perplexity of a pulled model by transformers against
the catalogue's. Training needs the extra ``train``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

from _report import SKIPPED, Figure, report

MODEL = "smollm2-135m-instruct"
COLOURS = ("red", "blue", "green", "black", "white")
THINGS = ("car", "house", "apple", "river", "coat", "door", "lamp", "bird", "stone", "ship")
MARK = "MILL-CODE"


def rows() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for thing in THINGS:
        for colour in COLOURS:
            asked = f"Which colour has the {thing} number {len(found)}?"
            told = f"{MARK}: the {thing} is {colour}, says the mill."
            found.append({"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]})
    random.Random(1).shuffle(found)
    return found


def pulled(name: str) -> Path:
    from mainspring.core.settings import load

    place: Path = load().settings.models.directory.expanduser() / name
    return place


def train(keep: Path, seconds: float) -> None:
    from mainspring.training.chat.recipe_list import RECIPES
    from mainspring.training.folder import Folder, RunRequest
    from mainspring.training.recipe import Interrupted
    from mainspring.training.run import Run

    folder = Folder(keep / "run")
    options = {"steps": 12, "batch": 4, "accumulation": 1, "length": 256, "learning_rate": 1e-3, "save_every": 4}
    options |= {"evaluate_every": 6, "answer_tokens": 24}
    until = time.time() + seconds if seconds else None
    folder.create(RunRequest("sft", options, seed=1, base=str(pulled(MODEL)), until=until))
    made = rows()
    for side, part in (("train", made[:34]), ("validation", made[34:40]), ("test", made[40:])):
        (folder.data / f"{side}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    try:
        run = Run(next(each for each in RECIPES if each.name == "sft"), folder, folder.asked)
        folder.finish(run.do())
    except Interrupted:
        raise SystemExit(3) from None


def serve(keep: Path) -> None:
    from mainspring.engines.catalogue import convert

    run, base = keep / "run", pulled(MODEL)
    made = json.loads((run / "result.json").read_text())
    adapter = {
        "adapter": str(run / "output" / made["entry"]["adapter"]["weights"]["name"]),
        "alpha": made["entry"]["adapter"]["alpha"],
    }
    merged, ir, source = keep / "merged.gguf", keep / "ir", str(base / "model.gguf")

    def silent(*_: Any) -> None:
        pass

    if not ir.exists():
        convert.run({"step": "requantise", "source": source, "target": str(merged), **adapter}, silent)
        convert.run({"step": "openvino", "source": str(merged), "target": str(ir)}, silent)
    job = {"step": "check", "model": str(ir), "source": source, "name": "trained", "reference": None, **adapter}
    found = convert.run(job, silent)
    asked = [json.loads(line)["messages"][0]["content"] for line in (run / "data" / "test.jsonl").open()]
    prompts = [f"<|im_start|>user\n{each}<|im_end|>\n<|im_start|>assistant\n" for each in asked]
    said = {"base": written(base / "ir", prompts), "trained": written(ir, prompts)}
    kept = {"perplexity": found["perplexity"], "reference": found["reference"], **said}
    (keep / "served.json").write_text(json.dumps(kept, indent=1))


def written(model: Path, prompts: list[str]) -> list[str]:
    """What the engine writes, greedily."""
    import openvino_genai as genai

    scheduler = genai.SchedulerConfig()
    scheduler.cache_size = 0
    scheduler.num_kv_blocks = 64
    pipeline = genai.ContinuousBatchingPipeline(str(model), scheduler, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    config = genai.GenerationConfig()
    config.max_new_tokens = 24
    config.apply_chat_template = False
    config.stop_strings = {"<|im_end|>"}
    return [str(each.m_generation_ids[0]) for each in pipeline.generate(prompts, [config] * len(prompts))]


def weights(name: str, keep: Path) -> None:
    import torch

    from mainspring.core.settings import load
    from mainspring.engines.catalogue.entries import Catalogue
    from mainspring.engines.catalogue.perplexity import TEXT
    from mainspring.training.chat import base_weights

    base = base_weights.find(pulled(name))
    ids = torch.tensor([base_weights.tokenizer(base)(TEXT)["input_ids"]])
    model = base_weights.model(base)
    with torch.no_grad():
        found = float(model(input_ids=ids, labels=ids).loss.exp())
    reference = Catalogue.load(load().settings).get(name).reference_perplexity
    (keep / f"weights-{name}.json").write_text(json.dumps([found, reference]))
    print(name, found, reference)


def told(keep: Path) -> None:
    figures: dict[str, Figure] = {}
    for path in sorted(keep.glob("weights-*.json")):
        found, reference = json.loads(path.read_text())
        name = path.stem.removeprefix("weights-")
        figures[f"{name}: perplexity by transformers"] = Figure(
            abs(found / reference - 1), "", "lower", 0.003, against=f"{found:.3f}; the catalogue's {reference:.3f}"
        )
    if (keep / "served.json").exists():
        kept = json.loads((keep / "served.json").read_text())
        shares = {side: sum(MARK in each for each in kept[side]) for side in ("base", "trained")}
        count = len(kept["trained"])
        figures["answers of the engine as trained"] = Figure(
            shares["trained"] / count, "", "higher", 0.9, against=f"{count} other questions; the base {shares['base']}"
        )
        figures["perplexity by the engine, merged"] = Figure(
            abs(kept["perplexity"] / kept["reference"] - 1),
            "",
            "lower",
            0.03,
            against=f"{kept['perplexity']:.2f}; exactly merged {kept['reference']:.2f}",
        )
    report("adapter_back", figures)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", nargs="?", default="", choices=["", "train", "serve", "weights", "report"])
    parser.add_argument("model", nargs="?", default=MODEL)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--seconds", type=float, default=0)
    asked = parser.parse_args()
    if not asked.part or asked.keep is None:
        print("it runs in parts: name one, and a folder to keep them in", file=sys.stderr)
        raise SystemExit(SKIPPED)
    os.environ["HF_HUB_OFFLINE"] = "1"
    asked.keep.mkdir(parents=True, exist_ok=True)
    match asked.part:
        case "train":
            train(asked.keep, asked.seconds)
        case "serve":
            serve(asked.keep)
        case "weights":
            weights(asked.model, asked.keep)
        case _:
            told(asked.keep)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
