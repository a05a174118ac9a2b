"""Puts items to a responder: any model, collection, agent or route."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.core.errors import EngineError, GuardRefused, Overloaded, RateLimited
from mainspring.core.path import Answer, collect
from mainspring.core.types import ChatRequest, Context, Principal, Priority, Request, Responder, Sampling
from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
from mainspring.features.evaluate.capabilities.benchmark import Benchmark, Item, Reply, Way

_ATTEMPTS = 4
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A reply and what it took. ``cached``: an earlier run had asked."""

    reply: Reply
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_nanousd: int = 0
    duration_s: float = 0.0
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """The responder under test, by the name ``model``. Requests have the priority of batches, are not stored, and pass
    by the server's cache. ``temperature`` 0 is greedy; the seed of a drawn answer is the number of its sample plus
    ``seed``. ``tokens`` is the most that an answer may have (0: the benchmark's own)."""

    responder: Responder
    model: str
    principal: Principal
    temperature: float = 0.0
    seed: int = 0
    tokens: int = 0
    cache: AnswerCache | None = None

    def context(self) -> Context:
        return Context(self.principal, priority=Priority.BATCH)

    async def ask(self, benchmark: Benchmark, item: Item, way: Way, sample: int) -> Asked:
        """Raises ``MainspringError`` if the responder does not answer, also after some attempts. What a guard refuses
        is a reply that ends by ``content_filter``."""
        request = self._request(benchmark, item, way, sample)
        key = self._key(request, way)
        if self.cache is not None and key and (known := self.cache.get(key)) is not None:
            return Asked(Reply(known["text"], tuple(known.get("likelihoods", ())), known["finish"]), cached=True)
        began = time.monotonic()
        try:
            answer = await self._answered(request)
        except GuardRefused:
            return Asked(Reply(finish="content_filter"), duration_s=time.monotonic() - began)
        finish = (answer.choices[0].finish or "") if answer.choices else ""
        asked = Asked(
            Reply(answer.text, finish=finish),
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens,
            answer.usage.cost_nanousd,
            round(time.monotonic() - began, 3),
        )
        if self.cache is not None and key:
            self.cache.put(key, {"text": asked.reply.text, "finish": finish})
        return asked

    def _request(self, benchmark: Benchmark, item: Item, way: Way, sample: int) -> Request:  # noqa: ARG002
        sampling = Sampling(
            max_tokens=self.tokens or benchmark.tokens,
            temperature=self.temperature,
            seed=self.seed + sample if self.temperature else None,
        )
        return ChatRequest(self.model, item.messages, sampling, store=False, options={"cache": False})

    async def _answered(self, request: Request) -> Answer:
        for attempt in range(_ATTEMPTS):
            try:
                return await collect(await self.responder.respond(request, self.context()))
            except (Overloaded, RateLimited, EngineError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(min(_LONGEST_PAUSE_S, (error.retry_after or _PAUSE_S) * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _key(self, request: Request, way: Way) -> str:
        state = self.responder.fingerprint(request, self.context())
        return fingerprint({"state": state, "request": repr(request), "way": way}) if state else ""


def fingerprint(facts: Mapping[str, Any]) -> str:
    """A digest of JSON values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]
