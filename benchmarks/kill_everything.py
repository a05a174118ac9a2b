"""kill -9 of the server, its engine and its readers of documents under mixed load: nothing is lost or doubled.

    python benchmarks/kill_everything.py --kills 20 [--home FOLDER] [--seed 1] [--dry]

A tenant chats (the small model, a remote one, the assistant and support, each with an Idempotency-Key that is sent
again where no answer came), rates answers, uploads and attaches files, submits batches, and uses the features: memory,
cases and messages of the desk, mail, articles, runs of an agent, hosted tools; insights read along. All of it goes
through one server, which is started again after its death. The client records every acknowledgement. At the end, when
everything is done, the stores are read with nothing running, and each acknowledgement must be there once; budgets must
say what the calls cost, with nothing set aside; audit logs must be whole. With ``--home`` further runs go on in the
same home, and what is counted adds up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import aiohttp

import _kill_features
from _kill_features import FeatureLoad
from _report import Figure, report
from _server import UNLIMITED, engine_child, environment, spawn, stop
from _storm import FAR, SMALL, text
from _told import STORE, TENANT, Told, wrong
from mainspring import stores
from mainspring.core.settings import Settings
from overload import key_of

TARGETS = ("server", "server", "engine", "parser", "cutter")
MODULES = {
    "engine": "mainspring.engines.openvino.child",
    "parser": "mainspring.rag.parse.child",
    "cutter": "mainspring.rag.cutting.child",
}
PORT_TRIES_S, DONE_S, PATIENCE_S = 600.0, 900.0, 900.0


class House:
    """The server, which dies and comes back on the same port."""

    def __init__(self, home: Path, port: int, upstream: str) -> None:
        priced = {"price_input": 1.0, "price_output": 2.0}
        remote = {FAR: {"url": upstream, "model": "stub", "api_key": "sk-up", **priced}}
        self.home, self.port = home, port
        self.settings = {
            **UNLIMITED,
            **_kill_features.settings(TENANT),
            "MAINSPRING_MODELS__REMOTE": json.dumps(remote),
        }
        self.process: subprocess.Popen[str] | None = None
        self.url = f"http://127.0.0.1:{port}"

    async def start(self) -> None:
        """Raises ``RuntimeError`` where it does not become ready."""
        process = self.process = spawn(self.home, port=self.port, settings=self.settings)
        assert process.stdout is not None
        # A thread of its own: a pool's are soon all taken, and a server that nobody reads from stands still.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        began = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while time.monotonic() - began < PORT_TRIES_S:
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}")
                try:
                    async with session.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass
                await asyncio.sleep(0.2)
        raise RuntimeError("the server did not become ready")

    def kill(self, target: str) -> bool:
        """Whether there was one to kill."""
        assert self.process is not None
        module = MODULES.get(target)
        try:
            pid = self.process.pid if module is None else child(self.process.pid, module)
        except LookupError:
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process)


def child(parent: int, module: str) -> int:
    """Raises ``LookupError`` where the process has no child that runs ``module``."""
    if module == MODULES["engine"]:
        return engine_child(parent, module)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            above = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if above == parent and module.encode() in (entry / "cmdline").read_bytes():
                return int(entry.name)
        except OSError:
            continue
    raise LookupError(module)


class Client:
    """The load. What fails for the death of something is sent again, until it is answered."""

    def __init__(self, session: aiohttp.ClientSession, told: Told, seed: int) -> None:
        self._session = session
        self._told = told
        self._draw = random.Random(seed)
        self._number = seed * 1_000_000
        self.ending = asyncio.Event()
        self.store = ""

    async def ask(self, method: str, path: str, *, key: str = "", **more: Any) -> tuple[dict[str, Any], Any]:
        """The JSON of an answer that says yes, and its headers."""
        headers = more.pop("headers", {}) | ({"idempotency-key": key} if key else {})
        began, said = time.monotonic(), "nothing"
        while time.monotonic() - began < PATIENCE_S:
            try:
                async with self._session.request(method, path, headers=headers, **more) as response:
                    body = await response.json()
                    if response.status < 300:
                        return body, response.headers
                    said = f"{response.status} {body}"
                    if response.status < 500 and response.status not in (409, 429):
                        raise RuntimeError(f"{path}: {said}")
            except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
                said = repr(error)
            self._told.retries += 1
            await asyncio.sleep(0.3)
        raise RuntimeError(f"{path} does not say yes, the last word was {said}")

    async def chat(self) -> None:
        self._number += 1
        number = self._number
        model = self._draw.choice((SMALL, FAR, FAR, FAR, "assistant", "support"))
        said = [{"role": "user", "content": f"Question {number}?"}]
        body = {"model": model, "messages": said, "max_tokens": 24}
        if self._draw.random() < 0.3:
            body["session_id"] = f"s{number % 7}"
        answer, headers = await self.ask("POST", "/v1/chat/completions", key=f"chat-{number}", json=body)
        answer_id = headers["x-answer-id"]
        self._told.answers[answer_id] = str(number)
        assert answer["choices"][0]["message"]["content"]
        if self._draw.random() < 0.5:
            rating = {"answer_id": answer_id, "rating": "up", "comment": str(number)}
            given, _ = await self.ask("POST", "/v1/feedback", key=f"rated-{number}", json=rating)
            self._told.rated.append(given.get("id") or str(number))
        await asyncio.sleep(0.05)

    async def file(self) -> None:
        self._number += 1
        number = self._number
        data = text(self._draw.choice((2_000, 20_000, 60_000)), number)

        def form() -> aiohttp.FormData:
            made = aiohttp.FormData({"purpose": "assistants"})
            made.add_field("file", data, filename=f"f{number}.txt")
            return made

        file = await self._uploaded(form, f"file-{number}")
        await self.ask("POST", f"/v1/vector_stores/{self.store}/files", json={"file_id": file})
        self._told.files.append(file)
        await asyncio.sleep(3)

    async def _uploaded(self, form: Callable[[], aiohttp.FormData], key: str) -> str:
        """The id of a file, which is sent again under its key where no acknowledgement came."""
        headers = {"idempotency-key": key}
        while True:
            try:
                async with self._session.post("/v1/files", data=form(), headers=headers) as response:
                    return str((await response.json())["id"])
            except (aiohttp.ClientError, OSError, ValueError, KeyError):
                self._told.retries += 1
                await asyncio.sleep(0.3)

    async def batch(self) -> None:
        self._number += 1
        number = self._number
        body = {"model": FAR, "messages": [{"role": "user", "content": f"Line {number}."}], "max_tokens": 16}
        count = self._draw.randrange(5, 40)
        lines = (
            {"custom_id": f"l{n}", "method": "POST", "url": "/v1/chat/completions", "body": body} for n in range(count)
        )
        data = "\n".join(json.dumps(line) for line in lines).encode()

        def form() -> aiohttp.FormData:
            made = aiohttp.FormData({"purpose": "batch"})
            made.add_field("file", data, filename=f"b{number}.jsonl")
            return made

        file = await self._uploaded(form, f"lines-{number}")
        made = {"input_file_id": file, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
        batch, _ = await self.ask("POST", "/v1/batches", key=f"batch-{number}", json=made)
        self._told.batches[batch["id"]] = count
        await asyncio.sleep(2)

    async def run(self) -> None:
        """Until ``ending``; what has begun is brought to its end."""

        async def again(act: Callable[[], Awaitable[None]]) -> None:
            while not self.ending.is_set():
                await act()

        load = FeatureLoad(self.ask, self._told.features, self._number + 500_000, self.store)
        await load.prepare()
        acts = (*[self.chat] * 4, self.file, self.batch, *load.acts())
        await asyncio.gather(*(again(act) for act in acts))
        await load.settled()


@asynccontextmanager
async def loaded(house: House, key: str, told: Told, seed: int) -> AsyncIterator[Client]:
    """The client at work."""
    timeout = aiohttp.ClientTimeout(total=90)
    headers = {"authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(house.url, headers=headers, timeout=timeout) as session:
        client = Client(session, told, seed)
        found, _ = await client.ask("GET", "/v1/vector_stores")
        named = [each["id"] for each in found["data"] if each["name"] == STORE]
        if not named:
            made, _ = await client.ask("POST", "/v1/vector_stores", json={"name": STORE})
            named = [made["id"]]
        client.store = named[0]
        task = asyncio.create_task(client.run())
        yield client
        client.ending.set()
        # An answer that a server's death cuts short again and again may come long after the last kill.
        await task
        await _done(client, house.home)


async def _done(client: Client, home: Path) -> None:
    """Until every file is read, every batch over and every customer answered. Raises ``TimeoutError``."""
    async with asyncio.timeout(DONE_S):
        while True:
            store, _ = await client.ask("GET", f"/v1/vector_stores/{client.store}")
            batches, _ = await client.ask("GET", "/v1/batches?limit=100")
            open_ones = [each for each in batches["data"] if each["status"] not in ("completed", "failed")]
            waiting = await asyncio.to_thread(_kill_features.waiting, home)
            if not store["file_counts"]["in_progress"] and not open_ones and not waiting:
                return
            await asyncio.sleep(0.5)


async def trial(house: House, key: str, told: Told, kills: int, seed: int) -> float:
    """So many kills; the longest time, in seconds, until the server was ready again."""
    draw, longest = random.Random(seed), 0.0
    await house.start()
    async with loaded(house, key, told, seed):
        done = 0
        while done < kills:
            await asyncio.sleep(draw.uniform(0.5, 4.0))
            target = draw.choice(TARGETS)
            if not house.kill(target):
                continue
            done += 1
            told.kills[target] = told.kills.get(target, 0) + 1
            print(f"kill {done} of {kills}: {target}; {told.count} acknowledged", flush=True)
            if target == "server":
                assert house.process is not None
                house.process.wait()
                began = time.monotonic()
                await house.start()
                longest = max(longest, time.monotonic() - began)
    house.stop()
    return longest


async def prepare(home: Path) -> str:
    """The tenant's key and its budget; the key of an earlier run of the same home."""
    kept = home / "key.txt"
    if kept.exists():
        return kept.read_text()
    key = await asyncio.to_thread(key_of, TENANT, home, *_kill_features.SCOPES)
    async with stores.open(Settings(home=home)) as opened:
        await opened.budgets.create(TENANT, "tenant", window="total", limit_nanousd=10**15)
    kept.write_text(key)
    return key


async def run(home: Path, kills: int, seed: int) -> tuple[Told, float, list[str]]:
    kept = home / "told.json"
    told = Told.of(json.loads(kept.read_text())) if kept.exists() else Told()
    async with AsyncExitStack() as stack:
        stub = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("proxy_stub.py"))], stdout=subprocess.PIPE, text=True
        )
        stack.callback(stub.wait)
        stack.callback(stub.kill)
        assert stub.stdout is not None
        upstream = f"http://127.0.0.1:{stub.stdout.readline().strip()}/v1"
        house = House(home, _port(), upstream)
        stack.callback(house.stop)
        key = await prepare(home)
        longest = await trial(house, key, told, kills, seed)
    kept.write_text(json.dumps(asdict(told)))
    return told, longest, await wrong(home, told)


def _port() -> int:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--home", type=Path, help="go on in this home (empty at first), and keep it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        home = options.home or Path(made)
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        environment(home)
        told, longest, problems = asyncio.run(run(home, options.kills, options.seed))
    kills = sum(told.kills.values())
    counted = f"{kills} kills ({', '.join(f'{count} {name}' for name, count in sorted(told.kills.items()))})"
    acknowledged = (
        f"{len(told.answers)} answers, {len(told.rated)} ratings, {len(told.files)} files, "
        + f"{len(told.batches)} batches, "
        + ", ".join(f"{count} {name}" for name, count in told.features.counts().items())
    )
    print(f"{counted}; acknowledged: {acknowledged}; {told.retries} sent again; ready after {longest:.1f} s at most")
    # A reader is tried twice; a file whose two readers were both killed is given up, and its owner is told.
    given_up = [each for each in problems if "crashed its parser" in each]
    if 2 * len(given_up) <= told.kills.get("parser", 0) + told.kills.get("cutter", 0):
        problems = [each for each in problems if each not in given_up]
        print(f"{len(given_up)} files failed as both of their readers were killed")
    print("\n".join(problems) if problems else "nothing lost, nothing doubled; budgets and audit logs agree")
    if not options.dry:
        against = f"{counted}; {acknowledged}"
        figures = {
            "kills": Figure(kills, "kills", "higher", floor=100, against="what was asked for"),
            "acknowledgements": Figure(told.count, "acknowledged", "higher", against=acknowledged),
            "lost, doubled or not in agreement": Figure(len(problems), "found", "lower", floor=0, against=against),
            "files failed as both of their readers were killed": Figure(len(given_up), "files", "lower"),
        }
        report("kill_everything", figures)
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
