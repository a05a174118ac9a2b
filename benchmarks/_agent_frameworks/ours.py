"""Our loop, with a history in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from side import ANSWER, STEPS, add

from mainspring.agents.agent import Limits, LlmAgent
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.core.path import replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Finish,
    Head,
    Message,
    Principal,
    Request,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.core.version import __version__

VERSION = f"mainspring {__version__}"


class Script:
    """Implements ``Responder``: what it says follows from how many tools have answered."""

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return None

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        assert isinstance(request, ChatRequest)
        done = sum(message.role == "tool" for message in request.messages)
        if done == STEPS:
            return Response(Head("script"), replay([Text(ANSWER), Usage(10, 5), Finish("stop")]))
        call = ToolCallDelta(0, 0, f"call_{done}", "add", f'{{"first": {done + 1}, "second": 1}}')
        return Response(Head("script"), replay([call, Usage(10, 5), Finish("tool_calls")]))


def agent() -> LlmAgent:
    return LlmAgent(name="adder", instruction="Add numbers.", tools=[add], limits=Limits(steps=10 * STEPS))


@asynccontextmanager
async def open(_: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    runner = Runner(agent(), Surroundings(FixedModels({"script": Script()})))

    async def run() -> str:
        request = ChatRequest("adder", (Message("user", "Add."),))
        return (await runner.run(request, Context(Principal("bench", "key")))).text

    yield run
    await runner.aclose()
