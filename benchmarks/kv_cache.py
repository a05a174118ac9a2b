"""How much longer an answer takes without a KV cache, by its length.

    python benchmarks/kv_cache.py [--pairs 3] [--lengths 16 64 192]

One answer at a time through the default engine's own scheduler, behind a prompt of about 64 tokens. With the cache,
each token is computed from the cached ones. Without it all that stands before a token is computed anew for each of
them: the engine is asked for one token at a time, over a prompt that is one word longer each time, and keeps nothing
between (no prefix cache). Both sides take turns. What is read each time is read in one step, many tokens side by side,
so that time grows more slowly than the number of tokens that are computed, which stands beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from _engine import add, scheduler
from _report import Figure, report
from _stats import alternate, ratios
from mainspring.engines.openvino.child import Scheduler

PROMPT = 64
WORD = " the"


def answered(engine: Scheduler, prompt: str, tokens: int) -> None:
    """Write an answer of so many tokens. Raises ``RuntimeError`` where the engine does not."""
    add(engine, prompt, tokens)
    written = 0
    while engine.busy:
        engine.step()
        message = engine.flush() or {}
        if message.get("x"):
            raise RuntimeError(f"the engine refused: {message['x']}")
        written += sum(each[3] for each in message.get("t", ()))
    if written != tokens:
        raise RuntimeError(f"{written} tokens instead of {tokens}")


def kept(engine: Scheduler, length: int) -> tuple[float, float]:
    """Seconds, and CPU seconds, of one answer."""
    began, used = time.perf_counter(), time.process_time()
    answered(engine, WORD * PROMPT, length)
    return time.perf_counter() - began, time.process_time() - used


def anew(engine: Scheduler, length: int) -> tuple[float, float]:
    """The same, where nothing is kept."""
    began, used = time.perf_counter(), time.process_time()
    for done in range(length):
        answered(engine, WORD * (PROMPT + done), 1)
    return time.perf_counter() - began, time.process_time() - used


def measure(lengths: Sequence[int], pairs: int) -> dict[str, Figure]:
    engine = scheduler(1, 4096, prefix_cache=False)
    kept(engine, 4)
    anew(engine, 4)
    found: dict[str, Figure] = {}
    for length in lengths:
        ours, theirs = alternate(lambda _, n=length: kept(engine, n), lambda _, n=length: anew(engine, n), pairs)  # type: ignore[misc]
        slower = ratios([each[0] for each in theirs], [each[0] for each in ours])
        cpu = ratios([each[1] for each in theirs], [each[1] for each in ours])
        tokens = sum(PROMPT + done for done in range(length)) / (PROMPT + length - 1)
        label = f"{length} tokens"
        found[f"{label}: without the cache, time"] = Figure(
            slower.median, "x", "higher", against=f"with it; {pairs} pairs, {slower.text(1)}"
        )
        found[f"{label}: without the cache, CPU"] = Figure(cpu.median, "x", "higher", against=f"with it; {cpu.text(1)}")
        found[f"{label}: without the cache, tokens computed"] = Figure(tokens, "x", "higher", against="arithmetic")
        print(f"{label}: {slower.median:.1f} x the time, {tokens:.0f} x the tokens", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--lengths", type=int, nargs="+", default=[16, 64, 192])
    arguments = parser.parse_args()
    report("kv_cache", measure(arguments.lengths, arguments.pairs))


if __name__ == "__main__":
    main()
