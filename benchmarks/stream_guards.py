"""What guards cost a stream: the time between its pieces and to the first of them, all guards on against all off.

    python benchmarks/stream_guards.py [--pairs 3] [--tokens 320] [--instant | --real] [--only NAME]

One server; two names of its default model, one under a policy that turns everything off, one under a policy that turns
everything on: rules and detectors on the question; credentials, contact data, the system prompt and links in the
answer; toxicity and relevancy of the answer by embeddings; post-processing by the default file of rules. Thresholds are
such that nothing is found: answers of both are equally long. The names take turns, each pair is compared.

What guards hold back leaves at once when an answer ends, and a burst of pieces without a pause between them would
flatter: pieces that a client gets within ``TOGETHER_S`` of each other are one arrival, and times are those between
arrivals, of long answers. Told beside the 95th percentile are the largest of them, the first piece's delay, and the
share of all pieces that came in the last arrival. The same with an engine's child that says a word each ten
milliseconds and needs no processor (``--instant``: that alone, ``--real``: the other alone; each is kept beside what
was measured of the other). Writes ``benchmarks/results/stream_guards.json``.
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

from _report import RESULTS, Figure, report, table
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


TOGETHER_S = 0.002


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer as a client got it: seconds to the first piece and between arrivals; of ``pieces`` so many came in the
    ``last`` arrival."""

    first: float
    gaps: list[float]
    pieces: int
    last: int

    @classmethod
    def of(cls, began: float, times: Sequence[float]) -> Stream:
        """From when each piece came."""
        arrivals, last = [times[0]], 1
        for before, now in itertools.pairwise(times):
            if now - before < TOGETHER_S:
                last += 1
            else:
                arrivals.append(now)
                last = 1
        gaps = [after - before for before, after in itertools.pairwise(arrivals)]
        return cls(times[0] - began, gaps, len(times), last)


@dataclass(frozen=True, slots=True)
class Side:
    """One round under one policy: milliseconds, of all its streams together; ``largest`` is that of the median stream,
    ``last`` the share of pieces that came in last arrivals."""

    p95_ms: float
    mean_ms: float
    largest_ms: float
    ttft_ms: float
    last: float


async def one(session: aiohttp.ClientSession, url: str, key: str, body: bytes) -> Stream:
    """An answer, read to its end."""
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
    return Stream.of(began, times)


class Rounds:
    """Rounds of ``streams`` requests at once against a server, no prompt twice."""

    def __init__(self, url: str, key: str, streams: int, tokens: int, repeat: int) -> None:
        self._url, self._key = url, key
        self._streams, self._tokens, self._repeat = streams, tokens, repeat
        self._asked = 0

    def run(self, name: str) -> Side:
        return asyncio.run(self._run(name))

    async def _run(self, name: str) -> Side:
        found: list[Stream] = []
        async with aiohttp.ClientSession() as session:
            for _ in range(self._repeat):
                bodies = [self._body(name) for _ in range(self._streams)]
                found += await asyncio.gather(*(one(session, self._url, self._key, body) for body in bodies))
        gaps = [gap for each in found for gap in each.gaps]
        return Side(
            1e3 * statistics.quantiles(gaps, n=20)[-1],
            1e3 * statistics.mean(gaps),
            1e3 * statistics.median(max(each.gaps) for each in found),
            1e3 * statistics.median(each.first for each in found),
            sum(each.last for each in found) / sum(each.pieces for each in found),
        )

    def _body(self, name: str) -> bytes:
        self._asked += 1
        subject = SUBJECTS[self._asked % len(SUBJECTS)]
        question = f"Number {self._asked}: explain to me how {subject} came to be what it is today."
        messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]
        return chat(name, question, self._tokens, messages=messages)


def measured(url: str, key: str, streams: int, arguments: argparse.Namespace, name: str) -> dict[str, Figure]:
    """The figures of one width."""
    rounds = Rounds(url, key, streams, arguments.tokens, 2 if streams == 1 else 1)
    for warm in ("plain", name):
        rounds.run(warm)
    ours, theirs = alternate(lambda _: rounds.run(name), lambda _: rounds.run("plain"), arguments.pairs)
    p95, mean, largest = (
        ratios([getattr(side, field) for side in ours], [getattr(side, field) for side in theirs])
        for field in ("p95_ms", "mean_ms", "largest_ms")
    )
    ttft = differences([side.ttft_ms for side in ours], [side.ttft_ms for side in theirs])
    off, most = (statistics.median(getattr(side, field) for side in theirs) for field in ("p95_ms", "largest_ms"))
    last, plain = (statistics.median(side.last for side in sides) for sides in (ours, theirs))
    wide = f"{streams} stream{'s' * (streams > 1)}, {arguments.tokens} tokens"
    pairs = f"{arguments.pairs} pairs"
    return {
        f"{wide}: time between pieces, 95th percentile": Figure(
            p95.median, "of guards off", "lower", 1.3, 1.1, f"{pairs}: {p95.text()}; off {off:.1f} ms"
        ),
        f"{wide}: time between pieces, mean": Figure(mean.median, "of guards off", "lower", against=mean.text()),
        f"{wide}: time between pieces, largest": Figure(
            largest.median, "of guards off", "lower", against=f"{largest.text()}; off {most:.1f} ms"
        ),
        f"{wide}: time to the first piece": Figure(
            ttft.median, "ms more than off", "lower", against=f"{pairs}: {ttft.text(0)} ms"
        ),
        f"{wide}: pieces that come at once at the end": Figure(
            last, "share", "lower", against=f"of all; {plain:.3f} with guards off"
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


def kept(figures: dict[str, Figure], *, instant: bool) -> dict[str, Figure]:
    """``figures`` and those of the other engine that were measured before."""
    path = RESULTS / "stream_guards.json"
    if not path.exists():
        return figures
    known = json.loads(path.read_text(encoding="utf-8"))["figures"]
    others = {
        label: Figure(**each)
        for label, each in known.items()
        if label.startswith("instant") is not instant and "tokens:" in label
    }
    return {**others, **figures} if instant else {**figures, **others}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=320)
    parser.add_argument("--only", choices=list(ALONE), default="all")
    one_of = parser.add_mutually_exclusive_group()
    one_of.add_argument("--instant", action="store_true")
    one_of.add_argument("--real", action="store_true")
    arguments = parser.parse_args()
    launcher = [str(Path(__file__).with_name("_instant.py"))]
    figures = {} if arguments.instant else run(arguments)
    if not arguments.real:
        figures |= {f"instant engine, {label}": figure for label, figure in run(arguments, launcher).items()}
    if arguments.only != "all":
        print(table(figures))
        return
    if arguments.instant or arguments.real:
        figures = kept(figures, instant=arguments.instant)
    report("stream_guards", figures)


if __name__ == "__main__":
    main()
