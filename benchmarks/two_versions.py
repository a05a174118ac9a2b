"""Whether this version is slower than another one: both run on this machine and take turns.

    python benchmarks/two_versions.py --other CHECKOUT/.venv/bin/python [--pairs 7] [--starts 7] [--requests 1500]
        [--gateway]

``--other`` is the interpreter of another checkout's environment. Measured are requests a second and CPU a request
through the gateway before a stub endpoint, tokens a second and the time to the first token with the default engine,
and the time from nothing running to the first token. Each figure is this version's over the other's, pair by pair.
``--gateway``: the first two alone.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

from _report import Figure, report, skip
from _server import UNLIMITED, serving
from _stats import Spread, alternate, ratios
from cold_start import start
from path_overhead import MODEL, Load, prompts
from proxy_overhead import ours, stub

STREAMS = 8
TOKENS = 64


def proxied(other: str, requests: int, pairs: int) -> Iterator[tuple[str, Figure]]:
    """Both gateways before one stub endpoint."""
    with ExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        upstream = stack.enter_context(stub())
        this = stack.enter_context(ours(homes[0], upstream))
        that = stack.enter_context(ours(homes[1], upstream, interpreter=other))
        for each in (this, that):
            each.round(64, stream=False, seed=90)
        for name, stream in (("whole answers", False), ("streams", True)):
            mine, theirs = alternate(
                lambda seed, stream=stream: this.round(requests, stream=stream, seed=seed),  # type: ignore[misc]
                lambda seed, stream=stream: that.round(requests, stream=stream, seed=seed),  # type: ignore[misc]
                pairs,
            )
            rate = ratios([each.rate for each in mine], [each.rate for each in theirs])
            cpu = ratios([each.cpu_ms for each in mine], [each.cpu_ms for each in theirs])
            yield f"requests a second, {name}", figure(rate, pairs, "higher", floor=0.95)
            yield f"CPU of a request, {name}", figure(cpu, pairs, "lower", floor=1.05)


def answered(other: str, pairs: int) -> Iterator[tuple[str, Figure]]:
    """Both servers with the default engine: eight streams, then single requests."""
    with loaded(sys.executable) as this, loaded(other) as that:
        for name, streams, number in (("8 streams", STREAMS, 2), ("one stream", 1, 6)):
            mine, theirs = alternate(turn(this, streams, number, 1), turn(that, streams, number, 2), pairs)
            rate = ratios([each[0] for each in mine], [each[0] for each in theirs])
            first = ratios([each[1] for each in mine], [each[1] for each in theirs])
            yield f"tokens a second, {name}", figure(rate, pairs, "higher", floor=0.95)
            yield f"time to the first token, {name}", figure(first, pairs, "lower", floor=1.05)


def turn(load: Load, streams: int, number: int, side: int) -> Callable[[int], tuple[float, float]]:
    """A round: its tokens a second and its median seconds to the first token."""

    def one(pair: int) -> tuple[float, float]:
        texts = prompts(1000 * streams + 10 * pair + side, streams * number)
        asked = [{"at": 0.0, "prompts": texts[at * number : (at + 1) * number]} for at in range(streams)]
        answer = load.round(asked, TOKENS)
        return answer["tokens"] / answer["seconds"], Spread.of(answer["first"]).median

    return one


@contextmanager
def loaded(interpreter: str) -> Iterator[Load]:
    """A server of that version and its load client."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with serving(home, settings=UNLIMITED, interpreter=interpreter) as server:
            load = Load("http", server.url, server.key, MODEL, home=home)
            try:
                yield load
            finally:
                load.close()


def started(other: str, starts: int) -> Iterator[tuple[str, Figure]]:
    """Cold starts in turns, each version in its own home."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        keys = {}
        for interpreter, folder in ((sys.executable, first), (other, second)):
            with serving(Path(folder), interpreter=interpreter) as server:
                keys[interpreter] = server.key
        mine, theirs = alternate(
            lambda _: start(Path(first), keys[sys.executable]),
            lambda _: start(Path(second), keys[other], interpreter=other),
            starts,
        )
        spread = ratios([each.first_token for each in mine], [each.first_token for each in theirs])
        yield "cold start to the first token", figure(spread, starts, "lower", floor=1.05)


def figure(spread: Spread, pairs: int, better: Literal["higher", "lower"], floor: float) -> Figure:
    """A ratio of this version over the other."""
    against = f"the other version; {pairs} pairs, {spread.text()}"
    return Figure(spread.median, "ratio", better, floor=floor, against=against)


def version(interpreter: str) -> str:
    """What that interpreter's package calls itself."""
    asked = [interpreter, "-m", "mainspring", "--version"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", help="the Python of another checkout's environment")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--requests", type=int, default=1500, help="a round through the gateway")
    parser.add_argument("--gateway", action="store_true", help="only the gateway before a stub endpoint")
    options = parser.parse_args()
    if not options.other:
        skip("it needs another version to compare with: --other CHECKOUT/.venv/bin/python")
    print(f"{version(sys.executable)} against {version(options.other)}")
    figures: dict[str, Figure] = {}
    parts = [proxied(options.other, options.requests, options.pairs)]
    if not options.gateway:
        parts += [answered(options.other, options.pairs), started(options.other, options.starts)]
    for part in parts:
        for label, each in part:
            figures[label] = each
            print(f"{label}: {each.value:.3f} ({each.against})", flush=True)
    report("two_versions", figures)


if __name__ == "__main__":
    main()
