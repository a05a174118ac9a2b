"""A system over HTTP whose models fill in the middle as a script says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring.engines import ChatModel
from mainspring.engines.catalogue import fim
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import Script, ScriptedEngine
from tests.world import World, opened, use_engines

SMALL, LARGE = "qwen-small", "qwen-large"


def filling(name: str, script: Script, **more: Any) -> tuple[ChatModel, ScriptedEngine]:
    """A model of Qwen's family."""
    engine = ScriptedEngine(script, context_window=100_000, **more)
    responder = ModelResponder(engine, model_name=name, fingerprint=name, fim=fim.of_family("qwen2.5-coder"))
    return ChatModel(name, engine, responder, False, "scripted"), engine


@asynccontextmanager
async def world(
    home: Path, monkeypatch: pytest.MonkeyPatch, models: dict[str, ChatModel], **settings: Any
) -> AsyncIterator[World]:
    use_engines(monkeypatch, models)
    async with opened(home, code=settings) as found:
        yield found
