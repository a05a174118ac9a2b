"""The judges: embeddings, or a chat model behind its call ring. Their reading is charged under a name of its own."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from mainspring.core.errors import MainspringError, NoRegion
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.types import (
    ChatRequest,
    Context,
    EventRecord,
    Message,
    Principal,
    Priority,
    Reach,
    Responder,
    Sampling,
    Settlement,
    TraceParent,
)
from mainspring.engines.base import Embedder
from mainspring.features.monitor.judging.live_judging import Piecewise
from mainspring.rag.triad.live import MOST_CLAIMS, AnswerMetric, GivenAnswer, Verdict, judged_by, verdict
from mainspring.rag.triad.model_judge import ChatJudge
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.ring.ports import EventLog

JUDGING = "judging"
"""The application and the key that judging is charged to."""
_log = logging.getLogger(__name__)
_TIMEOUT_S = 120.0
# In addition to the texts: the tokens of each question and reply.
_ASKED_TOKENS, _REPLY_TOKENS = 400, 256


class ByEmbeddings:
    """Judges with ``embedder``, a few texts at a time, while ``idle`` says so. ``permits`` says whether work for a
    context's request is allowed here."""

    def __init__(
        self,
        embedder: Embedder,
        charged: ChargedModels,
        events: EventLog,
        *,
        idle: Callable[[], bool],
        permits: Callable[[Context], bool],
        metrics: Mapping[str, AnswerMetric] | None = None,
    ) -> None:
        self._embedder = embedder
        self._charged = charged
        self._events = events
        self._idle = idle
        self._permits = permits
        self._metrics = metrics
        self.name = judged_by(embedder, metrics=metrics)

    async def judge(self, answer: EventRecord, given: GivenAnswer) -> Verdict:
        """Raises ``NoRegion``, and the embedder's errors."""
        context = context_of(answer)
        if not self._permits(context):
            raise NoRegion(f"{self._embedder.name} is in no region that was asked for")
        reading = Piecewise(self._embedder, self._idle)
        try:
            return await verdict(given, reading, metrics=self._metrics)
        finally:
            if reading.tokens:
                await self._charged.spent(self._embedder, reading.tokens, context)
                await settle(self._events, answer, context)


class ByModel:
    """Judges with the chat model ``name`` behind its call ring, within the budgets of ``purse``."""

    def __init__(
        self,
        responder: Responder,
        model: str,
        embedder: Embedder,
        events: EventLog,
        purse: BudgetReservations | None,
        metrics: Mapping[str, AnswerMetric] | None = None,
    ) -> None:
        self._responder = responder
        self._model = model
        self._embedder = embedder
        self._events = events
        self._purse = purse
        self._metrics = metrics
        self.name = judged_by(embedder, model, metrics)

    async def judge(self, answer: EventRecord, given: GivenAnswer) -> Verdict | None:
        """None if a budget is exhausted. Raises ``NoRegion``, and the model's errors."""
        context = context_of(answer)
        try:
            if not await self._set_aside(context, given):
                return None
            judge = ChatJudge(self._responder, self._model, context=context)
            return await verdict(given, self._embedder, judge, self._metrics)
        finally:
            # A call that was made has been paid for, whatever its result.
            await settle(self._events, answer, context)
            if self._purse is not None and context.allowance.reservation:
                self._purse.budgets.done(context.allowance.reservation)

    async def _set_aside(self, context: Context, given: GivenAnswer) -> bool:
        """Whether the budgets allow the maximum cost of all questions to the model; if so, the questions are limited to
        that cost."""
        allowance, purse = context.allowance, self._purse
        found = [] if purse is None else await purse.budgets.concerning(context.principal, JUDGING)
        if purse is None or not found:
            return True
        text = "\n".join((given.question, given.answer, *given.passages))
        most = ChatRequest(self._model, (Message("user", text),), sampling=Sampling(max_tokens=_REPLY_TOKENS))
        nanousd, tokens = await purse.most(most, context)
        calls = 1 + len(given.passages) + (MOST_CLAIMS if given.passages else 0)
        nanousd, tokens = calls * nanousd, calls * (tokens + _ASKED_TOKENS)
        if full := await purse.hold(allowance, found, nanousd, tokens):
            _log.info("an answer is not judged: budget %s holds no more", full.id)
        return full is None


def context_of(answer: EventRecord) -> Context:
    """The context of judging: lowest priority, a trace of its own, the regions of the request and its key."""
    request, key = (frozenset(each) for each in AnswerFacts.of(answer.facts).regions or ((), ()))
    return Context(
        Principal(answer.tenant, JUDGING, reach=Reach(regions=key)),
        dataclasses.replace(TraceParent.new(), span_id="0" * 16, sampled=False),
        deadline=time.monotonic() + _TIMEOUT_S,
        priority=Priority.BATCH,
        settlement=Settlement(JUDGING),
        retention=answer.retention,
        regions=request,
    )


async def settle(events: EventLog, answer: EventRecord, context: Context) -> None:
    """The cost of judging, as facts about the judged answer, without texts."""
    records: Sequence[EventRecord] = [
        dataclasses.replace(each, subject=answer.id, trace_id=answer.trace_id, content=None)
        for each in context.settlement.records
    ]
    reservation = context.allowance.reservation
    if not (records or reservation):
        return
    try:
        await events.settle(records, (), reservation)
    except MainspringError as error:
        _log.error("what judging an answer took could not be recorded: %s", error)
