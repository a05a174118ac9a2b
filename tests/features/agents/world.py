"""A whole system with a scripted model, and the official clients of it, in one process."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

from mainspring import engines
from mainspring.core.plugins import Registry
from mainspring.engines import Engines
from mainspring.engines.chat.chat_model import ChatModel
from mainspring.engines.scripted import ScriptedEngine
from mainspring.features.agents.settings import AgentsSettings
from tests import world as worlds
from tests.agents.loop.scripted import Says, ScriptedModel


class AgentsWorld:
    """The system, its model, and the clients of an admin; ``stranger`` is the admin of another tenant."""

    def __init__(self, world: worlds.World, model: ScriptedModel) -> None:
        self.world, self.model = world, model
        key = world.keys["red"].secret
        given: dict[str, Any] = {"base_url": "http://here/v1", "http_client": world.client, "max_retries": 0}
        self.openai = openai.AsyncOpenAI(api_key=key, **given)
        self.stranger = openai.AsyncOpenAI(api_key=world.keys["stranger"].secret, **given)
        transport = httpx2.ASGITransport(world.client._transport.app)  # type: ignore[attr-defined]
        self.anthropic = anthropic.AsyncAnthropic(
            api_key=key,
            base_url="http://here",
            http_client=httpx2.AsyncClient(transport=transport, base_url="http://here"),
            max_retries=0,
        )

    async def call(self, method: str, path: str, body: Any = None, *, key: str = "red", **more: Any) -> httpx.Response:
        return await self.world.call(self.world.keys[key], method, path, body, **more)

    async def ask(self, model: str, text: str, **fields: Any) -> Any:
        """A chat completion."""
        return await self.openai.chat.completions.create(
            model=model, messages=[{"role": "user", "content": text}], **fields
        )


@asynccontextmanager
async def opened(
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    says: Says,
    settings: dict[str, Any],
    plugins: Registry | None = None,
    **sections: Any,
) -> AsyncIterator[AgentsWorld]:
    model = ScriptedModel(says)
    engine = ScriptedEngine(templates=True)
    worlds.use_engines(monkeypatch, {"m": ChatModel("m", engine, model, False, "scripted")})
    if plugins is not None:
        inner = engines.open

        @asynccontextmanager
        async def given(*asked: Any) -> AsyncIterator[Engines]:
            async with inner(*asked) as made:
                yield dataclasses.replace(made, plugins=plugins)

        monkeypatch.setattr(engines, "open", given)
    async with worlds.opened(home, agents=AgentsSettings(**settings), **sections) as world:
        yield AgentsWorld(world, model)
