"""The contract of toolsets and their tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any

import jsonschema
import pytest
import pytest_asyncio

from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult, Toolset
from mainspring.testing.applications import context

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def tool_context() -> ToolContext:
    """A call within a run of its own."""
    return ToolContext(context(), run_id="run_1", call_id="call_1", key="key_1", agent="agent", state={})


@pytest.mark.asyncio
class ToolsetSuite:
    """A subclass has a fixture ``toolset``, and ``calls``: arguments with which a tool, by its name, must succeed."""

    calls: Mapping[str, Mapping[str, Any]] = {}

    @pytest_asyncio.fixture
    async def tools(self, toolset: Toolset) -> dict[str, BaseTool]:
        return {each.declaration.name: each for each in await toolset.tools(context())}

    async def test_it_has_a_name_and_tools(self, toolset: Toolset) -> None:
        found = await toolset.tools(context())
        assert toolset.name
        assert found
        assert len({each.declaration.name for each in found}) == len(found)

    async def test_models_can_read_the_declarations(self, tools: Mapping[str, BaseTool]) -> None:
        for name, tool in tools.items():
            assert NAME.fullmatch(name)
            assert tool.declaration.description.strip()
            schema = dict(tool.declaration.parameters)
            assert schema.get("type") == "object"
            jsonschema.Draft202012Validator.check_schema(schema)
            json.dumps(schema)

    async def test_policies_are_sensible(self, tools: Mapping[str, BaseTool]) -> None:
        for tool in tools.values():
            assert tool.policy.timeout_s > 0
            assert tool.policy.max_characters > 0
            # A call whose effect has no key must not be repeated.
            assert tool.policy.retries == 0 or tool.policy.effect != "unkeyed"
            assert all(example.strip() for example in tool.examples)

    async def test_calls_succeed_with_a_json_value(self, tools: Mapping[str, BaseTool]) -> None:
        assert self.calls
        for name, arguments in self.calls.items():
            jsonschema.validate(dict(arguments), dict(tools[name].declaration.parameters))
            result = await tools[name].call(arguments, tool_context())
            assert isinstance(result, ToolResult)
            assert result.error == ""
            json.dumps(result.output)

    async def test_calls_run_beside_each_other(self, tools: Mapping[str, BaseTool]) -> None:
        for name, arguments in self.calls.items():
            tool = tools[name]
            if tool.policy.effect == "none":
                results = await asyncio.gather(*(tool.call(arguments, tool_context()) for _ in range(3)))
                assert [each.error for each in results] == ["", "", ""]

    async def test_it_lists_the_same_tools_again(self, toolset: Toolset) -> None:
        one, other = [{each.declaration.name for each in await toolset.tools(context())} for _ in range(2)]
        assert one == other

    async def test_it_can_be_closed_twice(self, toolset: Toolset) -> None:
        await toolset.tools(context())
        await toolset.aclose()
        await toolset.aclose()
