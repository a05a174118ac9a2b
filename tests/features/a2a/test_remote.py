"""Agents of others in the configuration: served under their names, asked as tools, and ours asked by ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tests.world as worlds
from mainspring.agents.tools.a2a.agent import RemoteAgent
from mainspring.agents.tools.a2a.settings import RemoteAgentSettings
from mainspring.agents.tools.a2a.toolset import A2aToolset
from mainspring.agents.tools.base import ToolContext
from mainspring.core.errors import SettingsError, UpstreamError
from mainspring.core.types import Context, Principal
from mainspring.feature import TOOLSET
from mainspring.features.a2a.toolsets import made
from mainspring.gateway.mount import mount
from tests.agents.tools.a2a.served import billing, serving
from tests.features.a2a.house import ASKS_BACK, CITED, Told, opened

pytestmark = pytest.mark.slow
CONTEXT = Context(Principal("t", "k"))


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> None:
    worlds.use_engines(monkeypatch, {})


async def test_an_agent_of_others_is_served_and_asked_as_a_tool(tmp_path: Path) -> None:
    async with billing() as agent:
        known = {"billing": RemoteAgentSettings(url=agent.url, description="Knows invoices.")}
        async with opened(tmp_path / "home", agents=known) as house:
            body = {"model": "billing", "messages": [{"role": "user", "content": "May"}]}
            answer = await house.world.call(house.world.keys["red"], "POST", "/v1/chat/completions", body)
            assert answer.json()["choices"][0]["message"]["content"] == "It is paid: May"
            # It is an agent of this server, too.
            task = await house.send("June", path="/billing")
            assert task["artifacts"][0]["parts"] == [{"text": "It is paid: June"}]
            rooms = house.world.system.rooms
            toolset = house.world.system.engines.plugins.make(TOOLSET, "a2a", rooms, {"agent": "billing"})
            [tool] = await toolset.tools(CONTEXT)
            assert (tool.declaration.name, tool.declaration.description) == ("ask_billing", "Knows invoices.")
            await toolset.aclose()
            wrong: tuple[tuple[dict[str, Any], str], ...] = (
                ({"agent": "biling"}, "billing"),
                ({"agent": "billing", "url": "https://example.com"}, "Change it there"),
                ({}, "Give url"),
                ({"url": "ftp://example.com"}, "not an http or https URL"),
                ({"url": "https://example.com", "private_hosts": ["localhost"]}, "a2a.agents"),
                ({"url": "https://example.com", "trusted": True}, "a2a.agents"),
            )
            for options, said in wrong:
                with pytest.raises(SettingsError, match=said):
                    made(rooms, options)
            inline = made(rooms, {"url": agent.url})
            with pytest.raises(UpstreamError, match="no public address"):
                await inline.tools(CONTEXT)
            await inline.aclose()


async def test_ours_asks_ours_over_the_network(tmp_path: Path) -> None:
    async with (
        opened(tmp_path / "home", Told(CITED), legacy_cards=True) as house,
        serving(lambda _: mount(house.world.system)) as url,
    ):
        settings = RemoteAgentSettings(url=f"{url}/a2a/told", key=house.world.keys["red"].secret)
        agent = RemoteAgent("told", settings)
        [tool] = await A2aToolset(agent).tools(CONTEXT)
        state: dict[str, Any] = {}
        context = ToolContext(CONTEXT, "run", "call", "key-1", "agent", state)
        assert (await tool.call({"message": "What colour?"}, context)).output == "It is red."
        house.agent.script = list(ASKS_BACK)
        asks = await tool.call({"message": "And this?"}, context)
        assert asks.output == {"state": "input_required", "asks": "Which one?"}
        house.agent.script = CITED
        assert (await tool.call({"message": "That"}, context)).output == "It is red."
        listed = (await house.rest("GET", "/told/tasks")).json()["tasks"]
        assert len({each["contextId"] for each in listed}) == 1
        assert len(listed) == 2
        assert listed[0]["history"][0]["messageId"] == "key-1"
        await agent.aclose()
        stranger = RemoteAgent("told", RemoteAgentSettings(url=f"{url}/a2a/told", key="ms-wrong"))
        with pytest.raises(UpstreamError, match="404"):
            await stranger.card()
        await stranger.aclose()
