"""The context of work on conversations, to which its cost is charged."""

from __future__ import annotations

import dataclasses
import time

from mainspring.core.types import Context, Principal, Priority, Reach, Settlement, TraceParent

NAME = "insights"
"""Of the reader, its lease, and the application and key that its work is charged to."""
_TIMEOUT_S = 120.0


def working(tenant: str, asked: frozenset[str] = frozenset(), key: frozenset[str] = frozenset()) -> Context:
    """The context of work on a tenant's conversations: of the lowest priority, in the regions that were asked for."""
    return Context(
        Principal(tenant, NAME, reach=Reach(regions=key)),
        dataclasses.replace(TraceParent.new(), sampled=False),
        deadline=time.monotonic() + _TIMEOUT_S,
        priority=Priority.BATCH,
        settlement=Settlement(NAME),
        regions=asked,
    )
