"""Overload: throughput, latency, and the speed of refusals when requests exceed the machine's capacity.

    python benchmarks/overload.py [--rounds 2] [--seconds 45] [--tokens 64] [--sequences 16] [--instant]

A real server with the default engine, and open traffic of half, one, two and four times its capacity: requests arrive
at random (Poisson) whether or not others have been answered, all of one length, from one tenant; last four times the
capacity from two tenants of whom one asks ten times as much as the other. The capacity is what requests that follow
one another in as many streams as the engine has slots are served, before and after each of these phases. What arrives
in the first fifth of a phase warms it up and is not counted. The client is a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _report import Figure, report
from _server import UNLIMITED, Server, environment, serving

MODEL = "smollm2-135m-instruct"
CLIENT = Path(__file__).parent / "overload_client.py"
LOADS = (0.5, 1.0, 2.0, 4.0)
WARM_UP = 0.2
WORDS = "amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean prairie".split()
LOUD, QUIET = "loud", "quiet"


@dataclass(frozen=True, slots=True)
class Request:
    """What became of one request; times in seconds, ``at`` since its phase began."""

    tenant: str
    at: float
    status: int
    first: float | None
    seconds: float
    tokens: int
    retry_after: str | None


class Client:
    """The client's process, beside one server."""

    def __init__(self, server: Server, keys: Mapping[str, str]) -> None:
        self._keys = dict(keys)
        self._names = {key: name for name, key in keys.items()}
        command = [sys.executable, str(CLIENT), server.url, MODEL]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._answer()

    def run(self, phase: dict[str, Any]) -> list[Request]:
        """One phase, with tenants instead of keys. Raises ``RuntimeError`` when the client ended."""
        if "key" in phase:
            phase = {**phase, "key": self._keys[phase["key"]]}
        else:
            arrivals = [[at, self._keys[tenant], prompt] for at, tenant, prompt in phase["arrivals"]]
            phase = {**phase, "arrivals": arrivals}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(phase) + "\n")
        self._process.stdin.flush()
        return [Request(self._names[key], *rest) for key, *rest in self._answer()["requests"]]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load client ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


def prompts(seed: int, count: int) -> list[str]:
    """Prompts of one length that differ from their first word on."""
    draw = random.Random(seed)
    return [f"{' '.join(draw.choices(WORDS, k=32))}. Go on with this list of words." for _ in range(count)]


def arrivals(seed: int, rates: Mapping[str, float], seconds: float) -> list[tuple[float, str, str]]:
    """Poisson arrivals of each tenant at its rate (requests a second): (time, tenant, prompt)."""
    draw, found = random.Random(seed), []
    for tenant, rate in rates.items():
        at = draw.expovariate(rate)
        while at < seconds:
            found.append((at, tenant))
            at += draw.expovariate(rate)
    found.sort()
    texts = prompts(seed, len(found))
    return [(at, tenant, text) for (at, tenant), text in zip(found, texts, strict=True)]


@dataclass(frozen=True, slots=True)
class Measured:
    """One phase: what it was asked for and got, within the part that counts. ``capacity`` (tokens a second) is the mean
    of what was measured just before and just after it."""

    load: float
    capacity: float
    goodput: float
    """Tokens a second of whole answers."""
    latencies: list[float]
    refusals: list[float]
    tenants: dict[str, float]
    """Tokens a second of each tenant."""
    broken: int


def measured(requests: Sequence[Request], load: float, begin: float, end: float, tokens: int) -> Measured:
    """What the phase's part between ``begin`` and ``end`` shows. Of a whole answer that part counts that was served in
    it, as if its tokens came evenly: answers end in bunches, and one more or less would decide."""
    came = [each for each in requests if begin <= each.at < end]
    whole = [each for each in requests if each.status == 200 and each.tokens == tokens]
    tenants = {
        name: sum(_within(each, begin, end) for each in whole if each.tenant == name) / (end - begin)
        for name in sorted({each.tenant for each in requests})
    }
    return Measured(
        load,
        0.0,
        sum(tenants.values()),
        [each.seconds for each in came if each.status == 200 and each.tokens == tokens],
        [each.seconds for each in came if each.status in (429, 503)],
        tenants,
        sum(each.status not in (200, 429, 503) or (each.status == 200 and each.tokens != tokens) for each in came),
    )


def _within(request: Request, begin: float, end: float) -> float:
    """Tokens of an answer that came between ``begin`` and ``end``, as if they came evenly."""
    first, last = request.at + (request.first or 0.0), request.at + request.seconds
    return request.tokens * max(0.0, min(last, end) - max(first, begin)) / max(last - first, 1e-6)


@dataclass(frozen=True, slots=True)
class Round:
    """One phase after the other on the same server."""

    phases: dict[float, Measured]
    shared: Measured


@dataclass(frozen=True, slots=True)
class Plan:
    """Lengths of the phases in seconds, of the answers in tokens; ``streams`` are the engine's slots."""

    seconds: float
    tokens: int
    streams: int


def play(client: Client, seed: int, plan: Plan) -> Round:
    """All loads and the two tenants; the capacity, which others' work on the machine changes, around each of them."""
    capacity = _capacity(client, seed, plan)
    phases: dict[float, Measured] = {}
    shared: Measured | None = None
    for number, load in enumerate((*LOADS, None)):
        rate = capacity / plan.tokens
        rates = {LOUD: 40 / 11 * rate, QUIET: 4 / 11 * rate} if load is None else {LOUD: load * rate}
        when = arrivals(seed + 1 + number, rates, plan.seconds)
        requests = client.run({"arrivals": when, "max_tokens": plan.tokens})
        seen = measured(requests, load or 4.0, WARM_UP * plan.seconds, plan.seconds, plan.tokens)
        after = _capacity(client, seed + 100 + number, plan)
        seen = dataclasses.replace(seen, capacity=(capacity + after) / 2)
        _show(seen)
        capacity = after
        if load is None:
            shared = seen
        else:
            phases[load] = seen
    assert shared is not None
    return Round(phases, shared)


def _capacity(client: Client, seed: int, plan: Plan) -> float:
    """Tokens a second in as many streams as there are slots."""
    seconds = plan.seconds / 3
    closed = {"key": LOUD, "streams": plan.streams, "seconds": seconds, "prompts": prompts(seed, 1024), "spread": 1.0}
    requests = client.run({**closed, "max_tokens": plan.tokens})
    return measured(requests, 0.0, WARM_UP * seconds, seconds, plan.tokens).goodput


def _p(values: Sequence[float], percent: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _show(phase: Measured) -> None:
    refused = len(phase.refusals) / max(1, len(phase.refusals) + len(phase.latencies))
    shares = {name: round(rate / phase.capacity, 3) for name, rate in phase.tenants.items()}
    p50, p95, p99 = (_p(phase.latencies, percent) for percent in (50, 95, 99))
    quick, slow = (1e3 * _p(phase.refusals, percent) for percent in (50, 99))
    print(
        f"{phase.load:.1f}x: goodput {phase.goodput / phase.capacity:.3f} of {phase.capacity:.0f} tokens/s; "
        f"admitted p50 {p50:.2f} p95 {p95:.2f} p99 {p99:.2f} s; "
        f"refused {refused:.2f}, in p50 {quick:.0f} p99 {slow:.0f} ms; broken {phase.broken}; {shares}",
        flush=True,
    )


def figures(rounds: Sequence[Round]) -> dict[str, Figure]:
    """Medians over the rounds, each of a ratio within its round."""

    def median(values: Sequence[float]) -> float:
        return round(statistics.median(values), 4)

    shown: dict[str, Figure] = {}
    for load in LOADS:
        top = load == 4.0
        shown[f"goodput at {load:g}x"] = Figure(
            median([each.phases[load].goodput / each.phases[load].capacity for each in rounds]),
            "of capacity",
            "higher",
            floor=0.9 if top else None,
            aim=0.97 if top else None,
            against=f"{median([each.phases[load].capacity for each in rounds]):.0f} tokens/s; {len(rounds)} rounds",
        )
        for percent in (95, 99):
            shown[f"admitted p{percent} at {load:g}x"] = Figure(
                median([_p(each.phases[load].latencies, percent) for each in rounds]), "s", "lower"
            )
    ratios = [_p(each.phases[4.0].latencies, 95) / _p(each.phases[1.0].latencies, 95) for each in rounds]
    shown["admitted p95 at 4x"] = Figure(
        median(ratios), "ratio", "lower", floor=1.5, aim=1.25, against="the p95 at 1x in the same round"
    )
    refusals = [each for one in rounds for each in (*one.phases[4.0].refusals, *one.shared.refusals)]
    for percent, floor in ((50, None), (95, None), (99, 50.0)):
        shown[f"refused at 4x, p{percent}"] = Figure(
            round(1e3 * _p(refusals, percent), 1), "ms", "lower", floor=floor, against=f"{len(refusals)} refusals"
        )
    asked = 4 / 11
    quiet = [each.shared.tenants.get(QUIET, 0.0) / each.shared.capacity / asked for each in rounds]
    shown["the quiet of two tenants at 10:1 gets"] = Figure(
        median(quiet),
        "of what it asks for",
        "higher",
        floor=0.9,
        against="it asks for 0.36 of capacity, its share is 0.5",
    )
    shown["both of two tenants at 10:1 get"] = Figure(
        median([each.shared.goodput / each.shared.capacity for each in rounds]), "of capacity", "higher"
    )
    broken = sum(phase.broken for one in rounds for phase in (*one.phases.values(), one.shared))
    shown["answers neither whole nor refused"] = Figure(broken, "requests", "lower")
    return shown


def key_of(tenant: str, home: Path, *scopes: str) -> str:
    """A new key of that tenant, with the scope of chats or those that are named."""
    command = [sys.executable, "-m", "mainspring", "keys", "create", tenant, "--tenant", tenant, "--json"]
    command += [word for scope in scopes for word in ("--scope", scope)]
    made = subprocess.run(command, env=environment(home), cwd=home, capture_output=True, text=True, check=True)
    secret: str = json.loads(made.stdout)["data"]["secret"]
    return secret


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=45.0, help="of each of the five phases of a round")
    parser.add_argument("--tokens", type=int, default=64, help="tokens of each answer")
    parser.add_argument("--sequences", type=int, default=16, help="sequences that the engine runs at once")
    parser.add_argument("--dry", action="store_true", help="write no result")
    parser.add_argument("--instant", action="store_true", help="an engine's child that only waits, 50 ms a step")
    options = parser.parse_args()
    settings = {**UNLIMITED, "MAINSPRING_ENGINES__MAX_SEQUENCES": str(options.sequences), "STEP_S": "0.05"}
    python = [str(Path(__file__).with_name("_instant.py"))] if options.instant else []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(serving(home, python=python, settings=settings))
        client = Client(server, {name: key_of(name, home) for name in (LOUD, QUIET)})
        stack.callback(client.close)
        rounds = [
            play(client, 1000 * number, Plan(options.seconds, options.tokens, options.sequences))
            for number in range(options.rounds)
        ]
    if options.dry or options.instant:
        for name, figure in figures(rounds).items():
            print(f"{name}: {figure.value} {figure.unit} {figure.verdict}")
        return
    report("overload", figures(rounds))


if __name__ == "__main__":
    main()
