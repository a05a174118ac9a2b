"""Asks a responder for the answer to an example, through the whole request path, and never twice for the same."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import MainspringError, Overloaded, RateLimited, UnknownModel
from mainspring.core.facts.answers import GivenFacts
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, EventRecord, Principal, Priority, TraceParent
from mainspring.evaluation.examples import Example, ExampleAnswer
from mainspring.feature import Rooms
from mainspring.features.experiments.spec import Candidate
from mainspring.features.experiments.store.results import Results, answered_of
from mainspring.features.experiments.work.templates import filled
from mainspring.serving.cache.exact import cache_key

_TRIES, _LONGEST_WAIT_S = 5, 30.0
# A process that has just begun loads models that were trained here: that may take two minutes.
_LOADING_TRIES, _LOADING_S = 8, 2.0


class Asking:
    """Asks for one experiment. Answers are no user traffic: they are recorded as replays."""

    def __init__(self, rooms: Rooms, results: Results, experiment_id: str, *, timeout_s: float) -> None:
        self._rooms = rooms
        self._results = results
        self._id = experiment_id
        self._timeout_s = timeout_s
        self.asked = 0
        self._gone: set[str] = set()

    def context(self, principal: Principal, example: Example, responder: int, place: int) -> Context:
        """The context of one question: its trace is the same each time, so that a recorded answer is found again."""
        named = hashlib.sha256(f"{principal.tenant}\0{self._id}\0{responder}\0{place}".encode()).hexdigest()
        return Context(
            principal,
            TraceParent(named[:32], TraceParent.new().span_id),
            deadline=time.monotonic() + self._timeout_s,
            priority=Priority.BATCH,
            replay=next(iter(example.sources), self._id),
        )

    async def answer(
        self, candidate: Candidate, example: Example, context: Context, *, resumed: bool = False
    ) -> tuple[ExampleAnswer, str]:
        """The answer, and the digest under which it may be given again (empty: it may not). Failures are answers with
        an ``error``. ``resumed``: an earlier process may have asked already."""
        request = chat_request(candidate, example)
        reuse = await self._reuse(request, context)
        if reuse and (known := await self._results.reusable(context.principal.tenant, reuse)) is not None:
            return answered_of(known), reuse
        if resumed and (found := await self._recorded(context)) is not None:
            return found, reuse
        tries = _LOADING_TRIES if resumed else _TRIES
        for attempt in range(1, tries + 1):
            try:
                return await self._ask(request, context), reuse
            except (RateLimited, Overloaded, UnknownModel) as error:
                if self._final(error, request.model, last=attempt == tries, resumed=resumed):
                    return ExampleAnswer("", error=f"{error.code}: {error.told}"), ""
                patience = _LOADING_S * 2 ** (attempt - 1) if resumed else 1.0
                asked = getattr(error, "retry_after", None)
                await asyncio.sleep(min(asked or patience, _LONGEST_WAIT_S))
            except MainspringError as error:
                return ExampleAnswer("", error=f"{error.code}: {error.told}"), ""
        raise AssertionError("unreachable")

    def _final(self, error: MainspringError, model: str, *, last: bool, resumed: bool) -> bool:
        """Whether a question fails by this error. A model that did not come once is not waited for again."""
        if not isinstance(error, UnknownModel):
            return last
        if last:
            self._gone.add(model)
        return last or not resumed or model in self._gone

    async def _ask(self, request: ChatRequest, context: Context) -> ExampleAnswer:
        self.asked += 1
        began, first = time.perf_counter(), None
        deadline = time.monotonic() + self._timeout_s
        own = context.forked(deadline=deadline)
        response = await self._rooms.responder.respond(request, own)
        first = time.perf_counter() - began
        answer = await collect(response)
        return ExampleAnswer(
            text=answer.text,
            model=answer.head.model,
            passages=tuple(each.quote for each in answer.citations),
            refused=None if answer.answered is None else not answer.answered,
            answer_id=answer.head.answer_id,
            trace_id=context.trace.trace_id,
            prompt_tokens=answer.usage.prompt_tokens,
            completion_tokens=answer.usage.completion_tokens,
            cost_nanousd=own.allowance.spent.cost_nanousd or answer.usage.cost_nanousd,
            duration_s=time.perf_counter() - began,
            ttft_s=first,
        )

    async def _recorded(self, context: Context) -> ExampleAnswer | None:
        """The answer that was settled before its result could be written."""
        tenant, trace = context.principal.tenant, context.trace.trace_id
        for record in await self._rooms.stores.events.find(tenant, kind="replay", trace_id=trace):
            if record.content is not None and GivenFacts.of(record.facts).status == "completed":
                return _restored(record)
        return None

    async def _reuse(self, request: ChatRequest, context: Context) -> str:
        if request.sampling.temperature != 0 or request.prompt is not None:
            return ""
        try:
            served = await self._rooms.path.registry.find(request.model, context.principal)
            fingerprint = served.responder.fingerprint(request, context)
        except MainspringError:
            return ""
        return cache_key(request, context, fingerprint, "experiment") if fingerprint is not None else ""


def chat_request(candidate: Candidate, example: Example) -> ChatRequest:
    """The request for an example."""
    messages = filled(candidate.template, example) if candidate.template else example.messages
    return ChatRequest(
        candidate.model,
        tuple(messages),
        candidate.sampling,
        user=example.subject or None,
        prompt=candidate.use,
        options={**asked_with(example), **candidate.options, "cache": False},
    )


def asked_with(example: Example) -> Mapping[str, Any]:
    """The options of its request that the example names itself, such as the languages of a translation."""
    told = example.extra.get("asked_with")
    return told if isinstance(told, Mapping) else {}


def recorded(example: Example) -> ExampleAnswer:
    """The answer that the example was made with."""
    found = example.extra.get("answer")
    if not isinstance(found, str):
        return ExampleAnswer("", error="no_answer: the example was not made with an answer")
    return ExampleAnswer(found, model=str(example.tags.get("model", "")), trace_id=example.trace_id)


def _restored(record: EventRecord) -> ExampleAnswer:
    facts, content = GivenFacts.of(record.facts), json.loads(record.content or "{}")
    choices: list[Mapping[str, Any]] = content.get("choices") or [{}]
    return ExampleAnswer(
        text=str(choices[0].get("text") or ""),
        model=facts.model,
        passages=tuple(str(each.get("quote") or "") for each in content.get("citations") or ()),
        refused=None if facts.answered is None else not facts.answered,
        answer_id=record.id,
        trace_id=record.trace_id,
        prompt_tokens=facts.prompt_tokens,
        completion_tokens=facts.completion_tokens,
        cost_nanousd=facts.cost_nanousd,
        duration_s=facts.duration_s,
        ttft_s=facts.ttft_s,
    )
