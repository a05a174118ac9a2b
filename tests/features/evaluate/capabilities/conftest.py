"""A responder that says what a test tells it to, and counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    Finish,
    Head,
    Request,
    Response,
    Text,
    Usage,
)


class Told:
    """Answers by ``says``; ``asked`` are the requests so far, ``most`` the most at one time."""

    def __init__(self, says: Callable[[Request], str], state: str | None = "weights") -> None:
        self.says = says
        self.state = state
        self.asked: list[Request] = []
        self.contexts: list[Context] = []
        self.running = self.most = 0

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest | CompletionRequest)
        self.asked.append(request)
        self.contexts.append(context)
        self.running += 1
        self.most = max(self.most, self.running)
        text = self.says(request)

        async def events() -> AsyncIterator[Event]:
            yield Text(text)
            await asyncio.sleep(0)
            self.running -= 1
            yield Usage(10, 5)
            yield Finish("stop")

        return Response(Head("told"), events())

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return self.state


@pytest.fixture
def told() -> type[Told]:
    return Told
