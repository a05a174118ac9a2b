"""What the gateway and the whole path cost over the engine itself.

    python benchmarks/path_overhead.py [--pairs 7] [--singles 40] [--tokens 96] [--instant] [--profile FILE]

One side is a real server with the default policy (keys, limits, guards, records, traces), loaded by an aiohttp client
in a process of its own. The other is the same engine child under a bare asyncio process. Both get the same prompts,
which neither has seen before, at the same arrivals, with answers of a fixed length; they take turns, and each pair is
compared. The strict policy (contact data redacted in answers too) is measured for its time to the first token.

``--instant`` measures the path alone, on both sides with an engine's child that answers at once: the lower quartile of
what a first token takes more, and CPU a token, which a busy machine hardly changes. ``--profile`` runs the server under
cProfile instead. Either prints and writes no result.
"""

from __future__ import annotations

import argparse
import json
import pstats
import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report
from _server import UNLIMITED, Server, cpu_seconds, engine_child, environment, serving
from _stats import Spread, alternate, differences, ratios

MODEL = "smollm2-135m-instruct"
STREAMS = 32
REQUESTS_A_STREAM = 2
ARRIVALS_S = 0.5
WORDS = (
    "river stone copper engine garden winter letter market signal bridge forest kettle paper harbour ladder window "
    "valley thread anchor candle border summer metal pocket island canvas marble hunter silver bottle orchard mirror"
).split()


@dataclass(frozen=True, slots=True)
class Measured:
    """One round on one side: tokens a second, microseconds of CPU a token by process, tokens of the prompts."""

    tokens_a_second: float
    client_us: float
    engine_us: float
    server_us: float
    prompt_tokens: int


class Load:
    """A load client's process."""

    def __init__(self, *arguments: str, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("load_client.py")), *arguments],
            env=environment(home),
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._watchdog = threading.Timer(600, self.process.kill)
        self._watchdog.start()
        self._read()

    def round(self, streams: Sequence[dict[str, Any]], max_tokens: int) -> dict[str, Any]:
        """One round. Raises ``RuntimeError`` when the client failed."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"streams": streams, "max_tokens": max_tokens}) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load client ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End of input ends the client, which ends its engine."""
        self._watchdog.cancel()
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, running."""

    server: Server
    server_engine: int
    http: Load
    direct: Load
    direct_engine: int

    def through_server(self, streams: Sequence[dict[str, Any]], max_tokens: int) -> Measured:
        before = cpu_seconds(self.server.pid), cpu_seconds(self.server_engine)
        answer = self.http.round(streams, max_tokens)
        after = cpu_seconds(self.server.pid), cpu_seconds(self.server_engine)
        tokens = answer["tokens"]
        return Measured(
            tokens / answer["seconds"],
            1e6 * answer["cpu"] / tokens,
            1e6 * (after[1] - before[1]) / tokens,
            1e6 * (after[0] - before[0]) / tokens,
            answer["prompt_tokens"],
        )

    def driven_directly(self, streams: Sequence[dict[str, Any]], max_tokens: int) -> Measured:
        before = cpu_seconds(self.direct_engine)
        answer = self.direct.round(streams, max_tokens)
        after = cpu_seconds(self.direct_engine)
        tokens = answer["tokens"]
        return Measured(
            tokens / answer["seconds"],
            1e6 * answer["cpu"] / tokens,
            1e6 * (after - before) / tokens,
            0.0,
            answer["prompt_tokens"],
        )


@contextmanager
def sides(
    python: Sequence[str] = (), settings: Mapping[str, str] = UNLIMITED, *, instant: bool = False
) -> Iterator[Sides]:
    """Start everything in an empty home; end everything on leaving. ``instant``: with children that answer at once."""
    child = "_instant" if instant else "mainspring.engines.openvino.child"
    launcher = [str(Path(__file__).with_name("_instant.py"))] if instant else []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving(home, python=[*python, *launcher], settings=settings))
        http = Load("http", server.url, server.key, MODEL, home=home)
        stack.callback(http.close)
        direct = Load("direct", MODEL, *(["instant"] if instant else []), home=home)
        stack.callback(direct.close)
        yield Sides(server, engine_child(server.pid, child), http, direct, engine_child(direct.process.pid, child))


def prompts(seed: int, count: int, words: int = 48) -> list[str]:
    """Prompts of one length that differ from their first word on."""
    draw = random.Random(seed)
    return [f"{' '.join(draw.choices(WORDS, k=words))}. Go on with this list of words." for _ in range(count)]


def load(seed: int) -> list[dict[str, Any]]:
    """The streams of one round: who arrives when, asking what."""
    texts = prompts(seed, STREAMS * REQUESTS_A_STREAM)
    draw = random.Random(-seed)
    return [
        {
            "at": draw.uniform(0, ARRIVALS_S),
            "prompts": texts[number * REQUESTS_A_STREAM : (number + 1) * REQUESTS_A_STREAM],
        }
        for number in range(STREAMS)
    ]


def single(seed: int) -> list[dict[str, Any]]:
    """One stream with one request."""
    return [{"at": 0.0, "prompts": prompts(seed, 1)}]


def texts(answer: dict[str, Any]) -> list[tuple[float, int]]:
    """The first texts of a single request: milliseconds, and characters until then."""
    return [(1e3 * seconds, characters) for seconds, characters in answer["shown"][0]]


def reached(shown: Sequence[tuple[float, int]], characters: int) -> float:
    """When ``characters`` were there. Raises ``RuntimeError`` where they never were."""
    for at, until_then in shown:
        if until_then >= characters:
            return at
    raise RuntimeError(f"the engine did not give {characters} characters within its first texts")


def measure(running: Sides, pairs: int, singles: int, tokens: int) -> dict[str, Figure]:
    """All figures. Raises ``RuntimeError`` when both sides were not asked the same."""
    alternate(
        lambda seed: running.through_server(load(1_000 + seed), 16),
        lambda seed: running.driven_directly(load(1_000 + seed), 16),
        1,
    )
    ours, theirs = alternate(
        lambda seed: running.through_server(load(2_000 + seed), tokens),
        lambda seed: running.driven_directly(load(2_000 + seed), tokens),
        pairs,
    )
    if [each.prompt_tokens for each in ours] != [each.prompt_tokens for each in theirs]:
        raise RuntimeError("the two sides counted different prompts")
    shown, shown_directly = first_texts(running, singles)
    first, first_directly = [each[0][0] for each in shown], [each[0][0] for each in shown_directly]
    same = [reached(direct, each[0][1]) for each, direct in zip(shown, shown_directly, strict=True)]
    rates, direct_rates = [m.tokens_a_second for m in ours], [m.tokens_a_second for m in theirs]
    kept, added = ratios(rates, direct_rates), differences(first, first_directly)
    waited = differences(same, first_directly)
    direct_rate = statistics.median(direct_rates)
    return {
        f"throughput, {STREAMS} streams": Figure(
            kept.median,
            "ratio",
            "higher",
            floor=0.95,
            aim=0.98,
            against=f"the engine driven directly, {direct_rate:.0f} tokens/s; {pairs} pairs, {kept.text(3)}",
        ),
        "added time to first token": Figure(
            added.median,
            "ms",
            "lower",
            floor=5.0,
            aim=2.0,
            against=f"the engine driven directly, {statistics.median(first_directly):.0f} ms; {singles} pairs",
        ),
        "added time to the same text": Figure(
            differences(first, same).median,
            "ms",
            "lower",
            against=f"when the engine had what the gateway shows first; {waited.median:.1f} ms later than its first "
            "token, where that may be the beginning of something that is redacted",
        ),
        "throughput through the gateway": Figure(statistics.median(rates), "tokens/s", "higher"),
        **_costs(ours, theirs),
    }


def first_texts(running: Sides, singles: int) -> tuple[list[list[tuple[float, int]]], list[list[tuple[float, int]]]]:
    """The first texts of single requests, through the server and driven directly."""
    return alternate(
        lambda seed: texts(running.http.round(single(3_000 + seed), 8)),
        lambda seed: texts(running.direct.round(single(3_000 + seed), 8)),
        singles,
    )


def strict(singles: int) -> dict[str, Figure]:
    """What the strict policy adds to the first token."""
    with sides(settings={**UNLIMITED, "MAINSPRING_GUARDS__PII_OUTPUT_KINDS": "all"}) as running:
        first_texts(running, 1)
        shown, directly = first_texts(running, singles)
    added = differences([each[0][0] for each in shown], [each[0][0] for each in directly])
    against = f"every word waits for its end; {singles} pairs"
    return {"added time to first token, strict policy": Figure(added.median, "ms", "lower", against=against)}


def instant(pairs: int, singles: int, tokens: int) -> None:
    """Print what the path takes by itself. A step of the engine lasts 20 ms."""
    with sides(settings={**UNLIMITED, "STEP_S": "0.02"}, instant=True) as running:
        first_texts(running, 3)
        shown, directly = first_texts(running, singles)
        running.through_server(load(1_000), 16)
        costs = [running.through_server(load(2_000 + seed), tokens).server_us for seed in range(pairs)]
    first, first_directly = ([each[0][0] for each in side] for side in (shown, directly))
    quartiles = [statistics.quantiles(side, n=4)[0] for side in (first, first_directly)]
    print(f"first token: lower quartile {quartiles[0]:.2f} ms, driven directly {quartiles[1]:.2f} ms;", end=" ")
    print(f"least {min(first):.2f} and {min(first_directly):.2f} ms; {singles} pairs")
    print(f"server CPU: {statistics.median(costs):.1f} us/token ({Spread.of(costs).text(1)}; {pairs} rounds)")


def _costs(ours: Sequence[Measured], theirs: Sequence[Measured]) -> dict[str, Figure]:
    def cost(values: Sequence[float], against: str = "") -> Figure:
        return Figure(round(Spread.of(values).median, 1), "us/token", "lower", against=against)

    return {
        "server CPU": cost([each.server_us for each in ours], "without the engine's process"),
        "load client CPU": cost([each.client_us for each in ours], "shares the machine with the server"),
        "engine CPU, through the gateway": cost([each.engine_us for each in ours]),
        "engine CPU, driven directly": cost([each.engine_us for each in theirs]),
        "driver CPU, driven directly": cost([each.client_us for each in theirs]),
    }


def profile(target: Path, tokens: int) -> None:
    """Load the server under cProfile and print what it spent its time on."""
    with sides(python=["-m", "cProfile", "-o", str(target.resolve())]) as running:
        for seed in range(4):
            running.through_server(load(4_000 + seed), tokens)
    statistics_of = pstats.Stats(str(target))
    statistics_of.sort_stats("tottime").print_stats(40)
    statistics_of.sort_stats("cumulative").print_stats(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7, help="pairs of rounds with 32 streams")
    parser.add_argument("--singles", type=int, default=40, help="pairs of single requests")
    parser.add_argument("--tokens", type=int, default=96, help="tokens of each answer")
    parser.add_argument("--instant", action="store_true", help="the path alone, with an engine that answers at once")
    parser.add_argument("--profile", type=Path, help="profile the server into this file instead")
    options = parser.parse_args()
    if options.profile:
        profile(options.profile, options.tokens)
        return
    if options.instant:
        instant(options.pairs, options.singles, options.tokens)
        return
    with sides() as running:
        figures = measure(running, options.pairs, options.singles, options.tokens)
    report("path_overhead", figures | strict(options.singles))


if __name__ == "__main__":
    main()
