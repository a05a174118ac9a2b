"""How many conversations fit a fixed KV cache, and how fast they are answered: paged, or a whole context set aside.

    python benchmarks/kv_paging.py [--pairs 3] [--requests 32] [--budget 8192]

Requests of up to 2,048 tokens (prompts of 64 to 1,100 tokens, answers of 8 to 120, asking for up to 512 as clients do)
through the default engine's own scheduler, with a cache of ``--budget`` tokens and more slots than it can ever fill.
One side sets 2,048 tokens aside for each sequence, as engines without paging must. The others take blocks of 32 tokens
as they are needed, and differ in what must be free before a request is let in: its prompt and all that it may generate
(``reserve 1``, which never preempts), or its prompt and a part of that (``reserve 0.5``, ``reserve 0``), where the
runtime evicts and computes again if it comes to the worst. A server always has ``reserve 1``: no
setting changes it, so the other two show what could be had, and not what is. Then the same where all prompts begin
with the same 800 tokens, whose blocks are in the cache once. An answer ends where its client has enough, which no side
knows before.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from _engine import add, scheduler
from _report import Figure, report
from _stats import Spread, ratios
from mainspring.engines.openvino.child import Scheduler

CONTEXT = 2048
ASKED = 512
SLOTS = 64
WORDS = "amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean prairie".split()
POLICIES: dict[str, dict[str, float]] = {
    "set aside": {"kv_least": CONTEXT},
    "reserve 1": {"kv_reserve": 1.0},
    "reserve 0.5": {"kv_reserve": 0.5},
    "reserve 0": {"kv_reserve": 0.0},
}


@dataclass(frozen=True, slots=True)
class Request:
    """``words`` are about as many tokens; the client leaves after ``length``."""

    prompt: str
    length: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """``peak`` sequences ran at once at most and ``mean`` on average over the steps."""

    tokens_a_second: float
    tokens_a_cpu_second: float
    peak: int
    mean: float
    first_s: float


def load(seed: int, count: int, shared: int) -> list[Request]:
    """Requests of very different lengths."""
    draw = random.Random(seed)
    beginning = " ".join(random.Random(0).choices(WORDS, k=int(shared / 1.6)))
    return [
        Request(
            f"{beginning} {' '.join(draw.choices(WORDS, k=int(draw.uniform(64, 1100 - shared) / 1.6)))}",
            draw.randint(8, 120),
        )
        for _ in range(count)
    ]


def play(engine: Scheduler, requests: Sequence[Request]) -> Outcome:
    """All requests at once, each until its client has enough. Raises ``RuntimeError`` for one that failed."""
    wanted = {add(engine, request.prompt, ASKED): request.length for request in requests}
    left = dict(wanted)
    begin, used = time.perf_counter(), time.process_time()
    first: dict[int, float] = {}
    running: list[int] = []
    while engine.busy:
        engine.step()
        message = engine.flush() or {}
        running.append(message.get("g", (0,))[0])
        if message.get("x"):
            raise RuntimeError(f"the engine refused: {message['x']}")
        for number, _, _, tokens, _ in message.get("t", ()):
            first.setdefault(number, time.perf_counter() - begin)
            if number in left:
                left[number] -= tokens
                if left[number] <= 0:
                    del left[number]
                    engine.intake({"op": "cancel", "id": number})
        for number, *_ in message.get("e", ()):
            left.pop(number, None)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    tokens = sum(wanted.values())
    busy = [each for each in running if each]
    return Outcome(tokens / seconds, tokens / cpu, max(busy), sum(busy) / len(busy), sum(first.values()) / len(first))


def measure(budget: int, pairs: int, count: int, shared: int) -> dict[str, list[Outcome]]:
    """All policies in turns."""
    engines = {
        name: scheduler(SLOTS, budget, context_window=CONTEXT, prefix_cache=bool(shared), **policy)
        for name, policy in POLICIES.items()
    }
    for engine in engines.values():
        play(engine, load(0, 2, shared))
    seen: dict[str, list[Outcome]] = {name: [] for name in POLICIES}
    for pair in range(pairs):
        order = list(engines.items())
        for name, engine in order if pair % 2 == 0 else reversed(order):
            seen[name].append(play(engine, load(1 + pair, count, shared)))
            print(name, seen[name][-1], flush=True)
    return seen


def figures(seen: dict[str, list[Outcome]], label: str) -> dict[str, Figure]:
    """Every policy against the contexts that are set aside."""
    shown: dict[str, Figure] = {}
    base = seen["set aside"]
    for name, outcomes in seen.items():
        peak = Spread.of([float(each.peak) for each in outcomes])
        shown[f"{label}: sequences at once, {name}"] = Figure(peak.median, "sequences", "higher")
        if name == "set aside":
            continue
        speed = ratios([each.tokens_a_second for each in outcomes], [each.tokens_a_second for each in base])
        cpu = ratios([each.tokens_a_cpu_second for each in outcomes], [each.tokens_a_cpu_second for each in base])
        mean = ratios([each.mean for each in outcomes], [each.mean for each in base])
        shown[f"{label}: sequences on average, {name}"] = Figure(
            round(mean.median, 3), "ratio", "higher", against=f"2,048 tokens set aside for each; {mean.text()}"
        )
        shown[f"{label}: tokens/s, {name}"] = Figure(
            round(speed.median, 3), "ratio", "higher", against=f"2,048 tokens set aside for each; {speed.text()}"
        )
        shown[f"{label}: tokens a CPU second, {name}"] = Figure(
            round(cpu.median, 3), "ratio", "higher", against=f"2,048 tokens set aside for each; {cpu.text()}"
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--budget", type=int, default=8192, help="tokens of KV cache")
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    found = figures(measure(options.budget, options.pairs, options.requests, 0), "own prompts")
    found |= figures(measure(options.budget, options.pairs, options.requests, 800), "800 tokens shared")
    if not options.dry:
        report("kv_paging", found)
        return
    for name, figure in found.items():
        print(f"{name}: {figure.value} {figure.unit}")


if __name__ == "__main__":
    main()
