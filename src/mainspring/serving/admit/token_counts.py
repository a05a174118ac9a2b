"""Counts the tokens of a request in the vocabulary of the requested model, for local models."""

from __future__ import annotations

import asyncio
from functools import partial

import mainspring.serving.admit.token_estimate as estimate
from mainspring.core.types import ChatRequest, CompletionRequest, EmbedRequest, Request
from mainspring.engines import Engines
from mainspring.engines.base import Embedder
from mainspring.engines.chat.responder import ModelResponder
from mainspring.serving.money.reservation import Count

# Marks at the start and end of a text, which no count of it includes.
MARKS = 2


class ByModel:
    """The counter of each model, including models served later. An endpoint that applies a template of its own counts
    nothing."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines

    def get(self, model: str) -> Count | None:
        """The counter for ``model``."""
        embedder, found = self._engines.embedder, self._engines.chat.get(model)
        if model == embedder.name:
            return partial(_embedded, embedder)
        if found is None or found.engine.capabilities.templates or not isinstance(found.responder, ModelResponder):
            return None
        return partial(generated, found.responder)


async def generated(responder: ModelResponder, request: Request) -> int:
    """The input of ``request`` for the engine of ``responder``. Raises ``InvalidRequest`` in the same cases."""
    if isinstance(request, ChatRequest | CompletionRequest):
        return await responder.prompt_tokens(request) + MARKS
    return estimate.most_prompt_tokens(request)


async def _embedded(embedder: Embedder, request: Request) -> int:
    if not isinstance(request, EmbedRequest):
        return estimate.most_prompt_tokens(request)
    # Many long texts take a while, so a thread counts them and the loop can serve others.
    found = await asyncio.to_thread(embedder.count_tokens, request.inputs)
    return sum(found) + MARKS * len(found)


def read_twice(request: Request) -> int:
    """Tokens of a question that is embedded to be looked up by its meaning, at most."""
    if not isinstance(request, ChatRequest) or not request.messages:
        return 0
    return len(request.messages[-1].content.encode("utf-8", "replace")) + MARKS
