"""google-adk with a model of its own base class and sessions in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmRequest, LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai import types
from side import ANSWER, STEPS, add

VERSION = f"google-adk {version('google-adk')}"


class Script(BaseLlm):
    async def generate_content_async(
        self,
        llm_request: LlmRequest,
        stream: bool = False,  # noqa: ARG002
    ) -> AsyncGenerator[LlmResponse, None]:
        parts = [part for content in llm_request.contents for part in content.parts or []]
        done = sum(part.function_response is not None for part in parts)
        if done == STEPS:
            part = types.Part(text=ANSWER)
        else:
            part = types.Part(
                function_call=types.FunctionCall(name="add", args={"first": done + 1, "second": 1}, id=f"call_{done}")
            )
        yield LlmResponse(content=types.Content(role="model", parts=[part]))


@asynccontextmanager
async def open(_: Path) -> AsyncIterator[Callable[[], Awaitable[str]]]:  # noqa: A001
    agent = LlmAgent(name="adder", model=Script(model="script"), instruction="Add numbers.", tools=[add])
    sessions = InMemorySessionService()
    runner = Runner(agent=agent, app_name="bench", session_service=sessions)
    asked = types.Content(role="user", parts=[types.Part(text="Add.")])

    async def run() -> str:
        session = await sessions.create_session(app_name="bench", user_id="bench")
        said = ""
        async for event in runner.run_async(user_id="bench", session_id=session.id, new_message=asked):
            for part in (event.content.parts if event.content else None) or []:
                said = part.text or said
        await sessions.delete_session(app_name="bench", user_id="bench", session_id=session.id)
        return said

    yield run
