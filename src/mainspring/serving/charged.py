"""Embedders and rerankers as a search uses them: behind their call rings, so that what they read is charged."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from mainspring.engines.base import Embedded, Embedder, Reranked, Reranker
from mainspring.engines.model import EmbedResponder
from mainspring.engines.reranker import RerankResponder
from mainspring.errors import EngineError
from mainspring.path import collect
from mainspring.types import Context, EmbedRequest, RerankRequest, Responder

Ring = Callable[[Responder, str, str], Responder]
"""Puts a model, its name and its provider's into a call ring."""


class Charged:
    """Makes embedders and rerankers that leave a ``call`` event for each call and spend the context's allowance."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._rings: dict[str, Responder] = {}

    def embedder(self, inner: Embedder, context: Context) -> Embedder:
        """``inner``, charged to ``context``."""
        if inner.name not in self._rings:
            made = EmbedResponder(inner, model_name=inner.name)
            self._rings[inner.name] = self._ring(made, inner.name, "mainspring.openvino")
        return _Embedder(inner, self._rings[inner.name], context)

    def reranker(self, inner: Reranker, context: Context) -> Reranker:
        """``inner``, charged to ``context``."""
        if inner.name not in self._rings:
            self._rings[inner.name] = self._ring(RerankResponder(inner), inner.name, "mainspring.reranker")
        return _Reranker(inner, self._rings[inner.name], context)


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
        return Reranked(answer.scores.values, answer.usage.prompt_tokens)

    async def close(self) -> None:
        """The inner one is its owner's to close."""
