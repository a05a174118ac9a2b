"""Embedders and rerankers for searches: behind their call rings, so that their reading is charged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from mainspring.core.errors import EngineError
from mainspring.core.path import collect, replay
from mainspring.core.types import (
    Allowance,
    Context,
    EmbedRequest,
    Finish,
    Head,
    Request,
    RerankRequest,
    Responder,
    Response,
    Settlement,
    Usage,
)
from mainspring.engines.base import Embedded, Embedder, Reranked, Reranker
from mainspring.engines.chat.responder import EmbedResponder
from mainspring.engines.encode.reranker import RerankResponder

Ring = Callable[[Responder, str, str], Responder]
"""Puts a model, its name and its provider's into a call ring."""


class ChargedModels:
    """Makes embedders and rerankers that leave a ``call`` event for each call and spend the context's allowance.
    ``ring`` puts one into its call ring."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self._rings: dict[str, Responder] = {}

    def embedder(self, inner: Embedder, context: Context) -> Embedder:
        """``inner``, charged to ``context``."""
        if inner.name not in self._rings:
            made = EmbedResponder(inner, model_name=inner.name)
            self._rings[inner.name] = self.ring(made, inner.name, "mainspring.openvino")
        return _Embedder(inner, self._rings[inner.name], context)

    def reranker(self, inner: Reranker, context: Context) -> Reranker:
        """``inner``, charged to ``context``."""
        if inner.name not in self._rings:
            self._rings[inner.name] = self.ring(RerankResponder(inner), inner.name, "mainspring.reranker")
        return _Reranker(inner, self._rings[inner.name], context)

    async def spent(self, inner: Embedder, tokens: int, context: Context) -> None:
        """Charge ``context`` the ``tokens`` that ``inner`` has read for it, in one ``call`` event."""
        ring = self.ring(_Read(inner.name, tokens), inner.name, "mainspring.openvino")
        # The work is done, so an account without limits takes its cost.
        own, noted = Allowance(rate=context.allowance.rate), Settlement(context.settlement.application)
        nested = context.nested().apart(own, noted, deadline=None)
        await collect(await ring.respond(EmbedRequest(inner.name, ()), nested))
        context.allowance.spend(own.spent)
        context.settlement.records.extend(noted.records)


def paid(inner: Reranker | None, models: ChargedModels | None, context: Context) -> Reranker | None:
    """``inner``, charged to ``context`` where anything is charged."""
    return inner if inner is None or models is None else models.reranker(inner, context)


class _Read:
    """A responder that has read this many tokens."""

    def __init__(self, model: str, tokens: int) -> None:
        self._model = model
        self._tokens = tokens

    async def respond(self, request: Request, context: Context) -> Response:  # noqa: ARG002
        return Response(Head(self._model), replay([Usage(prompt_tokens=self._tokens), Finish("stop")]))

    def fingerprint(self, request: Request, context: Context) -> None:
        """Nothing is answered."""


class _Embedder:
    def __init__(self, inner: Embedder, ring: Responder, context: Context) -> None:
        self._inner = inner
        self._responder = ring
        self._context = context
        self.name = inner.name
        self.dimensions = inner.dimensions
        self.max_tokens = inner.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._inner.count_tokens(texts)

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"] = "passage") -> Embedded:
        request = EmbedRequest(self.name, tuple(texts), kind)
        answer = await collect(await self._responder.respond(request, self._context.nested()))
        if answer.vectors is None:
            raise EngineError(f"{self.name} gave no vectors")
        return Embedded(answer.vectors.rows, answer.usage.prompt_tokens)

    async def close(self) -> None:
        """The inner one is its owner's to close."""


class _Reranker:
    def __init__(self, inner: Reranker, ring: Responder, context: Context) -> None:
        self._inner = inner
        self._responder = ring
        self._context = context
        self.name = inner.name

    @property
    def fingerprint(self) -> str:
        return self._inner.fingerprint

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        request = RerankRequest(self.name, query, tuple(passages))
        answer = await collect(await self._responder.respond(request, self._context.nested()))
        if answer.scores is None:
            raise EngineError(f"{self.name} gave no scores")
        return Reranked(answer.scores.values, answer.usage.prompt_tokens, spans=answer.scores.spans)

    async def close(self) -> None:
        """The inner one is its owner's to close."""
