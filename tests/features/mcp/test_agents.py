"""The whole circle: an agent that uses tools of an MCP server is itself a tool of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mainspring.core.types import ChatRequest
from mainspring.features.mcp.settings import McpSettings
from tests.agents.loop.scripted import Said
from tests.agents.tools.mcp.servers import kind, served
from tests.features.agents.world import opened
from tests.features.mcp.clients import connected

pytestmark = pytest.mark.slow


async def test_an_agent_uses_a_server_and_is_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offered: list[list[str]] = []

    def says(request: ChatRequest) -> Said:
        offered.append([each.name for each in request.tools])
        if request.messages[-1].role == "user":
            return [("shop_add", {"a": 2, "b": 3})]
        return f"It is {'5' if '5' in request.messages[-1].content else 'unknown'}."

    definition = {
        "description": "Adds numbers.",
        "instruction": "Add.",
        "tools": [{"mcp": {"server": "shop", "tools": ["add"]}}],
    }
    async with served(kind().streamable_http_app()) as url:
        servers: Any = {"shop": {"url": url, "trust_hints": True}}
        given = {"definitions": {"adder": definition}}
        async with opened(monkeypatch, tmp_path, says, given, mcp=McpSettings(servers=servers)) as world:
            key = world.world.keys["red"]
            async with connected(world.world, key) as client:
                tool = next(each for each in (await client.list_tools()).tools if each.name == "run_adder")
                assert tool.description == "Adds numbers."
                told = await client.call_tool("run_adder", {"message": "What is 2 + 3?"})
                assert told.structured_content["text"] == "It is 5."
            assert offered[0] == ["shop_add"]
            # The call of the other server's tool is an event of the same answer.
            page = f"/v1/events?answer_id={told.structured_content['answer_id']}"
            kinds = {each["kind"] for each in (await world.call("GET", page)).json()["data"]}
            assert "tool" in kinds


async def test_a_definition_over_http_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"toolsets": ["mcp"]}
    async with opened(monkeypatch, tmp_path, [], given) as world:
        body = {"name": "evil", "instruction": "x", "tools": [{"mcp": {"command": ["touch", str(tmp_path / "x")]}}]}
        answer = await world.call("POST", "/v1/agents", {"definition": body})
        assert answer.status_code == 400, answer.text
        assert "cannot start programs" in answer.text
