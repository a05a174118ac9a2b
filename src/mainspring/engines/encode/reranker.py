"""Rerankers: a pulled cross-encoder, and one behind an HTTP endpoint."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mainspring.core.errors import DeadlineExceeded, InvalidRequest, UpstreamError
from mainspring.core.path import replay
from mainspring.core.settings.endpoints import RemoteReranker as RemoteSettings
from mainspring.core.types import Context, Finish, Head, Request, RerankRequest, Response, Scores, Usage
from mainspring.engines.base import Reranked, Reranker
from mainspring.engines.encode.encoder import PairEncoder, Row
from mainspring.engines.encode.tokens import clean
from mainspring.engines.remote.openai_wire import token_count
from mainspring.telemetry.secrets import anonymous

_log = logging.getLogger(__name__)

# A query may take at most this share of what the model reads.
_QUERY_FRACTION = 0.5


class CrossEncoder(PairEncoder):
    """Implements ``engines.base.Reranker`` for pulled encoders with one relevance logit. Usable from any thread.

    Scores are the logistic function of the logit. A passage that does not fit beside the query is cut at its end.
    """

    computes_here = True

    KIND, CALLED = "reranker", "reranker"

    async def start(self) -> None:
        """Load the graph now. Raises ``ModelError`` when it cannot be used."""
        await self.rerank("ready", ["ready"])

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        """Score each of ``passages`` against ``query``.

        Raises ``ModelError`` when the graph cannot be loaded and ``EngineError`` after ``close``.
        """
        found = await self.score(query, passages)
        return Reranked(1 / (1 + np.exp(-found.scores)), found.tokens, found.truncated)

    async def score(self, question: str, texts: Sequence[str]) -> Reranked:
        """Like ``rerank``, with the logits, which still distinguish passages that are all good or all bad.

        A text's score does not depend on what else is scored with it.
        """
        if not texts:
            return Reranked(np.zeros(0, np.float32), 0)
        rows, truncated = await asyncio.to_thread(self._pairs, question, texts)
        logits = (await self._runner.run(rows, 1))[:, 0]
        return Reranked(logits, sum(len(row.ids) for row in rows), truncated)

    def _pairs(self, query: str, passages: Sequence[str]) -> tuple[list[Row], int]:
        limit = self.limit
        characters = self.most
        # The tokenizer's own template places the special tokens; only the lengths are ours.
        texts = [clean(text[:characters]) for text in [query, *passages]]
        first, *others = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        first.truncate(int(limit * _QUERY_FRACTION))
        special = self._tokenizer.num_special_tokens_to_add(True)
        room = limit - special - len(first.ids)
        truncated = 0
        rows = []
        for text, other in zip(passages, others, strict=True):
            truncated += len(other.ids) > room or len(text) > characters
            other.truncate(room)
            paired: Any = self._tokenizer.post_process(first, other, True)
            rows.append(Row(paired.ids, paired.type_ids.index(1) if 1 in paired.type_ids else len(paired.ids)))
        return rows, truncated


class RemoteReranker:
    """A ``POST /rerank`` endpoint in the style of Cohere and Jina (vLLM, TEI, Infinity and others have it)."""

    def __init__(self, settings: RemoteSettings) -> None:
        self._settings = settings
        self._session: Any = None

    @property
    def name(self) -> str:
        return self._settings.model

    @property
    def fingerprint(self) -> str:
        return f"{self._settings.url} {self._settings.model}"

    async def start(self) -> None:
        """Nothing to load: the first request finds out whether the endpoint is there."""

    async def rerank(
        self, query: str, passages: Sequence[str], trace: Mapping[str, str] = MappingProxyType({})
    ) -> Reranked:
        """``trace`` are the headers that tell the endpoint of the trace. Raises ``UpstreamError`` if it is not
        reached, refuses, or answers something else."""
        import aiohttp

        if not passages:
            return Reranked(np.zeros(0, np.float32), 0)
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout)
        body = {"model": self._settings.model, "query": query, "documents": list(passages)}
        headers = {**trace, **({"Authorization": f"Bearer {self._settings.api_key}"} if self._settings.api_key else {})}
        try:
            # The target of a redirect was not configured, and must not receive people's queries.
            asking = self._session.post(self._settings.url, json=body, headers=headers, allow_redirects=False)
            async with asking as response:
                if response.status != 200:
                    said = (await response.text())[:200]
                    raise UpstreamError(f"reranker {self.name} answered {response.status}: {said}")
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            _log.warning("reranker %s at %s: %s", self.name, anonymous(self._settings.url), anonymous(repr(error)))
            raise UpstreamError(f"reranker {self.name} failed: {type(error).__name__}") from None
        return _scores(answer, len(passages), self.name)

    async def close(self) -> None:
        """Release connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


class RerankResponder:
    """A reranker as a responder: answers ``RerankRequest`` with ``Scores``, ``Usage`` and ``Finish``.

    Documents longer than the model reads are cut; the head's ``x-mainspring-truncated`` says how many.
    """

    def __init__(self, reranker: Reranker) -> None:
        self.reranker = reranker

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return self.reranker.fingerprint

    async def respond(self, request: Request, context: Context) -> Response:
        """Answer when all documents are scored. Raises ``InvalidRequest``, ``DeadlineExceeded``."""
        name = self.reranker.name
        if not isinstance(request, RerankRequest):
            raise InvalidRequest(f"{name} is a reranker and answers nothing else", param="model")
        try:
            async with asyncio.timeout(context.remaining()):
                if isinstance(self.reranker, RemoteReranker):
                    headers = context.trace.headers()
                    found = await self.reranker.rerank(request.query, request.documents, headers)
                else:
                    found = await self.reranker.rerank(request.query, request.documents)
        except TimeoutError:
            raise DeadlineExceeded(f"{name} did not score the documents in time") from None
        headers = {"x-mainspring-truncated": str(found.truncated)} if found.truncated else {}
        events = replay([Scores(found.scores, found.spans), Usage(prompt_tokens=found.tokens), Finish("stop")])
        return Response(Head(name, headers=headers), events)


def _scores(answer: Any, count: int, name: str) -> Reranked:
    scores = np.full(count, np.nan, np.float32)
    try:
        for result in answer["results"]:
            place = int(result["index"])
            if place < 0:
                raise IndexError(f"index {place}")
            scores[place] = float(result["relevance_score"])
        tokens = token_count((answer.get("usage") or {}).get("total_tokens")) or 0
    except (AttributeError, TypeError, KeyError, ValueError, IndexError) as error:
        raise UpstreamError(f"reranker {name} gave no results that can be read: {error!r}") from None
    if np.isnan(scores).any():
        raise UpstreamError(f"reranker {name} left out {int(np.isnan(scores).sum())} of {count} passages")
    return Reranked(scores, tokens)
