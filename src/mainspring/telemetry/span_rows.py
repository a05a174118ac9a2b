"""Finished spans as rows of the local store. Apart, because the stores' libraries take a second to import."""

from __future__ import annotations

from functools import lru_cache

import orjson

from mainspring.core import cards
from mainspring.core.types import real
from mainspring.stores.monitoring.spans import SpanRow
from mainspring.stores.sql import rows
from mainspring.telemetry.tracing import Span


def stored_row(span: Span) -> SpanRow:
    """A span as the local store keeps it."""
    principal, attributes = span.principal, span.attributes
    return SpanRow(
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.name,
        span.start_ns,
        span.end_ns,
        span.status,
        cards.scrub_json(orjson.dumps(attributes, default=str).decode()) if attributes else "{}",
        principal.tenant,
        _names(principal.groups),
        span.root,
    )


# All spans of a key's requests have the same groups.
@lru_cache(1024)
def _names(groups: frozenset[str]) -> str:
    return rows.names(real(groups))
