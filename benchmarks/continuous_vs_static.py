"""Continuous against static batching for answers of very different lengths, on the same weights and slots.

    python benchmarks/continuous_vs_static.py [--pairs 3] [--requests 64] [--slots 16]

All requests are there at the beginning, in one order for all sides. Static batching is OpenVINO GenAI's own
(``LLMPipeline`` on its stateful back end): a batch of as many prompts as there are slots runs until its longest answer
is complete, then the next one begins; what it writes beyond an answer's length is not counted. That is another back end
of the runtime, so our own engine does the same beside it: every answer of a batch is written as long as the batch's
longest. And it runs without refilling: it begins the next batch only when the last one has ended, but what has ended
costs nothing any more. Lengths are drawn from a log-normal distribution (median 16, sigma 1.2, at most 256): most
answers are short and a few are long. Sides take turns, and each pair is compared. Everything runs in this process,
without HTTP.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import openvino_genai as runtime

from _engine import IR, PROPERTIES, add, scheduler
from _report import Figure, report
from _stats import Spread, ratios
from mainspring.engines.openvino.child import Scheduler

MEDIAN, SIGMA, LONGEST = 16, 1.2, 256
WORDS = "amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean prairie".split()


@dataclass(frozen=True, slots=True)
class Request:
    prompt: str
    length: int


def load(seed: int, count: int) -> list[Request]:
    """Requests of one prompt length and skewed answer lengths."""
    draw = random.Random(seed)
    return [
        Request(
            f"{' '.join(draw.choices(WORDS, k=24))}. Go on with this list of words:",
            min(LONGEST, max(1, round(MEDIAN * math.exp(SIGMA * draw.gauss(0, 1))))),
        )
        for _ in range(count)
    ]


def continuous(engine: Scheduler, requests: Sequence[Request]) -> None:
    """Whoever ends makes room for the next."""
    for request in requests:
        add(engine, request.prompt, request.length)
    drain(engine)


def refillless(engine: Scheduler, requests: Sequence[Request], slots: int) -> None:
    """One batch after the other."""
    for begin in range(0, len(requests), slots):
        continuous(engine, requests[begin : begin + slots])


def padded(engine: Scheduler, requests: Sequence[Request], slots: int) -> None:
    """One batch after the other, each answer as long as the longest of its batch."""
    for begin in range(0, len(requests), slots):
        batch = requests[begin : begin + slots]
        longest = max(request.length for request in batch)
        continuous(engine, [Request(request.prompt, longest) for request in batch])


def drain(engine: Scheduler) -> None:
    """Step until nothing is left. Raises ``RuntimeError`` for a request that failed."""
    while engine.busy:
        engine.step()
        message = engine.flush()
        if message and message.get("x"):
            raise RuntimeError(f"the engine refused: {message['x']}")


def static(pipeline: Any, requests: Sequence[Request], slots: int) -> None:
    """Batches that run as long as their longest answer."""
    for begin in range(0, len(requests), slots):
        batch = requests[begin : begin + slots]
        longest = max(request.length for request in batch)
        config = runtime.GenerationConfig(
            max_new_tokens=longest, ignore_eos=True, do_sample=False, apply_chat_template=False
        )
        pipeline.generate([request.prompt for request in batch], config)


def timed(work: Callable[[], None], tokens: int) -> tuple[float, float]:
    """Tokens a second, and a second of CPU time."""
    begin, used = time.perf_counter(), time.process_time()
    work()
    return tokens / (time.perf_counter() - begin), tokens / (time.process_time() - used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=64)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    slots = options.slots
    engine = scheduler(slots, kv_tokens=slots * 512, prefix_cache=False)
    batches = runtime.LLMPipeline(str(IR), "CPU", ATTENTION_BACKEND="SDPA", **PROPERTIES)
    warm = [Request(request.prompt, 4) for request in load(0, slots)]
    continuous(engine, warm)
    static(batches, warm, slots)
    rates: dict[str, list[float]] = {"continuous": [], "refillless": [], "padded": [], "static": []}
    frugal: dict[str, list[float]] = {name: [] for name in rates}
    useful = []
    for pair in range(options.pairs):
        requests = load(1 + pair, options.requests)
        tokens = sum(request.length for request in requests)
        useful.append(tokens / sum(_padded(requests, slots)))
        sides: list[tuple[str, Callable[[], None]]] = [
            ("continuous", lambda requests=requests: continuous(engine, requests)),  # type: ignore[misc]
            ("refillless", lambda requests=requests: refillless(engine, requests, slots)),  # type: ignore[misc]
            ("padded", lambda requests=requests: padded(engine, requests, slots)),  # type: ignore[misc]
            ("static", lambda requests=requests: static(batches, requests, slots)),  # type: ignore[misc]
        ]
        for name, work in sides if pair % 2 == 0 else reversed(sides):
            rate, a_cpu_second = timed(work, tokens)
            rates[name].append(rate)
            frugal[name].append(a_cpu_second)
        print({name: round(each[-1], 1) for name, each in rates.items()}, flush=True)
    figures = _figures(rates, frugal, useful, f"OpenVINO GenAI's static batches of {slots}", options.pairs)
    if options.dry:
        print(figures)
        return
    report("continuous_vs_static", figures)


def _figures(
    rates: dict[str, list[float]], frugal: dict[str, list[float]], useful: list[float], peer: str, pairs: int
) -> dict[str, Figure]:
    """``rates`` and ``frugal`` are tokens a second and a second of CPU time, pair by pair; ``useful`` shares of 1."""
    cpu = ratios(frugal["continuous"], frugal["static"])
    against, beside = ratios(rates["continuous"], rates["static"]), ratios(rates["continuous"], rates["refillless"])
    alike = ratios(rates["continuous"], rates["padded"])
    return {
        "tokens/s, continuous against static batching": Figure(
            round(against.median, 3),
            "ratio",
            "higher",
            floor=2.0,
            aim=3.0,
            against=f"{peer}, {Spread.of(rates['static']).median:.0f} tokens/s; {pairs} pairs, {against.text()}",
        ),
        "tokens/s, continuous against static batches of the same engine": Figure(
            round(alike.median, 3), "ratio", "higher", against=f"padded to the longest of each batch; {alike.text()}"
        ),
        "tokens/s, refilled against not refilled": Figure(
            round(beside.median, 3), "ratio", "higher", against=f"the same engine, batch after batch; {beside.text()}"
        ),
        "tokens a CPU second, continuous against static": Figure(
            round(cpu.median, 3), "ratio", "higher", against=f"whatever else runs on the machine; {cpu.text()}"
        ),
        "share of a static batch that is wanted": Figure(
            round(Spread.of(useful).median, 3), "of its tokens", "higher", against="the rest is padding"
        ),
    }


def _padded(requests: Sequence[Request], slots: int) -> list[int]:
    """Tokens that static batches write."""
    batches = [requests[begin : begin + slots] for begin in range(0, len(requests), slots)]
    return [len(batch) * max(request.length for request in batch) for batch in batches]


if __name__ == "__main__":
    main()
