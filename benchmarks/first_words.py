"""How long people wait for an answer: the support agent and the assistant, as a client of a real server sees it.

    python benchmarks/first_words.py [--part support ...] [--dialogues 67] [--seconds 600] [--model NAME]

``mainspring up`` is started with the sample shop, the handbook and the models that a newcomer has (the small and the
larger one), and asked over HTTP with ``stream``, one message after the other. ``support``: the dialogues that may be
looked at, with their scripted customers, of which each has a session of its own. ``assistant``: everyday questions and
sums, five to a conversation; sums are answered without a model, and counted apart. Before each of its questions the
model behind it is asked the same, bare, up to its first words: the baseline. First words are the first piece of text
that is not empty; none of the answers comes from a cache. Floors are those of the applications' budgets. Seconds on the
clock are those of this machine, whatever else it did (``others`` says how busy it was); ``CPU`` is what the server and
its engines used until then, which is what people wait for on a machine with one free core, and more than with two.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

from _everyday import FACTS, SUMS
from _report import Figure, report
from _server import cpu_seconds, serving
from _shop_customer import Customer, dialogues

HANDBOOK = Path(__file__).parent.parent / "samples/handbook"
LARGER = "qwen2.5-coder-1.5b-instruct"
TURNS, TALK = 6, 5


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds to the first words and to the end of an answer (on the clock, and of CPU to the first words), and its
    text."""

    part: str
    first: float
    cpu: float
    whole: float
    text: str


def used(pid: int) -> float:
    """CPU seconds of a process and of all below it."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            below.setdefault(int(entry.read_bytes().rpartition(b")")[2].split()[1]), []).append(int(entry.parent.name))
    found, waiting = 0.0, [pid]
    while waiting:
        each = waiting.pop()
        with contextlib.suppress(OSError):
            found += cpu_seconds(each)
        waiting += below.get(each, ())
    return found


class Client:
    """Asks a server, and looks at the clock."""

    def __init__(self, url: str, key: str, pid: int) -> None:
        self._pid = pid
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=300)

    def ask(self, part: str, model: str, text: str, session: str = "", *, whole: bool = True, **more: object) -> Waited:
        """One message of a conversation; without ``whole`` the answer is left after its first words."""
        asked = {"model": model, "messages": [{"role": "user", "content": text}], "stream": True, **more}
        asked |= {"session_id": session} if session else {}
        asked["options"] = {"cache": False}
        said: list[str] = []
        before = used(self._pid)
        first, cpu, began = 0.0, 0.0, time.perf_counter()
        with self._http.stream("POST", "/v1/chat/completions", json=asked) as answer:
            if answer.status_code != 200:
                raise RuntimeError(answer.read().decode())
            for line in answer.iter_lines():
                if not line.startswith("data: {"):
                    continue
                chunk = json.loads(line[6:])
                text = "".join(each["delta"].get("content") or "" for each in chunk.get("choices", ()))
                if text and not said:
                    first = time.perf_counter() - began
                    cpu = used(self._pid) - before
                    if not whole:
                        break
                said += [text] if text else []
        return Waited(part, first, cpu, time.perf_counter() - began, "".join(said))


def support(client: Client, count: int) -> Iterator[Waited]:
    """Customers of the shop."""
    chosen = [each for each in dialogues() if each.part == "development"][:count]
    for dialogue in chosen:
        customer, session = Customer(dialogue), f"wait-{uuid.uuid4().hex}"
        line: str | None = customer.opening()
        for _ in range(TURNS):
            if line is None:
                break
            waited = client.ask("support", "support", line, session)
            yield waited
            line = customer.answer(waited.text)


def assistant(client: Client, model: str) -> Iterator[Waited]:
    """People who ask this and that."""
    asked = [("assistant", text) for text, _ in FACTS] + [("assistant, sums", text) for text, _ in SUMS]
    session = ""
    for place, (part, text) in enumerate(asked):
        if place % TALK == 0:
            session = f"wait-{uuid.uuid4().hex}"
        yield client.ask("bare model", model, text, whole=False, max_tokens=64)
        yield client.ask(part, "assistant", text, session, max_tokens=64)


def figures_of(found: Sequence[Waited]) -> dict[str, Figure]:
    """Medians and 95th percentiles, with n; the middle half as range."""
    made: dict[str, Figure] = {}

    def add(part: str, what: str, of: Callable[[Waited], float], share: int, floor: float | None = None) -> None:
        values = [of(each) for each in found if each.part == part]
        if values:
            low, high = np.percentile(values, [25, 75])
            told = f"{len(values)} answers, middle half {low:.3f} to {high:.3f}"
            value = float(np.percentile(values, share))
            made[f"{part}: {what}, p{share}"] = Figure(value, "s", "lower", floor, against=told)

    for part, first, floor_first, whole in (
        ("support", 95, 1.0, 5.0),
        ("assistant", 50, 2.0, None),
        ("assistant, sums", 50, 2.0, None),
        ("bare model", 50, None, None),
    ):
        for share in (50, 95):
            add(part, "first words", lambda each: each.first, share, floor_first if share == first else None)
            add(part, "CPU to the first words", lambda each: each.cpu, share)
            if part != "bare model":
                add(part, "whole answer", lambda each: each.whole, share, whole if share == 95 else None)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", default=["support", "assistant"], choices=["support", "assistant"])
    parser.add_argument("--dialogues", type=int, default=67)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop each part after about so many")
    parser.add_argument("--model", default=LARGER, help="the larger model")
    arguments = parser.parse_args()
    found: list[Waited] = []
    settings = {"MAINSPRING_SUPPORT__SHOP": "sample", "MAINSPRING_MODELS__LARGER": arguments.model}
    with (
        tempfile.TemporaryDirectory() as home,
        serving(Path(home), "--ingest", str(HANDBOOK), settings=settings, patience_s=300) as server,
    ):
        client = Client(server.url, server.key, server.pid)
        for name in arguments.part:
            ends = time.monotonic() + arguments.seconds
            waits = support(client, arguments.dialogues) if name == "support" else assistant(client, arguments.model)
            # What is loaded with the first request of all is no wait of people.
            next(waits)
            for waited in waits:
                found.append(waited)
                if time.monotonic() > ends:
                    break
    report("first_words", figures_of(found))


if __name__ == "__main__":
    main()
