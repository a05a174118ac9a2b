"""The contract of rerankers that ask a chat model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest

from mainspring.core.errors import EngineDied, MainspringError
from mainspring.core.path import replay
from mainspring.core.types import ChatRequest, Context, Event, Finish, Head, Request, Responder, Response, Text, Usage
from mainspring.engines.base import ChatReranker, Reranked
from mainspring.testing.applications import context

MODEL = "scripted-chat"
Making = Callable[[str, Responder], ChatReranker]
"""Makes the reranker that asks the model of this name, which the responder serves."""


class ScriptedModel:
    """The chat model, which always replies ``reply`` or raises ``fails``. ``contexts`` and ``requests`` are those of
    its calls."""

    def __init__(self, reply: str = "", fails: MainspringError | None = None) -> None:
        self.reply = reply
        self.fails = fails
        self.contexts: list[Context] = []
        self.requests: list[Request] = []

    async def respond(self, request: Request, context: Context) -> Response:
        self.contexts.append(context)
        self.requests.append(request)
        if self.fails is not None:
            raise self.fails
        events: list[Event] = [Text(self.reply), Usage(40, 4), Finish("stop")]
        return Response(Head(MODEL), replay(events))

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return "scripted-1"


@pytest.mark.asyncio
class ChatRerankerSuite:
    """A subclass has a fixture ``make`` (``Making``), and ``reply``: what a model replies that prefers the second of
    two passages."""

    reply = ""
    query = "When does the harbour open?"
    passages = ("Marigolds want sun and little water.", "The harbour opens at six in the morning.")

    async def test_the_passage_that_the_model_prefers_scores_higher(self, make: Making) -> None:
        model = ScriptedModel(self.reply)
        found = await self._asked(make, model)
        assert found.scores[1] > found.scores[0]
        assert model.requests
        assert all(isinstance(each, ChatRequest) and each.model == MODEL for each in model.requests)

    async def test_calls_are_charged_to_the_request(self, make: Making) -> None:
        model, asking = ScriptedModel(self.reply), context()
        found = await make(MODEL, model).within(asking).rerank(self.query, self.passages)
        assert model.contexts
        for each in model.contexts:
            assert each.allowance is asking.allowance
            assert each.principal == asking.principal
            # A call within a request is not a request of a user.
            assert each.depth > asking.depth
        assert found.tokens == 44 * len(model.contexts)

    async def test_requests_are_apart(self, make: Making) -> None:
        model = ScriptedModel(self.reply)
        made, asking = make(MODEL, model), [context() for _ in range(4)]
        await asyncio.gather(*(made.within(each).rerank(self.query, self.passages) for each in asking))
        used = {id(each.allowance) for each in model.contexts}
        assert used == {id(each.allowance) for each in asking}

    @pytest.mark.parametrize("reply", ["", "I cannot rank these.", "[9999] > [0]", "\0 日本語", "[2] > " * 5000])
    async def test_any_reply_leaves_scores_between_0_and_1(self, make: Making, reply: str) -> None:
        self._check(await self._asked(make, ScriptedModel(reply)))

    async def test_a_model_that_fails_leaves_the_order_as_it_was(self, make: Making) -> None:
        found = await self._asked(make, ScriptedModel(fails=EngineDied("the engine is gone")))
        self._check(found)
        assert found.scores[0] >= found.scores[1]

    async def test_no_passages_need_no_call(self, make: Making) -> None:
        model = ScriptedModel(self.reply)
        found = await make(MODEL, model).within(context()).rerank(self.query, [])
        assert found.scores.shape == (0,)
        assert model.requests == []

    async def test_its_name_and_fingerprint_stay(self, make: Making) -> None:
        made = make(MODEL, ScriptedModel(self.reply))
        within = made.within(context())
        assert made.name == within.name != ""
        assert made.fingerprint == within.fingerprint != ""

    async def _asked(self, make: Making, model: ScriptedModel) -> Reranked:
        return await make(MODEL, model).within(context()).rerank(self.query, self.passages)

    def _check(self, found: Reranked) -> None:
        assert found.scores.shape == (len(self.passages),)
        assert found.scores.dtype == np.float32
        assert bool(np.all((found.scores >= 0) & (found.scores <= 1)))
