"""Shadow traffic: copies of requests to a model under trial. Its output is recorded and never shown."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass

from mainspring.core.errors import MainspringError
from mainspring.core.facts.calls import TENANT, UNCHARGED, CallFacts
from mainspring.core.facts.trials import ShadowFacts
from mainspring.core.path import Answer, collect
from mainspring.core.settings.serving.routing import ShadowArm
from mainspring.core.types import (
    Allowance,
    ChatRequest,
    CompletionRequest,
    Context,
    EventRecord,
    Request,
    Responder,
    Settlement,
)
from mainspring.serving.money.side_reservation import CopyReservation
from mainspring.serving.ring.ports import EventLog
from mainspring.serving.ring.record import error_code
from mainspring.serving.route.fallback import named
from mainspring.stores.sql import ids
from mainspring.telemetry.routing_metrics import ArmMetrics

_log = logging.getLogger(__name__)


class Shadows:
    """The copies that run beside the shown request, in separate tasks; ``close`` ends them. ``purse`` bounds those that
    their tenant pays for (None: by nothing)."""

    def __init__(self, events: EventLog, metrics: ArmMetrics, purse: CopyReservation | None = None) -> None:
        self._events = events
        self._purse = purse
        self._metrics = metrics
        self._running: dict[tuple[str, str, str], set[asyncio.Task[None]]] = {}

    def start(
        self,
        route: str,
        name: str,
        settings: ShadowArm,
        responder: Responder,
        request: Request,
        context: Context,
        label: str,
    ) -> None:
        """Send a copy of ``request`` to ``responder``, which costs the caller neither time nor money. A tenant's own
        copies are ``recorded``, counted apart from others', and paid by the tenant."""
        tenant = context.principal.tenant if settings.recorded else ""
        running = self._running.setdefault((tenant, route, name), set())
        if len(running) >= settings.concurrency:
            self._metrics.shadowed(label, name, "busy")
            return
        own = context.apart(
            Allowance(tokens=settings.max_tokens, steps=settings.steps),
            Settlement(route if settings.recorded else ""),
            deadline=time.monotonic() + settings.timeout_s,
            # Requests with a waiting caller go first.
            priority=context.priority - 1,
            arms={**context.arms, route: name, "shadow": name},
        )
        about = _About(route, context.settlement.answer_id) if settings.recorded else None
        work = self._run(responder, named(request, settings.model), own, about)
        task = asyncio.get_running_loop().create_task(self._counted(work, label, name))
        running.add(task)
        task.add_done_callback(running.discard)

    async def close(self) -> None:
        """End what still runs."""
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _counted(self, work: Coroutine[None, None, str], label: str, name: str) -> None:
        code = "cancelled"
        try:
            code = await work
        finally:
            self._metrics.shadowed(label, name, code)

    async def _run(self, responder: Responder, request: Request, context: Context, about: _About | None) -> str:
        answer, text, code = None, "", "cancelled"
        began = time.perf_counter()
        if about is not None and self._purse is not None:
            try:
                await self._purse.hold(request, context)
            except MainspringError as error:
                # There is no copy: the candidate has not failed.
                return error.code
        try:
            answer = await collect(await responder.respond(request, context))
            text, code = answer.text, ""
        except MainspringError as error:
            code = error.code
        except Exception as error:
            code = error_code(error)
            _log.exception("a shadow of %s failed", request.model)
        finally:
            told = [] if about is None else [about.event(request, context, answer, code, began)]
            await self._record(request, context, "" if about else text, told)
        return code

    async def _record(self, request: Request, context: Context, text: str, told: Sequence[EventRecord]) -> None:
        stored = request.store if isinstance(request, ChatRequest | CompletionRequest) else False
        payer = TENANT if told else UNCHARGED
        records = [_paid(each, payer, text if stored and text else None) for each in context.settlement.records]
        if told:
            # Statistics of what was searched, and of what was checked, are of answers that were shown.
            records = [record for record in records if isinstance(record.facts, CallFacts)] + list(told)
        try:
            if released := context.allowance.reservation:
                await self._events.settle(records, released=released)
            else:
                await self._events.append(*records)
        except MainspringError as error:
            _log.warning("a shadow's call could not be recorded: %s", error)
        finally:
            if self._purse is not None:
                self._purse.done(context)


@dataclass(frozen=True, slots=True)
class _About:
    """The application and the shown answer that a copy is compared with."""

    application: str
    answer_id: str

    def event(self, request: Request, context: Context, answer: Answer | None, code: str, began: float) -> EventRecord:
        """The event of a copy. Its text may come from documents, with which nobody would erase it: it is not kept."""
        spent = context.allowance.spent
        facts = ShadowFacts(
            application=self.application,
            variant="" if answer is None else answer.head.variant,
            error=code,
            answered=None if answer is None else answer.answered,
            citations=0 if answer is None else len(answer.citations),
            prompt_tokens=0 if answer is None else answer.usage.prompt_tokens,
            completion_tokens=0 if answer is None else answer.usage.completion_tokens,
            cost_nanousd=spent.cost_nanousd,
            duration_s=round(time.perf_counter() - began, 6),
        )
        return EventRecord(
            ids.new("evt_"),
            time.time(),
            context.principal.tenant,
            context.trace.trace_id,
            self.answer_id,
            facts,
            consent=context.consent,
            retention=context.retention,
            person=request.user or "",
        )


def _paid(record: EventRecord, payer: str, text: str | None) -> EventRecord:
    if not isinstance(record.facts, CallFacts):
        return record
    return dataclasses.replace(record, facts=dataclasses.replace(record.facts, charged=payer), content=text)
