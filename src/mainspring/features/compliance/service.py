"""The services of compliance, opened and closed as one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import mainspring.features.compliance.startup_record as startup_record
from mainspring.core.errors import MainspringError
from mainspring.core.settings import Settings
from mainspring.features.compliance.erase.documents import Documents
from mainspring.features.compliance.erase.erasure import LIMITS, Eraser
from mainspring.features.compliance.erase.subjects import Subjects
from mainspring.features.compliance.guard_decisions import Decisions
from mainspring.features.compliance.metrics import ComplianceMetrics
from mainspring.features.compliance.refusals import Refusals
from mainspring.features.compliance.retention import Retention
from mainspring.features.compliance.settings import ComplianceSettings
from mainspring.guards.policy.by_application import Policies
from mainspring.rag.library import Library
from mainspring.stores import Stores
from mainspring.telemetry import Telemetry

log = logging.getLogger("mainspring.compliance")


@dataclass(frozen=True, slots=True)
class Compliance:
    """The services for the gateway."""

    subjects: Subjects
    eraser: Eraser
    refusals: Refusals
    metrics: ComplianceMetrics


@asynccontextmanager
async def opened(
    settings: Settings, stores: Stores, telemetry: Telemetry, library: Library, policies: Policies
) -> AsyncIterator[Compliance]:
    """The services, at work in the background until it is left."""
    chosen = settings.section(ComplianceSettings)
    metrics = ComplianceMetrics(telemetry.metrics.registry)
    documents = Documents(stores, library.forgetter)
    limits = list(LIMITS)
    if settings.stores.redis:
        limits.append("what Redis keeps on its disk, until it has rewritten that")
    # Answers in progress have ended then; a stream may take a little longer than its request.
    again_s = 2 * settings.gateway.request_timeout_s
    eraser = Eraser(stores, documents, metrics, again_s=again_s, limits=limits)
    retention = Retention(stores, chosen.retention, metrics)
    refusals = Refusals(stores.audit, metrics)
    decisions = Decisions(stores.database, stores.audit, again_s)
    versions = {"default": policies.default.version} | {name: each.version for name, each in policies.named.items()}
    await startup_record.note(stores.audit, settings, versions)
    eraser.start()
    retention.start()
    noting = asyncio.create_task(_note(refusals, decisions, chosen.audit_flush_s), name="audit")
    try:
        yield Compliance(Subjects(stores, documents), eraser, refusals, metrics)
    finally:
        noting.cancel()
        await asyncio.gather(noting, return_exceptions=True)
        with suppress(MainspringError):
            await refusals.flush()
        await retention.close()
        await eraser.close()


async def _note(refusals: Refusals, decisions: Decisions, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await refusals.flush()
            await decisions.seal()
        except MainspringError as error:
            log.warning("the audit log was not brought up to date, which the next round does: %s", error)
