"""Insights compare thousands of turns and read hundreds of texts: in threads, so that no request waits for them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest.mock import MagicMock

import orjson
import pytest_asyncio
from fastapi.routing import APIRoute

import mainspring.features.insights.analysis as analysis
from mainspring import stores
from mainspring.core.facts.retrievals import RetrievalFacts
from mainspring.core.fair.threads import FairThreads
from mainspring.core.settings import Settings
from mainspring.core.types import Context
from mainspring.features.insights.routes import router
from mainspring.features.insights.store.views import Period
from mainspring.guards.detect import pii
from mainspring.serving.memory import terms
from mainspring.stores import Stores
from tests.features.insights.world import READER, World

CITED = [{"index": 1, "document_id": "doc_1", "source": "terms.md", "quote": "Within 30 days.", "start": 0, "end": 15}]
REFUSED = RetrievalFacts.from_json({"collections": [], "mode": "hybrid", "refused": True, "hits": [], "cited": []})
WORK = (*map(str, Path(analysis.__path__[0]).glob("*.py")), pii.__file__, terms.__file__)
"""Modules that work on texts and vectors, and never for the loop."""


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


@contextmanager
def watched() -> Iterator[dict[str, set[str]]]:
    """The functions of ``WORK`` that are called, by where: in this thread, which is the loop's, or in others."""
    found: dict[str, set[str]] = {"loop": set(), "threads": set()}

    def seen(where: str) -> Any:
        def look(frame: FrameType, event: str, _: Any) -> None:
            if event == "call" and frame.f_code.co_filename in WORK:
                found[where].add(frame.f_code.co_name)

        return look

    # Threads take it when they begin: those of a pool of its own do.
    asyncio.get_running_loop().set_default_executor(FairThreads())
    threading.setprofile(seen("threads"))
    sys.setprofile(seen("loop"))
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


async def called(service: Any, path: str, method: str, **given: Any) -> Any:
    """What a route answers."""
    routes = router(service, MagicMock()).routes
    route = next(
        each for each in routes if isinstance(each, APIRoute) and each.path == path and method in (each.methods or ())
    )
    endpoint: Any = route.endpoint
    return orjson.loads((await endpoint(context=Context(READER), **given)).body)


async def test_the_loop_is_free_while_conversations_are_looked_at_and_shown(opened: Stores) -> None:
    world, ever = World(opened), Period(time.time() - 86_400.0, time.time())
    for place in range(6):
        await world.say("return period for a lamp", "Within 30 days.", session=f"a{place}", citations=CITED)
        await world.say("does the garden shed have windows", session=f"b{place}", more=[REFUSED])
    with watched() as found:
        did = await world.insights.look()
        await world.say("when does the return period for a lamp end", session="later")
        await world.insights.look()
        topics = await called(world.insights, "/v1/insights/topics", "GET", period=ever, step="week")
        await called(world.insights, "/v1/insights/summary", "GET", period=ever, step="week")
        gaps = await world.insights.gaps.find(Context(READER), ever, 20, nearest=False)
        drafts = await world.insights.drafting.draft(Context(READER), ever, 20)
        texts = await world.insights.questions(READER, [row.trace_id for row, _ in gaps[0].examples])
    assert (did is not None, len(topics["data"]), len(gaps), drafts, len(texts)) == (True, 2, 1, 1, 5)
    # What it does was seen at all, and nothing of it in the loop's thread.
    assert {"telling", "usage", "found", "nearest", "scores", "ended", "series", "redact", "words"} <= found["threads"]
    assert found["loop"] == set()
