"""Early refusal: requests that the engine would not admit are refused before any work for them.

The gate decides at the end of the path, after guards, sessions, budgets and the commit of the request's outcome. Under
overload most of the path's work is for requests that are refused in the end, and it takes the processor from the
engine. So the same gate is asked at the beginning.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from mainspring.core.errors import Overloaded, StoreError
from mainspring.core.facts.operations import RefusalsFacts
from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EventRecord,
    Request,
    Responder,
    Response,
)
from mainspring.serving.admit.admission import work_of
from mainspring.serving.admit.gate import Gate
from mainspring.serving.cache.exact import Keys
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import EventLog
from mainspring.stores.sql import ids

_log = logging.getLogger(__name__)
_EVERY_S = 1.0


class Shed(Layer):
    """Raises ``Overloaded`` if the gate of the named model would.

    ``gates`` belong to names that lead to exactly one engine. Requests that a cache may answer pass: they may need no
    engine. Requests refused here leave no event each: one event a second counts them for each tenant and model.
    """

    def __init__(
        self,
        inner: Responder,
        gates: Mapping[str, Gate],
        keys: Keys,
        events: EventLog,
        background: Background,
        *,
        default_output_tokens: int,
    ) -> None:
        super().__init__(inner)
        self._gates = gates
        self._keys = keys
        self._default_output = default_output_tokens
        self._refusals = _Refusals(events, background)

    async def respond(self, request: Request, context: Context) -> Response:
        gate = self._gates.get(request.model)
        if (
            gate is not None
            and gate.busy
            and isinstance(request, ChatRequest | CompletionRequest)
            and not self._keys.may_hold(request)
        ):
            try:
                gate.refuse_what_is_too_late(work_of(request, self._default_output), context)
            except Overloaded as error:
                self._refusals.count(request.model, error.code, context)
                raise
        return await self.inner.respond(request, context)


class _Refusals:
    """Counts of refusals, written together."""

    def __init__(self, events: EventLog, background: Background) -> None:
        self._events = events
        self._background = background
        self._waiting: dict[tuple[str, str, str], tuple[int, str]] = {}

    def count(self, model: str, code: str, context: Context) -> None:
        """One more; the trace id that is kept is the latest."""
        if not self._waiting:
            self._background.start(self._write())
        key = context.principal.tenant, model, code
        self._waiting[key] = self._waiting.get(key, (0, ""))[0] + 1, context.trace.trace_id

    async def _write(self) -> None:
        await asyncio.sleep(_EVERY_S)
        waiting, self._waiting = self._waiting, {}
        now = time.time()
        records = [
            EventRecord(
                id=ids.new("ref_"),
                at=now,
                tenant=tenant,
                trace_id=trace_id,
                subject="",
                facts=RefusalsFacts(application=model, error=code, count=count),
            )
            for (tenant, model, code), (count, trace_id) in waiting.items()
        ]
        try:
            await self._events.append(*records)
        except StoreError as error:
            _log.error("%d refusals could not be recorded: %s", sum(n for n, _ in waiting.values()), error)
