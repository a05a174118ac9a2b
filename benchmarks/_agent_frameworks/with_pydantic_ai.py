"""pydantic-ai with its model that is a function."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.usage import UsageLimits
from side import ANSWER, STEPS, add

VERSION = f"pydantic-ai {version('pydantic-ai-slim')}"


async def script(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    done = sum(
        isinstance(part, ToolReturnPart) for each in messages if isinstance(each, ModelRequest) for part in each.parts
    )
    if done == STEPS:
        return ModelResponse(parts=[TextPart(ANSWER)])
    return ModelResponse(parts=[ToolCallPart("add", {"first": done + 1, "second": 1}, f"call_{done}")])


@asynccontextmanager
async def open(_: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    agent = Agent(FunctionModel(script), instructions="Add numbers.", tools=[add])
    limits = UsageLimits(request_limit=STEPS + 1)

    async def run() -> str:
        return (await agent.run("Add.", usage_limits=limits)).output

    yield run
