"""A chat model as a reranker: shown a window of numbered passages, it says their order (RankGPT, Sun et al. 2023).

The window slides from the last candidates to the first, so that good ones climb to the front. The reply must be a
permutation such as ``[2] > [3] > [1]``; one that nearly is is repaired, another leaves the window as it was. Every call
goes through the model's call ring within the asker's context: it is priced, metered and ended with the request.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence

import numpy as np

from mainspring.core.errors import MainspringError
from mainspring.core.path import collect
from mainspring.core.plugins import Registry, hookimpl
from mainspring.core.settings import Settings
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    Sampling,
)
from mainspring.engines.base import ChatReranker, Reranked, Reranker
from mainspring.engines.encode.reranker import RerankResponder
from mainspring.engines.kinds import CHAT_RERANKER
from mainspring.guards.rewrite.spotlight import Spotlight, neutralise

log = logging.getLogger("mainspring.rag")
PREFIX = "listwise:"
WINDOW, STEP = 10, 5
_TIMEOUT_S = 30.0
_WORDS = 120
# "[10] > " is at most this many tokens.
_TOKENS_A_PLACE = 8
_INSTRUCTION = (
    "Rank passages by how well they answer a question. Reply with the numbers of all passages, the best first, as "
    "[2] > [1] > [3], and with nothing else."
)
_STRICT = re.compile(r"\s*\[\d{1,3}\](?:\s*>\s*\[\d{1,3}\])*(?:\s*\.)?\s*")
_PLACE = re.compile(r"\[(\d{1,3})\]")


@hookimpl
def mainspring_register(registry: Registry) -> None:
    """``models.reranker: listwise:MODEL``."""
    registry.add(CHAT_RERANKER, "listwise", _listwise)


class Listwise:
    """Reranks with the chat model ``model``, which ``responder`` serves within its call ring. Implements
    ``ChatReranker``.

    ``within`` gives the reranker of one request; otherwise its questions belong to no request.
    """

    def __init__(self, responder: Responder, model: str, *, fingerprint: str = "", spotlight: bool = True) -> None:
        self._responder = responder
        self._model = model
        self._fingerprint = fingerprint
        self._spotlight = spotlight

    @property
    def name(self) -> str:
        return f"{PREFIX}{self._model}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name} {self._fingerprint}"

    def within(self, context: Context) -> Reranker:
        """The same reranker, asking within ``context``."""
        return _Within(self, context)

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return await self.order(query, passages, Context(Principal("", "maintenance")))

    async def order(self, query: str, passages: Sequence[str], context: Context) -> Reranked:
        """Scores from 1 for the first place, falling evenly; all equal where no reply could be read."""
        order = list(range(len(passages)))
        tokens, read = 0, False
        for start in starts(len(order)):
            window = order[start : start + WINDOW]
            reply, spent = await self._ask(query, [passages[place] for place in window], context)
            tokens += spent
            ranked = permutation(reply, len(window))
            if ranked is not None:
                read = True
                order[start : start + WINDOW] = [window[place] for place in ranked]
        scores = np.zeros(len(passages), np.float32)
        if read:
            scores[order] = 1 - np.arange(len(order), dtype=np.float32) / max(1, len(order))
        return Reranked(scores, tokens, sum(len(passage.split()) > _WORDS for passage in passages))

    async def close(self) -> None:
        """Nothing to release: the model belongs to another room."""

    async def _ask(self, query: str, passages: Sequence[str], context: Context) -> tuple[str, int]:
        request = ChatRequest(
            self._model,
            self._messages(query, passages),
            sampling=Sampling(max_tokens=_TOKENS_A_PLACE * len(passages), temperature=0.0),
            store=False,
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                answer = await collect(await self._responder.respond(request, context.nested()))
        except TimeoutError:
            log.warning("%s took longer than %g s and did not rerank", self.name, _TIMEOUT_S)
            return "", 0
        except MainspringError as error:
            log.warning("%s did not rerank: %s", self.name, error.message)
            return "", 0
        return answer.text, answer.usage.total_tokens

    def _messages(self, query: str, passages: Sequence[str]) -> tuple[Message, ...]:
        light = Spotlight()
        instruction = f"{_INSTRUCTION} {light.instruction}" if self._spotlight else _INSTRUCTION
        blocks = []
        for number, passage in enumerate(passages, 1):
            text = " ".join(passage.split()[:_WORDS])
            body = light.wrap(text, "passage") if self._spotlight else neutralise(text)
            blocks.append(f"[{number}]\n{body}")
        asked = neutralise(query)
        return (
            Message("system", instruction),
            Message("user", "\n\n".join([*blocks, f"Question: {asked}\nOrder of the {len(passages)} passages:"])),
        )


class _Within:
    """A ``Listwise`` reranker of one request."""

    def __init__(self, listwise: Listwise, context: Context) -> None:
        self._listwise = listwise
        self._context = context

    @property
    def name(self) -> str:
        return self._listwise.name

    @property
    def fingerprint(self) -> str:
        return self._listwise.fingerprint

    async def rerank(self, query: str, passages: Sequence[str]) -> Reranked:
        return await self._listwise.order(query, passages, self._context)

    async def close(self) -> None: ...


class ChatRerankResponder:
    """A ``ChatReranker`` as a responder for ``/v1/rerank``; the chat calls are metered by the model's own ring."""

    def __init__(self, reranker: ChatReranker) -> None:
        self._reranker = reranker

    def fingerprint(self, request: Request, context: Context) -> str | None:  # noqa: ARG002
        return self._reranker.fingerprint

    async def respond(self, request: Request, context: Context) -> Response:
        """Raises ``InvalidRequest``, ``DeadlineExceeded``."""
        return await RerankResponder(self._reranker.within(context)).respond(request, context)


def _listwise(model: str, responder: Responder, settings: Settings) -> ChatReranker:
    fingerprint = responder.fingerprint(CompletionRequest(model, "."), Context(Principal("", "maintenance")))
    return Listwise(responder, model, fingerprint=fingerprint or "", spotlight=settings.guards.spotlight)


def starts(count: int) -> list[int]:
    """Where the windows over ``count`` passages begin, the last passages first."""
    if count < 2:
        return []
    found = list(range(max(0, count - WINDOW), 0, -STEP))
    return [*found, 0]


def permutation(reply: str, count: int) -> list[int] | None:
    """The order (from 0) that ``reply`` gives to ``count`` passages.

    Repeated or invalid numbers are dropped; passages that it does not name follow in their previous order. None if the
    reply names fewer than two passages, or names fewer than half of them in prose.
    """
    named = [int(number) - 1 for number in _PLACE.findall(reply)]
    found = list(dict.fromkeys(place for place in named if 0 <= place < count))
    strict = _STRICT.fullmatch(reply) is not None
    if len(found) < 2 or (not strict and 2 * len(found) < count):
        return None
    return found + [place for place in range(count) if place not in found]
