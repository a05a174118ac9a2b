"""Which engine writes an answer sooner: OpenVINO or llama.cpp, with the larger chat model.

    python benchmarks/writer_engine.py [--pairs 3] [--model NAME]

One answer of 60 tokens behind about 700 tokens of sources, alone, greedily, the engines taking turns; each prompt is
another, so that no prefix is known. Both are loaded once: OpenVINO with the model's IR (Q8_0 weights, bf16), llama.cpp
with the GGUF file that the pulled model has for it. Seconds depend on what else runs; CPU-seconds hardly do.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report, skip
from _stats import Spread, ratios
from mainspring.core.errors import ModelNotPulled
from mainspring.core.settings import EnginesSettings, Settings
from mainspring.core.types import Sampling, Text
from mainspring.engines.base import Engine, Generation
from mainspring.engines.catalogue.perplexity import TEXT
from mainspring.engines.catalogue.pull import Puller
from mainspring.engines.llamacpp.engine import LlamaCppEngine
from mainspring.engines.openvino.engine import OpenVinoEngine

MODEL = "qwen2.5-coder-1.5b-instruct"
TOKENS, WORDS = 60, 560


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds to the first text and to the end, and CPU-seconds of the engine's process."""

    first: float
    whole: float
    cpu: float


def prompt(number: int) -> str:
    """About 700 tokens: words of the gate's text, drawn anew for each number."""
    draw, words = random.Random(number), TEXT.split()
    sources = " ".join(draw.choice(words) for _ in range(WORDS))
    asked = f"Sources:\n{sources}\n\nQuestion: What does the mill produce?"
    return f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far."""
    import os

    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def answer(engine: Any, number: int) -> Answer:
    """One answer of exactly ``TOKENS`` tokens."""
    used, began, first = cpu_seconds(engine.pid), time.perf_counter(), 0.0
    sampling = Sampling(max_tokens=TOKENS, temperature=0.0, ignore_eos=True)
    async for event in await engine.generate(Generation(prompt(number), sampling)):
        if type(event) is Text and not first:
            first = time.perf_counter() - began
    return Answer(first, time.perf_counter() - began, cpu_seconds(engine.pid) - used)


async def measured(engines: dict[str, Engine], pairs: int) -> dict[str, list[Answer]]:
    """``pairs`` answers of each engine; one more before them is not counted."""
    found: dict[str, list[Answer]] = {name: [] for name in engines}
    for number in range(pairs + 1):
        for name, engine in engines.items():
            got = await answer(engine, 2 * number + len(name) % 2)
            if number:
                found[name].append(got)
            print(f"{name}: first {got.first:.1f} s, whole {got.whole:.1f} s, {got.cpu:.1f} CPU-s", flush=True)
    return found


async def run(options: argparse.Namespace) -> None:
    try:
        pulled = Puller(Settings()).local(options.model)
    except ModelNotPulled as error:
        skip(f"{error.message}: {error.remedy}")
    settings = EnginesSettings(kv_tokens=4096, max_sequences=1, prefix_cache=False)
    engines: dict[str, Engine] = {
        "OpenVINO": OpenVinoEngine(pulled, settings, options.model, 4096),
        "llama.cpp": LlamaCppEngine(pulled, settings, options.model, 4096),
    }
    try:
        for engine in engines.values():
            await engine.start()
        found = await measured(engines, options.pairs)
    finally:
        for engine in engines.values():
            await engine.close()
    figures = {}
    for field, unit in (("first", "s"), ("whole", "s"), ("cpu", "CPU-s")):
        ours, theirs = ([getattr(each, field) for each in found[name]] for name in engines)
        paired = ratios(ours, theirs)
        against = f"{options.pairs} pairs, {paired.text()}; OpenVINO / llama.cpp"
        figures[f"{field}: OpenVINO by llama.cpp"] = Figure(paired.median, "x", "lower", against=against)
        for name, values in (("OpenVINO", ours), ("llama.cpp", theirs)):
            figures[f"{field}: {name}"] = Figure(
                Spread.of(values).median, unit, "lower", against=Spread.of(values).text()
            )
    report("writer_engine", figures)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--model", default=MODEL)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
