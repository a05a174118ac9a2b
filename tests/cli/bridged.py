"""Commands that ask a server, over a system that is open in the test: no process and no port."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from typer.testing import CliRunner

from mainspring.cli.main import app
from mainspring.terminal.remote import Server, ServerRefused
from tests.world import Key, World


async def asked(monkeypatch: pytest.MonkeyPatch, world: World, key: Key, *words: str) -> str:
    """What ``mainspring WORDS`` prints with that key. Raises what the command raises."""
    loop = asyncio.get_running_loop()

    def sent(method: str, path: str, body: object) -> bytes:
        answer = asyncio.run_coroutine_threadsafe(world.call(key, method, path, body), loop).result(60)
        if answer.status_code >= 400:
            raise ServerRefused(answer.json()["error"]["message"])
        return answer.content

    def call(_: Server, method: str, path: str, body: object = None) -> Any:
        return json.loads(sent(method, path, body))

    @contextmanager
    def opened(_: Server, method: str, path: str, body: object = None, timeout_s: float = 0) -> Iterator[io.BytesIO]:
        yield io.BytesIO(sent(method, path, body))

    monkeypatch.setattr(Server, "call", call)
    monkeypatch.setattr(Server, "opened", opened)
    done = await asyncio.to_thread(CliRunner().invoke, app, list(words), env={"MAINSPRING_API_KEY": key.secret})
    if done.exception is not None:
        raise done.exception
    return done.output
