"""Puts items to a responder: any model, collection, agent or route."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mainspring.core.errors import EngineError, GuardRefused, Overloaded, RateLimited, Unsupported
from mainspring.core.path import Answer, collect
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Grammar,
    Principal,
    Priority,
    Request,
    Responder,
    Sampling,
    TokenLogprob,
)
from mainspring.engines.base import Capabilities
from mainspring.features.evaluate.capabilities.answer_cache import AnswerCache
from mainspring.features.evaluate.capabilities.benchmark import LETTERS, Benchmark, Item, Reply, Way

_ATTEMPTS = 4
_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0
_ALTERNATIVES = 20
# The log-probability of a letter that is none of the likeliest tokens.
_ABSENT = -100.0
_LIKELIHOODS: tuple[Way, ...] = ("prompt-logprobs", "token-logprobs")


@dataclass(frozen=True, slots=True)
class MeasuredReply:
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

    async def ask(self, benchmark: Benchmark, item: Item, way: Way, sample: int) -> MeasuredReply:
        """Raises ``MainspringError`` if the responder does not answer, also after some attempts. What a guard refuses
        is a reply that ends by ``content_filter``, and an error where likelihoods are asked for."""
        requests = self.requests(benchmark, item, way, sample)
        key = self._key(requests, way)
        if self.cache is not None and key and (known := self.cache.get(key)) is not None:
            return MeasuredReply(
                Reply(known["text"], tuple(known.get("likelihoods", ())), known["finish"]), cached=True
            )
        began = time.monotonic()
        try:
            answers = [await self._answered(request) for request in requests]
        except GuardRefused:
            if way == "prompt-logprobs":
                # What was not read has no likelihood: it is left out and not taken for an answer.
                raise
            return MeasuredReply(Reply(finish="content_filter"), duration_s=time.monotonic() - began)
        reply = _reply(item, way, answers)
        if self.cache is not None and key:
            self.cache.put(key, {"text": reply.text, "finish": reply.finish, "likelihoods": reply.likelihoods})
        return MeasuredReply(
            reply,
            sum(each.usage.prompt_tokens for each in answers),
            sum(each.usage.completion_tokens for each in answers),
            sum(each.usage.cost_nanousd for each in answers),
            round(time.monotonic() - began, 3),
        )

    def requests(self, benchmark: Benchmark, item: Item, way: Way, sample: int) -> list[Request]:
        """What is sent for an item: one request, or one for each option."""
        sampling = Sampling(
            max_tokens=self.tokens or benchmark.tokens,
            temperature=self.temperature,
            seed=self.seed + sample if self.temperature else None,
        )
        if way == "prompt-logprobs":
            told = Sampling(max_tokens=1, temperature=0.0, logprobs=0, prompt_logprobs=True)
            return [CompletionRequest(self.model, item.prompt + each, told, store=False) for each in item.continuations]
        if way == "completion":
            drawn = replace(sampling, stop=benchmark.stop)
            suffix = str(item.extra.get("suffix", ""))
            return [CompletionRequest(self.model, item.prompt, drawn, suffix=suffix, store=False)]
        if way == "token-logprobs":
            sampling = Sampling(max_tokens=1, temperature=0.0, logprobs=_ALTERNATIVES)
        elif way == "grammar":
            sampling = replace(sampling, grammar=letter_grammar(len(item.options)))
        return [ChatRequest(self.model, item.messages, sampling, store=False, options={"cache": False})]

    async def _answered(self, request: Request) -> Answer:
        for attempt in range(_ATTEMPTS):
            try:
                return await collect(await self.responder.respond(request, self.context()))
            except (Overloaded, RateLimited, EngineError) as error:
                if attempt == _ATTEMPTS - 1:
                    raise
                await asyncio.sleep(min(_LONGEST_PAUSE_S, (error.retry_after or _PAUSE_S) * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def _key(self, requests: Sequence[Request], way: Way) -> str:
        state = self.responder.fingerprint(requests[0], self.context())
        return fingerprint({"state": state, "requests": repr(requests), "way": way}) if state else ""


def letter_grammar(options: int) -> Grammar:
    """A JSON object whose ``answer`` is one of so many letters: the form that most engines enforce."""
    schema = {
        "type": "object",
        "properties": {"answer": {"enum": list(LETTERS[:options])}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return Grammar("json_schema", json.dumps(schema))


def way_of(benchmark: Benchmark, items: Sequence[Item], capabilities: Capabilities | None, wanted: str = "") -> Way:
    """The best way of asking ``items`` that an engine of these capabilities has (None: an application, which has texts
    only). ``wanted`` has to be possible. Raises ``Unsupported`` with what would help."""
    options = max((len(item.options) for item in items), default=0)
    able: dict[Way, bool] = {
        "text": True,
        "completion": True,
        "prompt-logprobs": capabilities is not None and capabilities.prompt_logprobs,
        "token-logprobs": capabilities is not None and (capabilities.logprobs or 0) > options > 0,
        "grammar": capabilities is not None and "json_schema" in capabilities.grammars,
    }
    possible = [way for way in benchmark.ways if able[way] and wanted in ("", way)]
    if possible:
        return possible[0]
    has = ", ".join(way for way in benchmark.ways if able[way])
    raise Unsupported(
        f"{benchmark.name} cannot be asked by {wanted or ' or '.join(benchmark.ways)} here",
        remedy=f"Use --how {has}" if has else "Ask a local model, by OpenVINO with engines.prefix_cache: false",
        param="how",
    )


def _reply(item: Item, way: Way, answers: Sequence[Answer]) -> Reply:
    first = answers[0]
    finish = (first.choices[0].finish or "") if first.choices else ""
    if way == "prompt-logprobs":
        values = tuple(continued(answer, each) for answer, each in zip(answers, item.continuations, strict=True))
        return Reply(likelihoods=values)
    if way == "token-logprobs":
        return Reply(first.text, _letters(first, len(item.options)), finish)
    return Reply(first.text, finish=finish)


def continued(answer: Answer, continuation: str) -> float:
    """The summed natural-log probability of the tokens at the end of a prompt that make up ``continuation``."""
    prompt = prompt_logprobs(answer)
    total, length = 0.0, 0
    for each in reversed(prompt):
        if length >= len(continuation) or math.isnan(each.logprob):
            break
        total += each.logprob
        length += len(each.token)
    return total


def prompt_logprobs(answer: Answer) -> list[TokenLogprob]:
    """Those of the prompt's tokens. Raises ``Unsupported`` if the responder did not tell them."""
    told = answer.choices[0].logprobs if answer.choices else []
    count = answer.usage.prompt_tokens
    if len(told) < count or not told or not math.isnan(told[0].logprob):
        raise Unsupported(
            f"{answer.head.model} does not tell the log-probabilities of a prompt",
            remedy="Serve the model with OpenVINO and engines.prefix_cache: false",
            param="echo",
        )
    return told[:count]


def _letters(answer: Answer, options: int) -> tuple[float, ...]:
    """The log-probability of each letter as the first token: the likeliest of its spellings."""
    told = answer.choices[0].logprobs if answer.choices else []
    top = (*told[0].top, (told[0].token, told[0].logprob)) if told else ()
    best = dict.fromkeys(LETTERS[:options], _ABSENT)
    for token, logprob in top:
        letter = token.strip(" (*\"'").upper()
        if letter in best:
            best[letter] = max(best[letter], logprob)
    # None of the letters is likely: the reply has to be read as a text.
    return tuple(best.values()) if max(best.values()) > _ABSENT else ()


def fingerprint(facts: Mapping[str, Any]) -> str:
    """A digest of JSON values."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]
