"""A server of its own in a folder that goes away, and people who ask it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import StoreError
from mainspring.features.improve.demo.attached import attached
from mainspring.features.improve.demo.simulated_people import DemoOpinion, DemoQuestion, People

if TYPE_CHECKING:
    import aiohttp

_KEY = re.compile(r"ms-[A-Za-z0-9_-]{20,}")
_PATIENCE_S = 900.0
AT_ONCE = 3
NAME = "handbook"
COMMAND = (sys.executable, "-m", "mainspring", "up")


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """An answer that somebody got, with the variant that gave it (empty: what the settings say)."""

    asked: DemoQuestion
    id: str
    text: str
    seconds: float
    said: DemoOpinion


class Served:
    """A running server."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self._session = url, session

    async def call(self, method: str, path: str, body: Any = None, *, consent: bool = True) -> Any:
        """``consent``: to training on it. Raises ``StoreError`` with what the server says."""
        headers = {"x-training-consent": "true" if consent else "false"}
        async with self._session.request(method, self.url + path, json=body, headers=headers) as answer:
            told = await answer.text()
            if answer.status >= 400:
                raise StoreError(f"{method} {path} gave {answer.status}: {told[:500]}")
            return json.loads(told)

    async def ask(
        self, asked: DemoQuestion, user: str, people: People, *, tell: bool = True, name: str = NAME
    ) -> DemoAnswer:
        """Ask ``name``, and say what people say of the answer."""
        began = time.monotonic()
        body: dict[str, Any] = {"model": name, "user": user, "messages": [{"role": "user", "content": asked.question}]}
        body["options"] = {"cache": False}
        # The loop does not learn from the judges.
        answer = await self.call("POST", "/v1/chat/completions", body, consent=tell)
        text = str(answer["choices"][0]["message"]["content"])
        given = DemoAnswer(asked, answer["id"], text, time.monotonic() - began, people.say(asked, text))
        if tell:
            said: dict[str, Any] = {"answer_id": given.id, "rating": given.said.rating, "consent": True}
            await self.call("POST", "/v1/feedback", said | ({"edit": given.said.edit} if given.said.edit else {}))
        return given

    async def round(
        self, asked: Sequence[DemoQuestion], people: People, name: str, *, tell: bool = True
    ) -> list[DemoAnswer]:
        """Each question by another person, a few at a time."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, each: DemoQuestion) -> DemoAnswer:
            async with gate:
                return await self.ask(each, f"{name}-{number}", people, tell=tell)

        return list(await asyncio.gather(*(one(number, each) for number, each in enumerate(asked))))


@asynccontextmanager
async def served(home: Path, documents: Path, remote: Mapping[str, Any] | None = None) -> AsyncIterator[Served]:
    """A server with the documents in the collection ``handbook``, and with ``remote`` models. It stops with its caller;
    on SIGTERM that is a ``SystemExit``. Raises ``StoreError`` if it does not start."""
    import aiohttp

    port = _free()
    given = {"MAINSPRING_HOME": str(home), "MAINSPRING_MODELS__CHAT": "[]"}
    if remote:
        given["MAINSPRING_MODELS__REMOTE"] = json.dumps(remote)
        # They would write the answers about the documents, too.
        given["MAINSPRING_RAG__MODE"] = "extractive"
    given |= {f"MAINSPRING_{each}__EVERY_S": "1" for each in ("TRIALS", "IMPROVE")}
    # All people come with one key; on a fast machine they would use its minute up.
    given |= {f"MAINSPRING_SERVING__{each}_PER_MINUTE": "1000000000" for each in ("REQUESTS", "TOKENS")}
    log = home / "server.log"
    command = attached((*COMMAND, "--port", str(port), "--ingest", str(documents)))
    with _ended_in_order():
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env={**os.environ, **given}
            )
        try:
            key = await _ready(process, log, port)
            headers = {"authorization": f"Bearer {key}"}
            patience = aiohttp.ClientTimeout(_PATIENCE_S)
            async with aiohttp.ClientSession(headers=headers, timeout=patience) as session:
                yield Served(f"http://127.0.0.1:{port}", session)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """A first SIGTERM cancels the current task, so that it clears up, and ends as ``SystemExit``; others change
    nothing."""
    task, loop, told = asyncio.current_task(), asyncio.get_running_loop(), False
    assert task is not None

    def stop() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    # Not on Windows, and in the main thread alone.
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if told:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
    finally:
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.remove_signal_handler(signal.SIGTERM)


async def _ready(process: asyncio.subprocess.Process, log: Path, port: int) -> str:
    """The admin's key, once the documents are read and the server answers."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        told = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
        if process.returncode is not None:
            raise StoreError(f"the server ended: {told[-1500:]}")
        found = _KEY.search(told)
        if found and f"serves on http://127.0.0.1:{port}" in told:
            return found[0]
        await asyncio.sleep(0.3)
    raise StoreError("the server did not start in time", remedy="See its log with --keep")


def _free() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
