"""An agent's tools over the memory of the person whom it serves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from mainspring import stores
from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.core.errors import SettingsError
from mainspring.core.settings import Settings
from mainspring.feature import Rooms
from mainspring.features.memory.service import Memories
from mainspring.features.memory.toolsets import TOOLSETS
from mainspring.stores import Stores
from tests.features.memory.test_service import Embedder, caller, rooms


@pytest_asyncio.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Stores]:
    async with stores.open(Settings(home=tmp_path)) as found:
        yield found


def house(opened: Stores) -> tuple[Memories, Rooms]:
    made = rooms(opened, Embedder())
    service = Memories(made)
    cast(Any, made.path).services = SimpleNamespace(recollection=SimpleNamespace(source=service))
    return service, made


async def call(made: Rooms, name: str, user: str = "ada", **arguments: str) -> ToolResult:
    toolset = TOOLSETS["memory"](made, {})
    found = {each.declaration.name: each for each in await toolset.tools(caller())}
    context = ToolContext(caller(), "run_1", "call_1", "key", "agent", {}, user=user)
    return await found[name].call(arguments, context)


async def test_an_agent_remembers_recalls_and_forgets(opened: Stores) -> None:
    service, made = house(opened)
    refused = await call(made, "remember", fact="I live in Lisbon")
    assert "agreed" in refused.error
    assert (await call(made, "recall", query="home?")).error
    await service.decide(caller(), "ada", "granted")
    kept = await call(made, "remember", fact="I live in Lisbon")
    found = await call(made, "recall", query="Do I live in Lisbon?")
    assert found.output == [{"id": kept.output["id"], "fact": "I live in Lisbon"}]
    assert not (await call(made, "recall", user="bob", query="Do I live in Lisbon?")).output
    assert "no memory" in (await call(made, "forget", user="bob", id=kept.output["id"])).error
    assert (await call(made, "forget", id=kept.output["id"])).output == {"forgotten": kept.output["id"]}
    assert (await call(made, "recall", query="Do I live in Lisbon?")).output == []


async def test_an_agent_that_only_recalls(opened: Stores) -> None:
    _, made = house(opened)
    found = await TOOLSETS["memory"](made, {"learns": False}).tools(caller())
    assert [each.declaration.name for each in found] == ["recall"]
    with pytest.raises(SettingsError, match="learns"):
        TOOLSETS["memory"](made, {"lerns": True})
