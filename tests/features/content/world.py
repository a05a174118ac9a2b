"""A world for articles: documents about bicycles, a scripted writer, and processes that work on runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mainspring.core.settings.rag import WebSearchSettings
from mainspring.engines import ChatModel
from mainspring.engines.base import Generation
from mainspring.engines.chat.responder import ModelResponder
from mainspring.engines.scripted import ScriptedEngine, words
from mainspring.features.content.settings import ContentSettings
from mainspring.features.runs.keeping.keeper import Keeper
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.work import working
from tests.world import Key, World, opened, use_engines

FRAMES = """# Bicycle frames

## Warranty of frames

The warranty of each bicycle frame lasts ten years from the day of purchase. Bicycle frames that were raced have a
warranty of two years. The warranty of frames does not cover rust.

## Weight of frames

A bicycle frame made of steel weighs about two kilograms. Frames made of carbon weigh 900 grams.
"""
TYRES = """# Bicycle tyres

## Pressure of tyres

The tyres of a bicycle are pumped up to four bars. Tyres of racing bicycles take eight bars.

## History

The pneumatic tyre was patented in 1888 by John Dunlop. In May 1891 the brothers Michelin patented a tyre that can be
taken off.
"""
LIE = "Every frame comes with a lifetime supply of 300 bananas."


@dataclass
class Writer:
    """Plans, writes and describes as it is asked; ``says`` is what it writes for sections whose prompt has a word."""

    says: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, generation: Generation) -> Sequence[str]:
        system, user = generation.messages[0].content, generation.messages[-1].content
        self.asked.append(system.split(".")[0])
        if system.startswith("You plan"):
            plan = {
                "title": "All about bicycle frames",
                "sections": [
                    {"heading": "Warranty", "questions": ["How long does the warranty of frames last?"]},
                    {"heading": "Weight", "questions": ["What does a bicycle frame weigh?"]},
                ],
            }
            return words(json.dumps(plan))
        if system.startswith("Write a title"):
            return words(
                json.dumps({"title": "Bicycle frames and their warranty", "description": "Frames fly to Mars."})
            )
        section = next(line for line in user.splitlines() if line.startswith("Section:"))
        return words(next((text for word, text in self.says.items() if word in section), "The frame is good. [1]"))

    def engine(self) -> ChatModel:
        """It as the model ``large``."""
        engine = ScriptedEngine(self, templates=True, context_window=16_000)
        return ChatModel(
            "large", engine, ModelResponder(engine, model_name="large", fingerprint="large"), False, "scripted"
        )


@asynccontextmanager
async def bicycles(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: Writer | None = None,
    web_search: WebSearchSettings | None = None,
    **content: Any,
) -> AsyncIterator[tuple[World, Key]]:
    """The world, with the documents in the collection ``bikes`` of the group red."""
    use_engines(monkeypatch, {"large": writer.engine()} if writer is not None else {})
    models = {"draft_model": "large", "small_model": "large"} if writer is not None else {}
    settings = ContentSettings(**{**models, **content})
    web = web_search or WebSearchSettings()
    async with opened(home, runs=RunsSettings(poll_s=0.02), content=settings, web_search=web) as world:
        red = world.keys["red"]
        if not (await world.call(red, "GET", "/v1/vector_stores")).json()["data"]:
            store = await world.store(red, "bikes", frozenset({"red"}))
            for name, text in (("frames.md", FRAMES), ("tyres.md", TYRES)):
                await attached(world, red, store, name, text)
        async with working(world.system.rooms, world.system.services[Keeper]):
            yield world, red


async def attached(world: World, key: Key, store: str, name: str, text: str) -> str:
    """Upload a file into a collection, and wait until it was read; its id."""
    files = {"file": (name, text.encode()), "purpose": (None, "assistants")}
    file_id: str = (await world.call(key, "POST", "/v1/files", files=files)).json()["id"]
    path = f"/v1/vector_stores/{store}/files"
    await world.call(key, "POST", path, {"file_id": file_id})
    async with asyncio.timeout(30):
        while (await world.call(key, "GET", f"{path}/{file_id}")).json()["status"] != "completed":
            await asyncio.sleep(0.01)
    return file_id


async def ordered(world: World, key: Key, topic: str = "bicycle frames", **brief: Any) -> dict[str, Any]:
    """An article that was just ordered."""
    answer = await world.call(key, "POST", "/v1/content/articles", {"topic": topic, "collections": ["bikes"], **brief})
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def until(world: World, key: Key, article_id: str, *states: str) -> dict[str, Any]:
    """The article once it is in one of ``states``."""
    async with asyncio.timeout(30):
        while True:
            found: dict[str, Any] = (await world.call(key, "GET", f"/v1/content/articles/{article_id}")).json()
            if found["status"] in states:
                return found
            assert found["status"] not in ("failed", "cancelled"), found
            await asyncio.sleep(0.02)


async def written(world: World, key: Key, topic: str = "bicycle frames", **brief: Any) -> dict[str, Any]:
    """A written article."""
    made = await ordered(world, key, topic, **brief)
    return await until(world, key, made["id"], "completed")
