"""The contract of applications and all other ``Responder``s."""

from __future__ import annotations

import asyncio

import pytest

from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Finish, Message, Principal, Responder, Usage


def context() -> Context:
    """A principal who may chat."""
    return Context(Principal("tenant", "key", frozenset({"chat"})))


@pytest.mark.asyncio
class ApplicationSuite:
    """A subclass has a fixture ``application``, and a ``question`` that it answers."""

    question = "Say hello."

    def request(self, text: str = "") -> ChatRequest:
        return ChatRequest("application", (Message("user", text or self.question),))

    async def test_it_answers(self, application: Responder) -> None:
        answer = await collect(await application.respond(self.request(), context()))
        assert answer.text.strip()
        assert answer.head.model

    async def test_a_stream_ends_in_usage_and_then_in_one_finish_a_choice(self, application: Responder) -> None:
        response = await application.respond(self.request(), context())
        events = [event async for event in response]
        await response.aclose()
        finishes = [event for event in events if isinstance(event, Finish)]
        assert finishes == events[-len(finishes) :]
        assert len({each.choice for each in finishes}) == len(finishes) >= 1
        assert any(isinstance(event, Usage) for event in events)

    async def test_a_caller_may_leave(self, application: Responder) -> None:
        response = await application.respond(self.request(), context())
        async for _ in response:
            break
        await response.aclose()
        assert (await collect(await application.respond(self.request(), context()))).text.strip()

    async def test_several_are_answered_at_once(self, application: Responder) -> None:
        async def ask() -> str:
            return (await collect(await application.respond(self.request(), context()))).text

        assert all(text.strip() for text in await asyncio.gather(*(ask() for _ in range(4))))

    async def test_a_fingerprint_is_the_same_for_the_same_request(self, application: Responder) -> None:
        one, other = [application.fingerprint(self.request(), context()) for _ in range(2)]
        assert one == other
        assert one is None or one != ""
