"""Agents that the official SDK serves, on a port of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from a2a.helpers import new_data_part, new_task_from_user_message, new_text_part
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send


class Billing(AgentExecutor):
    """What it does stands in the message."""

    def __init__(self) -> None:
        self.asked: list[RequestContext] = []
        self.cancelled = 0

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.asked.append(context)
        said = context.get_user_input()
        assert context.message is not None
        assert context.task_id is not None
        assert context.context_id is not None
        task = context.current_task
        if not task:
            await event_queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.start_work(updater.new_agent_message([new_text_part("Looking it up.")]))
        if "slow" in said:
            await asyncio.sleep(60)
        if "fail" in said:
            await updater.failed(updater.new_agent_message([new_text_part("There is no such invoice.")]))
            return
        if "which one" in said:
            await updater.requires_input(updater.new_agent_message([new_text_part("Which month?")]))
            return
        if "data" in said:
            await updater.add_artifact([new_data_part({"total": 12})], artifact_id="d")
        for number, word in enumerate(("It ", "is ", f"paid: {said}")):
            await updater.add_artifact(
                [new_text_part(word)], artifact_id="a", append=number > 0, last_chunk=number == 2
            )
        await updater.complete()

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        self.cancelled += 1
        assert context.task_id is not None
        assert context.context_id is not None
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()


class Seen:
    """Keeps the headers of requests, and refuses those without the key."""

    def __init__(self, app: ASGIApp, headers: list[dict[str, str]]) -> None:
        self.app = app
        self.headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.headers.append(dict(Request(scope).headers))
        await self.app(scope, receive, send)


class Agent:
    """A running agent: its address, card and executor, and the headers of all requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.executor = Billing()
        self.headers: list[dict[str, str]] = []
        self.card = AgentCard(
            name="billing",
            description="Knows invoices.",
            version="1",
            capabilities=AgentCapabilities(streaming=True),
            default_input_modes=["text/plain"],
            default_output_modes=["text/plain"],
            supported_interfaces=[AgentInterface(url=f"{url}/rpc", protocol_binding="JSONRPC", protocol_version="1.0")],
            skills=[
                AgentSkill(
                    id="pay", name="payments", description="Says what is paid", tags=["x"], examples=["Is May paid?"]
                )
            ],
        )

    def app(self) -> ASGIApp:
        handler = DefaultRequestHandler(
            agent_executor=self.executor, task_store=InMemoryTaskStore(), agent_card=self.card
        )

        async def card(_: Any) -> Any:
            return self.card

        cards = create_agent_card_routes(self.card, card_modifier=card)
        routes = [*cards, *create_jsonrpc_routes(handler, "/rpc"), *create_rest_routes(handler)]
        return Seen(Starlette(routes=routes), self.headers)


@asynccontextmanager
async def serving(app: Any, *, port: int = 0) -> AsyncIterator[str]:
    """The address of an application on a port of its own; ``app`` may be made of the address."""
    config = uvicorn.Config(lambda: None, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    sock = config.bind_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    config.app = app(url)
    config.loaded = False
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[sock]))
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        yield url
    finally:
        server.should_exit = True
        server.force_exit = True
        await asyncio.wait([task], timeout=10)
        sock.close()


@asynccontextmanager
async def billing() -> AsyncIterator[Agent]:
    made: list[Agent] = []

    def app(url: str) -> ASGIApp:
        made.append(Agent(url))
        return made[0].app()

    async with serving(app):
        yield made[0]
