"""The contract of layers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from mainspring.core.errors import EngineDied, InvalidRequest, MainspringError
from mainspring.core.path import collect
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)
from mainspring.serving.plugin_layers import PluginLayer
from mainspring.testing.applications import context


class InnerResponder:
    """What a layer is put around. ``closed`` counts the responses that have ended; ``refuses`` is raised before an
    answer, ``breaks`` within it; ``state`` is its fingerprint."""

    def __init__(
        self,
        *,
        refuses: MainspringError | None = None,
        breaks: MainspringError | None = None,
        state: str | None = "inner-1",
    ) -> None:
        self.refuses = refuses
        self.breaks = breaks
        self.state = state
        self.asked = 0
        self.closed = 0

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        self.asked += 1
        if self.refuses is not None:
            raise self.refuses
        return Response(Head("inner"), self._events(), on_close=self._close)

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return self.state

    async def _events(self) -> AsyncGenerator[Event, None]:
        for word in ("The ", "harbour ", "opens "):
            yield Text(word)
        if self.breaks is not None:
            raise self.breaks
        yield Text("at six.")
        yield Usage(4, 4)
        yield Finish("stop")

    async def _close(self) -> None:
        self.closed += 1


@pytest.mark.asyncio
class LayerSuite:
    """A subclass has a fixture ``layer``, a ``PluginLayer``. It lets ``question`` pass, and may change the answer."""

    question = "When does the harbour open?"

    def request(self) -> ChatRequest:
        return ChatRequest("inner", (Message("user", self.question),))

    def around(self, layer: PluginLayer, inner: InnerResponder) -> Responder:
        return layer.make(inner)

    async def test_it_names_one_place(self, layer: PluginLayer) -> None:
        assert layer.ring in ("request", "call")
        assert bool(layer.after) != bool(layer.before)

    async def test_an_answer_passes_and_ends_in_usage_and_one_finish(self, layer: PluginLayer) -> None:
        inner = InnerResponder()
        response = await self.around(layer, inner).respond(self.request(), context())
        events = [event async for event in response]
        await response.aclose()
        assert inner.asked >= 1
        assert any(isinstance(event, Text) and event.text for event in events)
        assert any(isinstance(event, Usage) for event in events)
        assert [event for event in events if isinstance(event, Finish)] == [events[-1]]
        assert inner.closed == inner.asked

    async def test_a_caller_who_leaves_ends_the_inner_response(self, layer: PluginLayer) -> None:
        inner = InnerResponder()
        response = await self.around(layer, inner).respond(self.request(), context())
        async for _ in response:
            break
        await response.aclose()
        assert inner.closed == inner.asked

    async def test_a_refusal_reaches_the_caller(self, layer: PluginLayer) -> None:
        inner = InnerResponder(refuses=InvalidRequest("the question has no verb", param="messages"))
        with pytest.raises(MainspringError):
            await self.around(layer, inner).respond(self.request(), context())

    async def test_a_failure_within_the_answer_reaches_the_caller(self, layer: PluginLayer) -> None:
        inner = InnerResponder(breaks=EngineDied("the engine is gone"))
        with pytest.raises(MainspringError):
            await collect(await self.around(layer, inner).respond(self.request(), context()))
        assert inner.closed == inner.asked

    async def test_several_are_answered_at_once(self, layer: PluginLayer) -> None:
        made = self.around(layer, InnerResponder())

        async def ask() -> str:
            return (await collect(await made.respond(self.request(), context()))).text

        texts = await asyncio.gather(*(ask() for _ in range(4)))
        assert all(text.strip() for text in texts)

    async def test_what_must_not_be_cached_stays_so(self, layer: PluginLayer) -> None:
        assert self.around(layer, InnerResponder(state=None)).fingerprint(self.request(), context()) is None

    async def test_a_fingerprint_follows_the_inner_one(self, layer: PluginLayer) -> None:
        made = self.around(layer, InnerResponder())
        one, again = [made.fingerprint(self.request(), context()) for _ in range(2)]
        other = self.around(layer, InnerResponder(state="inner-2")).fingerprint(self.request(), context())
        assert one == again
        assert one is None or one != other
