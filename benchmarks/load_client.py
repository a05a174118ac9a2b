"""The load of the path benchmark, in a process of its own: streams of requests over HTTP, or straight to an engine.

    python benchmarks/load_client.py http URL KEY MODEL
    python benchmarks/load_client.py direct MODEL [instant]

Reads one JSON object a line, a round: ``{"streams": [{"at": seconds, "prompts": [text, ...]}], "max_tokens": n}``.
All streams run at once, each from its arrival ``at``; a stream's prompts follow one another. Answers each round with
``{"seconds", "tokens", "prompt_tokens", "first": [seconds to the first text, by request], "cpu": own CPU seconds}``
and ``"shown"``: by request, the first texts as [seconds, characters until then]; over HTTP only the very first.
Both ways are timed by the same code; what differs is ``Target.send``.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import uvloop

from _server import chat

if TYPE_CHECKING:
    import aiohttp

    from mainspring.engines import ChatModel

# Of a request driven directly, this many texts are timed.
FIRST_TEXTS = 16


@dataclass(slots=True)
class Answer:
    """One request: ``first`` is when its first text was there (``time.perf_counter``), ``shown`` when there were how
    many characters."""

    first: float = 0.0
    shown: list[tuple[float, int]] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0


class Target(Protocol):
    """Where requests go."""

    def prepare(self, prompt: str, max_tokens: int) -> object:
        """What can be done before the clock runs."""
        ...

    async def send(self, prepared: Any) -> Answer:
        """Send and read to the end. Raises ``RuntimeError`` when the answer is not whole."""
        ...


class Http:
    """The gateway, by aiohttp: frames are not parsed but for the last, which tells the usage."""

    def __init__(self, session: aiohttp.ClientSession, url: str, key: str, model: str) -> None:
        self._session = session
        self._url = f"{url}/v1/chat/completions"
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        self._model = model

    def prepare(self, prompt: str, max_tokens: int) -> bytes:
        return chat(self._model, prompt, max_tokens)

    async def send(self, prepared: bytes) -> Answer:
        answer = Answer()
        tail = opening = b""
        async with self._session.post(self._url, data=prepared, headers=self._headers) as response:
            if response.status != 200:
                raise RuntimeError(f"status {response.status}: {await response.text()}")
            async for part in response.content.iter_any():
                if not answer.first and b'"content":"' in part:
                    answer.first, opening = time.perf_counter(), part
                tail = (tail + part)[-4096:]
        *_, usage, done = tail.strip().rsplit(b"\n\n", 2)
        if done != b"data: [DONE]":
            raise RuntimeError(f"the stream was cut short: {tail[-300:]!r}")
        spent = json.loads(usage.removeprefix(b"data: "))["usage"]
        answer.tokens, answer.prompt_tokens = spent["completion_tokens"], spent["prompt_tokens"]
        answer.shown.append((answer.first, _characters(opening)))
        return answer


class Direct:
    """The engine of the same settings: no HTTP, no rings, no template at run time."""

    def __init__(self, model: ChatModel) -> None:
        self._engine = model.engine
        self._template = getattr(model.responder, "template")  # noqa: B009 - of ModelResponder

    def prepare(self, prompt: str, max_tokens: int) -> object:
        from mainspring.core.types import Message, Sampling
        from mainspring.engines.base import Generation

        rendered = self._template.render((Message("user", prompt),), ())
        return Generation(rendered, Sampling(max_tokens=max_tokens, temperature=0, ignore_eos=True))

    async def send(self, prepared: Any) -> Answer:
        from mainspring.core.types import Text, Usage

        answer = Answer()
        async for event in await self._engine.generate(prepared):
            if type(event) is Text:
                if len(answer.shown) < FIRST_TEXTS:
                    before = answer.shown[-1][1] if answer.shown else 0
                    answer.shown.append((time.perf_counter(), before + len(event.text)))
            elif type(event) is Usage:
                answer.tokens, answer.prompt_tokens = event.completion_tokens, event.prompt_tokens
        answer.first = answer.shown[0][0]
        return answer


def _characters(part: bytes) -> int:
    """Characters of text in the whole frames of ``part``."""
    frames = [
        json.loads(frame.removeprefix(b"data: ")) for frame in part.split(b"\n\n")[:-1] if b'"content":"' in frame
    ]
    return sum(len(choice["delta"]["content"]) for frame in frames for choice in frame["choices"])


@dataclass(slots=True)
class Round:
    """What happened in one round. Times in seconds."""

    begin: float = 0.0
    end: float = 0.0
    first: list[float] = field(default_factory=list)
    shown: list[list[tuple[float, int]]] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0


async def run_round(target: Target, streams: Sequence[dict[str, Any]], max_tokens: int) -> Round:
    """Run all streams. Raises ``RuntimeError`` when an answer has not the length that was asked for."""
    prepared = [[target.prepare(prompt, max_tokens) for prompt in stream["prompts"]] for stream in streams]
    happened = Round(begin=time.perf_counter())

    async def stream(at: float, jobs: Sequence[object]) -> None:
        await asyncio.sleep(happened.begin + at - time.perf_counter())
        for job in jobs:
            sent = time.perf_counter()
            answer = await target.send(job)
            if answer.tokens != max_tokens:
                raise RuntimeError(f"{answer.tokens} tokens came, {max_tokens} were asked for")
            happened.first.append(answer.first - sent)
            happened.shown.append([(at - sent, characters) for at, characters in answer.shown])
            happened.tokens += answer.tokens
            happened.prompt_tokens += answer.prompt_tokens

    async with asyncio.TaskGroup() as group:
        for each, jobs in zip(streams, prepared, strict=True):
            group.create_task(stream(each["at"], jobs))
    happened.end = time.perf_counter()
    return happened


@asynccontextmanager
async def opened(arguments: Sequence[str]) -> AsyncIterator[Target]:
    """The target that the command line names."""
    if arguments[0] == "http":
        import aiohttp

        _, url, key, model = arguments
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=300)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Http(session, url, key, model)
        return
    import _instant
    from mainspring.core import plugins
    from mainspring.core.settings import load
    from mainspring.engines import builtin

    if "instant" in arguments:
        _instant.install()
    settings = load().settings
    models = {each.name: each for each in builtin.local_models(settings, plugins.registry())}
    chosen = models[arguments[1]]
    await chosen.engine.start()
    try:
        yield Direct(chosen)
    finally:
        await chosen.engine.close()


async def main(arguments: Sequence[str]) -> None:
    """Rounds from standard input until it ends."""
    loop = asyncio.get_running_loop()
    async with opened(arguments) as target:
        print(json.dumps({"ready": True}), flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            before = _cpu()
            happened = await run_round(target, asked["streams"], asked["max_tokens"])
            answer = {
                "seconds": happened.end - happened.begin,
                "tokens": happened.tokens,
                "prompt_tokens": happened.prompt_tokens,
                "first": happened.first,
                "shown": happened.shown,
                "cpu": _cpu() - before,
            }
            print(json.dumps(answer), flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1:]))
