"""A whole system with an agent that is told what to do, and callers of A2A over HTTP+JSON and JSON-RPC."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tests.world as worlds
from mainspring.core.types import ChatRequest, Citation, Context, Event, Finish, Head, Notice, Request, Response, Text
from mainspring.features.a2a.settings import A2aSettings
from mainspring.serving.ring.registry import Served

VERSION = {"a2a-version": "1.0"}


@dataclass
class Told:
    """Says the words of ``script`` for each request; ``gate`` holds it back before the last one."""

    script: list[Event | Exception] = field(default_factory=lambda: [Text("Yes"), Text(".")])
    gate: asyncio.Event | None = None
    description: str = "Does as it is told."
    asked: list[ChatRequest] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    closed: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        self.asked.append(request)
        self.contexts.append(context)
        if self.script and isinstance(self.script[0], Exception):
            raise self.script[0]

        async def close() -> None:
            self.closed += 1

        return Response(Head("told", headers=self.headers), self._events(), on_close=close)

    async def _events(self) -> AsyncIterator[Event]:
        for number, event in enumerate(self.script):
            if self.gate is not None and number == len(self.script) - 1:
                await self.gate.wait()
            if isinstance(event, Exception):
                raise event
            yield event
        yield Finish("stop")

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None


Script = list[Event | Exception]
CITED: Script = [Text("It is red."), Citation(1, "doc", "a.md", "red", 3, 6, heading="Colours")]
ASKS_BACK: Script = [Notice("input_required", "Which one?")]


@dataclass
class House:
    world: worlds.World
    agent: Told

    async def rest(self, method: str, path: str, body: Any = None, key: str = "red", **more: Any) -> Any:
        return await self.world.call(self.world.keys[key], method, f"/a2a{path}", body, headers=VERSION, **more)

    async def send(self, text: str = "Hi", key: str = "red", path: str = "/told", **more: Any) -> dict[str, Any]:
        """The task that a message has become."""
        body = {"message": message(text, **more.pop("message", {})), **more}
        answer = await self.rest("POST", f"{path}/message:send", body, key)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["task"]
        return found

    async def rpc(self, method: str, params: Any, key: str = "red", path: str = "/told") -> dict[str, Any]:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        found: dict[str, Any] = (await self.rest("POST", path, body, key)).json()
        return found

    async def task(self, task_id: str, key: str = "red") -> dict[str, Any]:
        found: dict[str, Any] = (await self.rest("GET", f"/told/tasks/{task_id}", key=key)).json()
        return found


def message(text: str = "Hi", **more: Any) -> dict[str, Any]:
    return {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}], **more}


def frames(text: str) -> list[dict[str, Any]]:
    """The objects of a stream of server-sent events."""
    return [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]


@asynccontextmanager
async def opened(home: Path, told: Told | None = None, *, works: bool = True, **settings: Any) -> AsyncIterator[House]:
    """The house; ``works``: its background work runs."""
    agent = told or Told()
    async with worlds.opened(home, a2a=A2aSettings(**settings)) as world:
        world.system.registry.add(Served("told", "application", agent, sampled=False))
        if not works:
            yield House(world, agent)
            return
        async with world.system.working():
            yield House(world, agent)


async def until(asked: Any, seconds: float = 10.0) -> Any:
    """What ``asked`` returns once it is true."""
    async with asyncio.timeout(seconds):
        while not (found := await asked()):
            await asyncio.sleep(0.02)
    return found
