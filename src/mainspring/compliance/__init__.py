"""Compliance: what is held of somebody and erasing it, how long what is kept, and what the audit log is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mainspring.compliance.documents import Documents
from mainspring.compliance.erasure import LIMITS, Eraser
from mainspring.compliance.retention import Retention
from mainspring.compliance.subjects import Subjects
from mainspring.rag.library import Library
from mainspring.settings import Settings
from mainspring.stores import Stores
from mainspring.telemetry import Telemetry
from mainspring.telemetry.compliance import ComplianceMetrics


@dataclass(frozen=True, slots=True)
class Compliance:
    """What the gateway is given."""

    subjects: Subjects
    eraser: Eraser
    metrics: ComplianceMetrics


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, library: Library
) -> AsyncIterator[Compliance]:
    """The services, at work in the background until it is left."""
    metrics = ComplianceMetrics(telemetry.metrics.registry)
    documents = Documents(stores, library.forgetter)
    limits = list(LIMITS)
    if settings.stores.redis:
        limits.append("what Redis keeps on its disk, until it has rewritten that")
    # What answers under way is over by then; a stream may take a little longer than its request.
    again_s = 2 * settings.gateway.request_timeout_s
    eraser = Eraser(stores, documents, metrics, again_s=again_s, limits=limits)
    retention = Retention(stores, settings.compliance.retention, metrics)
    eraser.start()
    retention.start()
    try:
        yield Compliance(Subjects(stores, documents), eraser, metrics)
    finally:
        await retention.close()
        await eraser.close()
