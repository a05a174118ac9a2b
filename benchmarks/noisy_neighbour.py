"""One tenant beside a hostile one: p95 of its calls beside each kind of load, compared with none.

    python benchmarks/noisy_neighbour.py [--things "34 long chats" "12 MB ingests" ...] [--seconds 25] [--dry]

One server with the default models and a remote model that answers at once. The quiet tenant calls, one after the other,
that remote model (what the server itself costs), a search in its own store, and the small model (16 tokens). Each load
stands between two phases without any, which are what it is compared with: the machine is never the same for long. What
the load's own generator takes of the machine is measured as well: the same load, as many requests a second, is sent to
a server that does nothing, and the quiet tenant's calls beside that are the floor that no server comes below. Results
of one run are kept beside those of others of the same day. Exit status 1 if a p95 is more than twice that without load,
or a call took more than ten seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from _report import RESULTS, Figure, report
from _server import UNLIMITED, serving
from _storm import FAR, SMALL, STORMS, text
from overload import _p, key_of

MOST, LONGEST_S = 2.0, 10.0
PAUSE_S = 0.1
PROBES = ("proxied chat", "search", "small model")


@dataclass
class Phase:
    """Seconds of each call by probe, and how many failed."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PROBES})
    failed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PROBES, 0))

    def add(self, other: Phase) -> None:
        for name in PROBES:
            self.seconds[name] += other.seconds[name]
            self.failed[name] += other.failed[name]


class Quiet:
    """The quiet tenant."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._store = ""
        self._number = 0

    async def prepare(self) -> None:
        """A store with a document of its own, and each call once."""
        async with self._session.post("/v1/vector_stores", json={"name": "mine"}) as made:
            self._store = (await made.json())["id"]
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", text(60_000, 7), filename="mine.txt")
        async with self._session.post("/v1/files", data=form) as uploaded:
            file = (await uploaded.json())["id"]
        path = f"/v1/vector_stores/{self._store}/files"
        async with self._session.post(path, json={"file_id": file}) as attached:
            attached.raise_for_status()
        while True:
            async with self._session.get(f"{path}/{file}") as found:
                if (await found.json())["status"] == "completed":
                    break
            await asyncio.sleep(0.1)
        await self.phase(3.0)

    async def phase(self, seconds: float) -> Phase:
        """Calls one after the other for so long."""
        seen, end = Phase(), time.monotonic() + seconds
        calls: dict[str, Callable[[], Awaitable[bool]]] = {
            "proxied chat": self._proxied,
            "search": self._search,
            "small model": self._small,
        }
        while time.monotonic() < end:
            for name, call in calls.items():
                began = time.monotonic()
                try:
                    fine = await call()
                except (aiohttp.ClientError, OSError, TimeoutError):
                    fine = False
                seen.seconds[name].append(time.monotonic() - began)
                seen.failed[name] += not fine
                await asyncio.sleep(PAUSE_S)
        return seen

    async def _ask(self, path: str, body: object) -> bool:
        async with self._session.post(path, json=body) as response:
            await response.read()
            return response.status == 200

    async def _proxied(self) -> bool:
        return await self._chat(FAR, 16)

    async def _small(self) -> bool:
        return await self._chat(SMALL, 16)

    async def _chat(self, model: str, tokens: int) -> bool:
        self._number += 1
        said = [{"role": "user", "content": f"Question {self._number}: what is new?"}]
        body = {"model": model, "messages": said, "max_tokens": tokens, "options": {"cache": False}}
        return await self._ask("/v1/chat/completions", body)

    async def _search(self) -> bool:
        self._number += 1
        return await self._ask(f"/v1/vector_stores/{self._store}/search", {"query": f"harbour ferry {self._number}"})


async def play(url: str, quiet_key: str, loud_key: str, things: Sequence[str], seconds: float) -> dict[str, Figure]:
    """Alone, a load, alone, the next: the figures of each load."""
    headers = {"authorization": f"Bearer {quiet_key}"}
    timeout = aiohttp.ClientTimeout(total=120)
    found: dict[str, Figure] = {}
    async with aiohttp.ClientSession(url, headers=headers, timeout=timeout) as session:
        quiet = Quiet(session)
        await quiet.prepare()
        before = await quiet.phase(seconds)
        for thing in things:
            began = time.monotonic()
            async with storming(thing, url, loud_key) as did:
                await asyncio.sleep(2.0)
                beside = await quiet.phase(seconds)
                took = time.monotonic() - began
            await _rest(session)
            with sink(sum(did.values()) / took) as nothing:
                async with storming(thing, nothing, loud_key):
                    await asyncio.sleep(2.0)
                    generator = await quiet.phase(seconds / 2)
            await _rest(session)
            after = await quiet.phase(seconds)
            alone = Phase()
            alone.add(before)
            alone.add(after)
            before = after
            found |= figures(thing, alone, beside, generator, did)
    return found


@asynccontextmanager
async def storming(thing: str, url: str, key: str) -> AsyncIterator[dict[str, int]]:
    """The load while the block runs; what it did is there behind it."""
    command = [sys.executable, str(Path(__file__).with_name("_storm.py")), thing, url, key]
    storm = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert storm.stdout is not None
    assert storm.stdin is not None
    await asyncio.to_thread(storm.stdout.readline)
    did: dict[str, int] = {}
    try:
        yield did
    finally:
        storm.stdin.write("\n")
        storm.stdin.flush()
        did.update(json.loads(await asyncio.to_thread(storm.stdout.readline) or "{}"))
        storm.wait()


@contextmanager
def sink(rate: float) -> Iterator[str]:
    """The address of a server that does nothing, and answers ``rate`` requests a second."""
    command = [sys.executable, str(Path(__file__).with_name("_sink.py")), str(rate)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


async def _rest(session: aiohttp.ClientSession) -> None:
    """Until the server has nothing more of the load to do, or half a minute is over."""
    began, quick = time.monotonic(), 0
    while quick < 5 and time.monotonic() - began < 30:
        at = time.monotonic()
        async with session.get("/v1/models") as response:
            await response.read()
        quick = quick + 1 if time.monotonic() - at < 0.05 else 0
        await asyncio.sleep(0.5)


def figures(thing: str, alone: Phase, beside: Phase, generator: Phase, did: dict[str, int]) -> dict[str, Figure]:
    """What the load made of each probe."""
    found: dict[str, Figure] = {}
    for probe in PROBES:
        times, base = beside.seconds[probe], alone.seconds[probe]
        ratio, least = (_p(each, 95) / _p(base, 95) for each in (times, generator.seconds[probe]))
        told = f"p95 {_p(times, 95):.3f} s, alone {_p(base, 95):.3f} s, longest {max(times):.2f} s; "
        told += (
            f"n {len(times)} and {len(base)}; failed {beside.failed[probe]}; {sum(did.values())} requests of the load"
        )
        found[f"{probe} beside {thing}"] = Figure(round(ratio, 2), "x alone", "lower", floor=MOST, against=told)
        found[f"longest {probe} beside {thing}"] = Figure(
            round(max(times), 2), "s", "lower", floor=LONGEST_S, against=f"n {len(times)}"
        )
        sent = f"p95 {_p(generator.seconds[probe], 95):.3f} s; n {len(generator.seconds[probe])}"
        found[f"{probe} beside the generator of {thing}"] = Figure(round(least, 2), "x alone", "lower", against=sent)
        print(f"{probe} beside {thing}: {ratio:.2f}x, its generator {least:.2f}x; {told}", flush=True)
    print(f"  the load: {did}", flush=True)
    return found


def kept() -> dict[str, Figure]:
    """The figures of other runs of the same day, which this one's are put beside."""
    path = RESULTS / "noisy_neighbour.json"
    if not path.exists():
        return {}
    result = json.loads(path.read_text())
    if not result["measured_at"].startswith(time.strftime("%Y-%m-%d", time.gmtime())):
        return {}
    return {
        name: Figure(**{k: v for k, v in each.items() if k != "verdict"}) for name, each in result["figures"].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--things", nargs="+", default=list(STORMS), choices=list(STORMS), metavar="THING")
    parser.add_argument("--seconds", type=float, default=25.0, help="of each phase")
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stub = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("proxy_stub.py"))], stdout=subprocess.PIPE, text=True
        )
        stack.callback(stub.wait)
        stack.callback(stub.kill)
        assert stub.stdout is not None
        upstream = f"http://127.0.0.1:{stub.stdout.readline().strip()}/v1"
        remote = {FAR: {"url": upstream, "model": "stub", "api_key": "sk-up"}}
        settings = {**UNLIMITED, "MAINSPRING_MODELS__REMOTE": json.dumps(remote)}
        server = stack.enter_context(serving(home, settings=settings))
        quiet, loud = (key_of(name, home, "chat", "ingest") for name in ("quiet", "loud"))
        found = asyncio.run(play(server.url, quiet, loud, options.things, options.seconds))
    wrong = [name for name, figure in found.items() if figure.floor is not None and figure.value > figure.floor]
    if not options.dry:
        report("noisy_neighbour", kept() | found)
    print("\n".join(["within bounds"] if not wrong else [f"beyond its bound: {name}" for name in wrong]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
