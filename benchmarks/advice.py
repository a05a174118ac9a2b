"""What the advisor measures of prompt, examples, documents and weights on the sample handbook, and what it recommends.

    python benchmarks/advice.py [--model NAME] [--questions 35] [--train-seconds 0] [--way WAY ...] [--seconds 900]

A server of its own answers; ``mainspring advise`` asks it, as a person would. Ways learn from the development questions
about the handbook (113), and are measured on the held-out and the reported ones (35), on which nothing was chosen. An
answer is right if it contains the expected words. The baseline is the prompt, measured in the same run, question by
question. After ``--seconds`` the comparison is cut off, and what was answered counts: the order of the questions was
drawn before. With ``--train-seconds`` weights are tried as well (``MAINSPRING_TRAIN__PYTHON`` names an environment
with torch).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from _report import Figure, report
from _server import Server, environment, serving

SAMPLES = Path(__file__).parent.parent / "samples"
LEARN, MEASURED = ("questions", "development", "third"), ("heldout", "third_reported")
_STEPS = {"steps": "24", "batch": "2", "accumulation": "1", "length": "160", "rank": "8", "learning_rate": "0.0005"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--questions", type=int, default=35)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--train-seconds", type=float, default=0.0)
    parser.add_argument("--way", action="append", default=[])
    parser.add_argument("--seconds", type=float, default=1e9, help="of comparing")
    parser.add_argument("--name", default="advice")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds until the server is ready")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mainspring-advice-") as folder:
        home, file = Path(folder) / "home", Path(folder) / "handbook.jsonl"
        file.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in examples()), encoding="utf-8")
        settings = {
            "MAINSPRING_MODELS__CHAT": json.dumps([given.model]),
            "MAINSPRING_ENGINES__START_TIMEOUT_S": str(given.patience),
            **train_settings(),
        }
        ingested = ("--ingest", str(SAMPLES / "handbook"))
        with serving(home, *ingested, settings=settings, patience_s=given.patience) as server:
            asked = ["advise", str(file), "--model", given.model, "--collection", "handbook", "--scorer", "contains"]
            asked += ["--questions", str(given.questions), "--max-tokens", str(given.max_tokens), "--json", "--no-wait"]
            asked += [part for way in given.way for part in ("--way", way)]
            if given.train_seconds:
                asked += ["--train-seconds", str(given.train_seconds)]
                asked += [part for name, value in _STEPS.items() for part in ("--option", f"{name}={value}")]
            own = environment(home, {"MAINSPRING_URL": server.url, "MAINSPRING_API_KEY": server.key})
            command = [sys.executable, "-m", "mainspring", *asked]
            told = subprocess.run(command, env=own, stdout=subprocess.PIPE, text=True, check=True)
            advice = awaited(server, json.loads(told.stdout)["data"]["id"], given.seconds)
    print(json.dumps(advice["report"], indent=1))
    report(given.name, figures(advice, given.model))


def awaited(server: Server, advice_id: str, seconds: float) -> Mapping[str, Any]:
    """The advice when it is over."""
    cut = None
    while True:
        advice = call(server, "GET", f"/v1/advice/{advice_id}")
        if advice["status"] not in ("queued", "running"):
            assert advice["report"] is not None, advice["error"]
            return advice
        asked = [each["reason"].split()[0] for each in advice["steps"] if each["reason"].startswith("exp_")]
        if asked and cut is None:
            cut = time.monotonic() + seconds
        if cut is not None and time.monotonic() > cut:
            call(server, "POST", f"/v1/experiments/{asked[0]}/cancel")
        time.sleep(5.0)


def call(server: Server, method: str, path: str) -> Mapping[str, Any]:
    headers = {"authorization": f"Bearer {server.key}"}
    request = urllib.request.Request(server.url + path, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=300) as answer:
        found: Mapping[str, Any] = json.load(answer)
    return found


def train_settings() -> dict[str, str]:
    """The environment of training, which the server of a benchmark does not inherit."""
    name = "MAINSPRING_TRAIN__PYTHON"
    return {name: os.environ[name]} if name in os.environ else {}


def examples() -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for split, names in (("train", LEARN), ("test", MEASURED)):
        for name in names:
            told = yaml.safe_load((SAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))["questions"]
            found += [
                {"id": each["id"], "question": each["question"], "references": each["answers"], "split": split}
                for each in told
                if each.get("answerable") and each.get("answers")
            ]
    return found


def figures(advice: Mapping[str, Any], model: str) -> dict[str, Figure]:
    """Quality and cost by way, each beside the prompt of the same run; and what was recommended."""
    made = advice["report"]
    pairs = {(each["way"], each["against"]): each["difference"] for each in made["pairs"]}
    found: dict[str, Figure] = {}
    for row in made["rows"]:
        way, quality = row["way"], row["quality"]
        if not row["tried"]:
            continue
        interval = "" if quality["low"] is None else f"95 % [{quality['low']:.3f}, {quality['high']:.3f}], "
        less = ""
        if (gap := pairs.get((way, "prompt"))) is not None:
            less = f"less the prompt {gap['mean']:+.3f} [{gap['low']:+.3f}, {gap['high']:+.3f}] (all pairs at once), "
        out = made["out"].get(way, "")
        said = f"{model}, {interval}{less}{quality['n']} questions" + (f"; out: {out}" if out else "")
        found[f"{way}: answer contained"] = Figure(quality["mean"], "share", "higher", against=said)
        found[f"{way}: seconds a query"] = Figure(row["seconds"], "s", "lower", against="median, two asked at once")
        if row["upfront_seconds"]:
            found[f"{way}: upfront"] = Figure(row["upfront_seconds"], "s", "lower", against="; ".join(row["notes"]))
    told = f"{advice['verdict']}: {advice['way']}"
    if made["more_questions"]:
        told += f"; about {made['more_questions']} more questions would settle it"
    found["ways that are left"] = Figure(
        sum(row["tried"] for row in made["rows"]) - len(made["out"]), "ways", "lower", against=told
    )
    return found


if __name__ == "__main__":
    main()
