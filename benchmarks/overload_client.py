"""The load of ``overload.py``, in a process of its own: requests come when they come, however slow the answers are.

    python benchmarks/overload_client.py URL MODEL

Reads one JSON object a line, a phase, and answers each with one. ``{"streams": n, "seconds": s, "keys": [...]}`` keeps
``n`` requests under way for ``s`` seconds, the first ones spread over ``"spread"`` seconds; ``{"arrivals": [[at, key,
prompt], ...]}`` sends each at its time, whatever became of the others. ``max_tokens`` is the length of every answer.
The answer is ``{"requests": [[key, at, status, seconds to the first text, seconds to the end, tokens, retry-after]]}``
in seconds since the phase began.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import aiohttp
import uvloop

from _server import chat

Row = list[Any]


class Client:
    """Sends streamed requests of a fixed length and times them."""

    def __init__(self, session: aiohttp.ClientSession, url: str, model: str) -> None:
        self._session = session
        self._url = f"{url}/v1/chat/completions"
        self._model = model

    async def send(self, key: str, prompt: str, max_tokens: int, begin: float) -> Row:
        """One request. A connection that breaks counts as status 0."""
        body = chat(self._model, prompt, max_tokens)
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        at = time.perf_counter()
        first, tail, status, retry = 0.0, b"", 0, None
        try:
            async with self._session.post(self._url, data=body, headers=headers) as response:
                status, retry = response.status, response.headers.get("retry-after")
                async for part in response.content.iter_any():
                    if not first and b'"content":"' in part:
                        first = time.perf_counter()
                    tail = (tail + part)[-4096:]
        except aiohttp.ClientError:
            status = 0
        end = time.perf_counter()
        tokens = _tokens(tail) if status == 200 else 0
        return [key, at - begin, status, first - at if first else None, end - at, tokens, retry]

    async def closed(self, phase: dict[str, Any]) -> list[Row]:
        """Keep ``streams`` requests under way."""
        rows: list[Row] = []
        begin = time.perf_counter()

        async def stream(number: int) -> None:
            turn = 0
            await asyncio.sleep(phase["spread"] * number / phase["streams"])
            while time.perf_counter() - begin < phase["seconds"]:
                prompt = phase["prompts"][(number + turn * phase["streams"]) % len(phase["prompts"])]
                rows.append(await self.send(phase["key"], prompt, phase["max_tokens"], begin))
                turn += 1

        await asyncio.gather(*(stream(number) for number in range(phase["streams"])))
        return rows

    async def open(self, phase: dict[str, Any]) -> list[Row]:
        """Send at the given times."""
        begin = time.perf_counter()

        async def one(at: float, key: str, prompt: str) -> Row:
            await asyncio.sleep(at - (time.perf_counter() - begin))
            return await self.send(key, prompt, phase["max_tokens"], begin)

        return list(await asyncio.gather(*(one(*arrival) for arrival in phase["arrivals"])))


def _tokens(tail: bytes) -> int:
    *_, usage, done = tail.strip().rsplit(b"\n\n", 2)
    if done != b"data: [DONE]":
        return 0
    return int(json.loads(usage.removeprefix(b"data: "))["usage"]["completion_tokens"])


async def main(url: str, model: str) -> None:
    """Phases from standard input until it ends."""
    loop = asyncio.get_running_loop()
    read: Callable[[], str] = sys.stdin.readline
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        client = Client(session, url, model)
        print(json.dumps({"ready": True}), flush=True)
        while line := await loop.run_in_executor(None, read):
            phase = json.loads(line)
            rows = await (client.open(phase) if "arrivals" in phase else client.closed(phase))
            print(json.dumps({"requests": rows}), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
