"""The events of a request, which the commit that settles its answer writes."""

from __future__ import annotations

import time

from mainspring.core.facts.base import Facts
from mainspring.core.types import Context, EventRecord
from mainspring.stores.sql import ids


def request_event(
    context: Context, facts: Facts, *, at: float | None = None, content: str | None = None
) -> EventRecord:
    """The event of ``facts``, now or ``at`` (Unix seconds), in the trace of the request and with its consent and
    retention. It is about nothing yet: the settling commit says about which answer."""
    return EventRecord(
        id=ids.new("evt_"),
        at=time.time() if at is None else at,
        tenant=context.principal.tenant,
        trace_id=context.trace.trace_id,
        subject="",
        facts=facts,
        content=content,
        consent=context.consent,
        retention=context.retention,
    )
