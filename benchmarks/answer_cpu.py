"""CPU of a server for an answer over the sample handbook, with NumPy's products in one thread and in all of them.

    python benchmarks/answer_cpu.py [--rounds N] [--questions N]

Each side is a server of its own over the same documents; of each round the sides run one after the other, by turns in
either order, and answer the same questions, each with another number in it so that no answer is remembered. CPU
seconds of all its processes, since others use the machine; the ratio is the mean of the rounds' with its bootstrap
interval.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import yaml

from _report import Figure, report
from _server import UNLIMITED, Server, cpu_seconds, serving

SAMPLES = Path(__file__).parent.parent / "samples"
SIDES = {"one thread": "1", "all threads": str(os.cpu_count() or 1)}


def ask(server: Server, text: str) -> None:
    body = {"model": "document-qa", "messages": [{"role": "user", "content": text}]}
    headers = {"authorization": f"Bearer {server.key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{server.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=120) as answer:
        answer.read()


def of_round(threads: str, questions: list[str]) -> float:
    """CPU milliseconds an answer, after the first three."""
    settings = {**UNLIMITED, "OPENBLAS_NUM_THREADS": threads}
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home), "--ingest", str(SAMPLES / "handbook"), settings=settings) as server,
    ):
        for text in questions[:3]:
            ask(server, f"{text} (0)")
        began = cpu_seconds(server.pid)
        for number, text in enumerate(questions, 1):
            ask(server, f"{text} ({number})")
        return 1e3 * (cpu_seconds(server.pid) - began) / len(questions)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--questions", type=int, default=20)
    arguments = parser.parse_args()
    asked = yaml.safe_load((SAMPLES / "development.yaml").read_text(encoding="utf-8"))["questions"]
    questions = [each["question"] for each in asked][: arguments.questions]
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for number in range(arguments.rounds):
        for side in list(SIDES)[:: 1 if number % 2 else -1]:
            found[side].append(of_round(SIDES[side], questions))
            print(side, round(found[side][-1]), flush=True)
    ratios = np.array(found["all threads"]) / np.array(found["one thread"])
    random = np.random.default_rng(0)
    means = [float(random.choice(ratios, len(ratios)).mean()) for _ in range(2_000)]
    low, high = np.quantile(means, [0.025, 0.975])
    of = f"{arguments.rounds} rounds of {len(questions)} answers"
    figures = {side: Figure(float(np.median(each)), "ms", "lower", against=of) for side, each in found.items()}
    label = "CPU of all threads over that of one"
    figures[label] = Figure(float(ratios.mean()), "times", "higher", against=f"[{low:.2f}, {high:.2f}]; {of}")
    report("answer_cpu", figures)


if __name__ == "__main__":
    main()
