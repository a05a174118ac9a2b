"""What guards cost a stream: the time between its pieces and to the first of them, all guards on against all off.

    python benchmarks/stream_guards.py [--pairs 4] [--tokens 112] [--instant] [--only NAME]

One server; two names of its default model, one under a policy that turns everything off, one under a policy that turns
everything on: rules and detectors on the question; credentials, contact data, the system prompt and links in the
answer; toxicity and relevancy of the answer by embeddings; post-processing by the default file of rules. Thresholds are
such that nothing is found: answers of both are equally long. The names take turns, each pair is compared; the 95th
percentile is of the times between two frames with text as a client sees them. The same with
an engine's child that says a word each ten milliseconds and needs no processor (``--instant``: that alone, printed
only). Writes ``benchmarks/results/stream_guards.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from _report import Figure, report, table
from _server import UNLIMITED, chat, serving
from _stats import alternate, differences, ratios

MODEL = "smollm2-135m-instruct"
STEP_S = "0.01"
EVERYTHING: dict[str, Any] = {
    "injection": "refuse",
    "pii_input": "redact",
    "pii_output": "redact",
    "pii_output_kinds": "all",
    "prompt_leak": "redact",
    "canary": True,
    "links": "redact",
    "detectors": {
        "injection": "refuse",
        "toxicity": "refuse",
        "injection_above": 0.999999,
        "toxicity_above": 0.999999,
    },
    "answers": {
        "toxicity": "refuse",
        "toxicity_above": 0.999999,
        "relevancy": "refuse",
        "relevancy_below": -0.99,
        "unsupported": "redact",
    },
    "rules": "default",
}
NOTHING = {"injection": "off", "pii_input": "off", "pii_output": "off"}
# Each alone, to see what it is that costs.
ALONE = {
    "all": EVERYTHING,
    "redaction": {**NOTHING, "pii_output": "redact", "pii_output_kinds": "all", "links": "redact"},
    "content": {**NOTHING, "answers": EVERYTHING["answers"]},
    "rules": {**NOTHING, "rules": "default"},
}
SYSTEM = (
    "You are a patient teacher who explains everyday things to curious grown-ups in plain words, with examples, "
    "and never with more than a few sentences at a time."
)
SUBJECTS = "bread rain bridges clocks honey glass paper wind salt maps soap ships tea roads silk lamps".split()


@dataclass(frozen=True, slots=True)
class Side:
    """One round under one policy: milliseconds, of all its streams together."""

    p95_ms: float
    mean_ms: float
    ttft_ms: float


async def one(session: aiohttp.ClientSession, url: str, key: str, body: bytes) -> tuple[float, list[float]]:
    """Seconds to the first text, and between each two frames with text."""
    began, times = time.perf_counter(), []
    tail = b""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    async with session.post(f"{url}/v1/chat/completions", data=body, headers=headers) as response:
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {await response.text()}")
        async for part in response.content.iter_any():
            now = time.perf_counter()
            frames = (tail + part).split(b"\n\n")
            tail = frames.pop()
            for frame in frames:
                if b'"content":"' in frame and b'"content":""' not in frame:
                    times.append(now)
                elif b"content_filter" in frame:
                    raise RuntimeError("an answer was refused: both sides must be equally long")
    if not times:
        raise RuntimeError("an answer held no text")
    return times[0] - began, [after - before for before, after in itertools.pairwise(times)]


class Rounds:
    """Rounds of ``streams`` requests at once against a server, no prompt twice."""

    def __init__(self, url: str, key: str, streams: int, tokens: int, repeat: int) -> None:
        self._url, self._key = url, key
        self._streams, self._tokens, self._repeat = streams, tokens, repeat
        self._asked = 0

    def run(self, name: str) -> Side:
        return asyncio.run(self._run(name))

    async def _run(self, name: str) -> Side:
        first: list[float] = []
        gaps: list[float] = []
        async with aiohttp.ClientSession() as session:
            for _ in range(self._repeat):
                bodies = [self._body(name) for _ in range(self._streams)]
                for ttft, between in await asyncio.gather(*(one(session, self._url, self._key, b) for b in bodies)):
                    first.append(ttft)
                    gaps += between
        p95 = statistics.quantiles(gaps, n=20)[-1]
        return Side(1e3 * p95, 1e3 * statistics.mean(gaps), 1e3 * statistics.median(first))

    def _body(self, name: str) -> bytes:
        self._asked += 1
        subject = SUBJECTS[self._asked % len(SUBJECTS)]
        question = f"Number {self._asked}: explain to me how {subject} came to be what it is today."
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        return chat(name, question, self._tokens, messages=messages)


def measured(url: str, key: str, streams: int, arguments: argparse.Namespace, name: str) -> dict[str, Figure]:
    """The figures of one width."""
    rounds = Rounds(url, key, streams, arguments.tokens, 3 if streams == 1 else 1)
    for warm in ("plain", name):
        rounds.run(warm)
    ours, theirs = alternate(lambda _: rounds.run(name), lambda _: rounds.run("plain"), arguments.pairs)
    p95 = ratios([side.p95_ms for side in ours], [side.p95_ms for side in theirs])
    mean = ratios([side.mean_ms for side in ours], [side.mean_ms for side in theirs])
    ttft = differences([side.ttft_ms for side in ours], [side.ttft_ms for side in theirs])
    off = statistics.median(side.p95_ms for side in theirs)
    wide = f"{streams} stream{'s' * (streams > 1)}"
    pairs = f"{arguments.pairs} pairs"
    return {
        f"{wide}: time between pieces, 95th percentile": Figure(
            p95.median, "of guards off", "lower", 1.3, 1.1, f"{pairs}: {p95.text()}; off {off:.1f} ms"
        ),
        f"{wide}: time between pieces, mean": Figure(mean.median, "of guards off", "lower", against=mean.text()),
        f"{wide}: time to the first piece": Figure(
            ttft.median, "ms more than off", "lower", against=f"{pairs}: {ttft.text(0)} ms"
        ),
    }


def run(arguments: argparse.Namespace, launcher: Sequence[str] = ()) -> dict[str, Figure]:
    """All widths on one server."""
    routes = {name: {"arms": {"only": {"model": MODEL}}} for name in ("plain", *ALONE)}
    policies = {name: {"applications": [name], **policy} for name, policy in {"plain": NOTHING, **ALONE}.items()}
    settings = {
        **UNLIMITED,
        "MAINSPRING_SERVING__ROUTES": json.dumps(routes),
        "MAINSPRING_GUARDS__POLICIES": json.dumps({f"p-{name}": policy for name, policy in policies.items()}),
        "STEP_S": STEP_S,
    }
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), python=launcher, settings=settings) as server:
        for streams in (1, 8):
            figures |= measured(server.url, server.key, streams, arguments, arguments.only)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=112)
    parser.add_argument("--only", choices=list(ALONE), default="all")
    parser.add_argument("--instant", action="store_true")
    arguments = parser.parse_args()
    launcher = [str(Path(__file__).with_name("_instant.py"))]
    if arguments.instant:
        print(table(run(arguments, launcher)))
        return
    figures = run(arguments)
    figures |= {f"instant engine, {label}": figure for label, figure in run(arguments, launcher).items()}
    if arguments.only == "all":
        report("stream_guards", figures)
    else:
        print(table(figures))


if __name__ == "__main__":
    main()
