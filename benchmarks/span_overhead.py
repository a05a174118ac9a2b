"""What tracing costs: throughput of 32 streams with all spans kept against tracing off.

    python benchmarks/span_overhead.py [--pairs 3] [--instant-pairs 5] [--tokens 32]

Two real servers with everything else alike run side by side, one that keeps all spans (``telemetry.sample: 1``), the
other without tracing. They take turns under the same load, and each pair is compared. Once with the default engine,
which is what people wait for; once with an engine's child that answers at once, so that the path is all there is and
the cost of spans shows most.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report, table
from _server import UNLIMITED, Server, cpu_seconds, serving
from _stats import alternate, ratios
from path_overhead import MODEL, STREAMS, Load, load

ON = {"MAINSPRING_TELEMETRY__SAMPLE": "1"}
OFF = {"MAINSPRING_TELEMETRY__TRACING": "false"}


@dataclass(frozen=True, slots=True)
class Round:
    """Tokens a second, and microseconds of the server's CPU a token."""

    tokens_a_second: float
    server_us: float


@dataclass(frozen=True, slots=True)
class Side:
    """A server and who loads it: each stream asks ``times`` two requests."""

    server: Server
    client: Load
    home: Path
    times: int

    def load(self, seed: int) -> list[dict[str, Any]]:
        """The streams of a round."""
        streams = load(seed * 1_000)
        for more in range(1, self.times):
            for stream, other in zip(streams, load(seed * 1_000 + more), strict=True):
                stream["prompts"] += other["prompts"]
        return streams

    def round(self, seed: int, tokens: int) -> Round:
        before = cpu_seconds(self.server.pid)
        answer = self.client.round(self.load(seed), tokens)
        used = cpu_seconds(self.server.pid) - before
        return Round(answer["tokens"] / answer["seconds"], 1e6 * used / answer["tokens"])

    def spans(self) -> int:
        """How many are kept, once the writer has come to rest."""
        time.sleep(1.0)
        with sqlite3.connect(self.home / "spans.db") as database:
            (count,) = database.execute("SELECT COUNT(*) FROM spans").fetchone()
        return int(count)


@contextmanager
def side(settings: Mapping[str, str], *, instant: bool, times: int) -> Iterator[Side]:
    """A server in an empty home with ``settings``, under load from a process of its own."""
    launcher = [str(Path(__file__).with_name("_instant.py"))] if instant else []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving(home, python=launcher, settings={**UNLIMITED, **settings}))
        client = Load("http", server.url, server.key, MODEL, home=home)
        stack.callback(client.close)
        yield Side(server, client, home, times)


def measure(label: str, pairs: int, tokens: int, *, instant: bool, times: int = 1) -> dict[str, Figure]:
    """Both sides in turns. Raises ``RuntimeError`` where one did not trace or the other did."""
    with side(ON, instant=instant, times=times) as on, side(OFF, instant=instant, times=times) as off:
        alternate(lambda seed: on.round(1_000 + seed, 16), lambda seed: off.round(1_000 + seed, 16), 1)
        with_spans, without = alternate(
            lambda seed: on.round(2_000 + seed, tokens), lambda seed: off.round(2_000 + seed, tokens), pairs
        )
        kept, none = on.spans(), off.spans()
    requests = (pairs + 1) * sum(len(stream["prompts"]) for stream in on.load(0))
    if none or kept < 10 * requests:
        raise RuntimeError(f"{kept} spans of {requests} requests are kept, and {none} where there should be none")
    rate = ratios([each.tokens_a_second for each in with_spans], [each.tokens_a_second for each in without])
    cost = (
        statistics.median(each.server_us for each in with_spans),
        statistics.median(each.server_us for each in without),
    )
    base = statistics.median(each.tokens_a_second for each in without)
    return {
        f"throughput with all spans, {label}": Figure(
            rate.median,
            "ratio",
            "higher",
            floor=0.97,
            aim=0.99,
            against=f"tracing off, {base:.0f} tokens/s; {STREAMS} streams, {pairs} pairs, {rate.text(3)}",
        ),
        f"server CPU with all spans, {label}": Figure(
            cost[0], "us/token", "lower", against=f"tracing off: {cost[1]:.1f}; answers of {tokens} tokens"
        ),
        f"spans a request, {label}": Figure(round(kept / requests, 1), "spans", "lower"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of rounds with the default engine")
    parser.add_argument("--instant-pairs", type=int, default=5, help="pairs of rounds with one that answers at once")
    parser.add_argument("--tokens", type=int, default=32, help="tokens of each answer")
    options = parser.parse_args()
    # The one that answers at once keeps the server busy all the time, and is asked enough for a round to last.
    figures = measure("instant engine", options.instant_pairs, options.tokens, instant=True, times=6)
    print(table(figures), flush=True)
    figures |= measure("default engine", options.pairs, options.tokens, instant=False)
    report("span_overhead", figures)


if __name__ == "__main__":
    main()
