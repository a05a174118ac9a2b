"""Shadow traffic: copies of requests to a model under trial. Its output is recorded and never shown."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time

from mainspring.core.errors import MainspringError
from mainspring.core.facts.calls import UNCHARGED, CallFacts
from mainspring.core.path import collect
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
from mainspring.serving.ring.ports import EventLog
from mainspring.serving.ring.record import error_code
from mainspring.serving.route.fallback import named
from mainspring.telemetry.routing_metrics import ArmMetrics

_log = logging.getLogger(__name__)


class Shadows:
    """The copies that run beside the shown request, in separate tasks; ``close`` ends them."""

    def __init__(self, events: EventLog, metrics: ArmMetrics) -> None:
        self._events = events
        self._metrics = metrics
        self._running: dict[tuple[str, str], set[asyncio.Task[None]]] = {}

    def start(
        self, route: str, name: str, settings: ShadowArm, responder: Responder, request: Request, context: Context
    ) -> None:
        """Send a copy of ``request`` to ``responder``, which costs the caller neither time nor money."""
        running = self._running.setdefault((route, name), set())
        if len(running) >= settings.concurrency:
            self._metrics.shadowed(route, name, "busy")
            return
        own = context.apart(
            Allowance(tokens=settings.max_tokens, steps=1),
            Settlement(),
            deadline=time.monotonic() + settings.timeout_s,
            # Requests with a waiting caller go first.
            priority=context.priority - 1,
            arms={**context.arms, route: name, "shadow": name},
        )
        work = self._run(route, name, responder, named(request, settings.model), own)
        task = asyncio.get_running_loop().create_task(work)
        running.add(task)
        task.add_done_callback(running.discard)

    async def close(self) -> None:
        """End what still runs."""
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, route: str, name: str, responder: Responder, request: Request, context: Context) -> None:
        text, code = "", "cancelled"
        try:
            text = (await collect(await responder.respond(request, context))).text
            code = ""
        except MainspringError as error:
            code = error.code
        except Exception as error:
            code = error_code(error)
            _log.exception("a shadow of %s failed", route)
        finally:
            self._metrics.shadowed(route, name, code)
            await self._record(request, context, text)

    async def _record(self, request: Request, context: Context, text: str) -> None:
        stored = request.store if isinstance(request, ChatRequest | CompletionRequest) else False
        records = [_uncharged(record, text if stored and text else None) for record in context.settlement.records]
        try:
            await self._events.append(*records)
        except MainspringError as error:
            _log.warning("a shadow's call could not be recorded: %s", error)


def _uncharged(record: EventRecord, text: str | None) -> EventRecord:
    if not isinstance(record.facts, CallFacts):
        return record
    return dataclasses.replace(record, facts=dataclasses.replace(record.facts, charged=UNCHARGED), content=text)
