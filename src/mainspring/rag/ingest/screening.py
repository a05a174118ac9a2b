"""Screens documents at ingestion for instructions to their reader."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from mainspring.core.errors import SettingsError
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.settings.guards.ingest import IngestSettings
from mainspring.core.types import EventRecord
from mainspring.engines.base import Embedder
from mainspring.guards.detect import embedding_detector, injection
from mainspring.stores.documents.collections import Collection
from mainspring.stores.documents.records import Screening
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql import ids
from mainspring.telemetry.metrics import Metrics

# Characters that a detector reads at once: it would only sample longer texts.
_AT_ONCE = 4000
_HEAD = "indirect"


@dataclass(frozen=True, slots=True)
class Screened:
    """The findings, by kind, and the resulting status; ``refused``: the document is rejected."""

    status: Screening = ""
    findings: dict[str, int] = field(default_factory=dict)
    refused: bool = False

    @property
    def told(self) -> str:
        """The findings, for people."""
        return "instructions to its reader: " + ", ".join(f"{kind} ({n})" for kind, n in self.findings.items())


class Screener:
    """Reads documents by the rules and, if it is wanted, by the detector. Each finding is a ``guard`` event."""

    def __init__(self, settings: IngestSettings, embedder: Embedder, events: EventLog, metrics: Metrics) -> None:
        self._settings = settings
        self._embedder = embedder
        self._events = events
        self._metrics = metrics
        heads = embedding_detector.packaged()
        if settings.action != "off" and settings.detector and heads.embedder != embedder.name:
            raise SettingsError(
                f"guards.ingest.detector was fitted on embeddings of {heads.embedder}, and models.embedding is "
                f"{embedder.name}",
                remedy=f"Set models.embedding to {heads.embedder}, or guards.ingest.detector to false",
            )

    async def screen(self, collection: Collection, document_id: str, text: str, *, again: bool = False) -> Screened:
        """The findings in ``text`` and the resulting action. ``again``: screens the document even if screening at
        ingestion is off, and flags findings."""
        action = self._settings.action
        if action == "off":
            if not again:
                return Screened()
            action = "flag"
        findings = await asyncio.to_thread(_ruled, text)
        if self._settings.detector and (count := await self._detected(text)):
            findings[_HEAD] = count
        if not findings:
            return Screened("clean")
        await self._note(collection, document_id, action, findings)
        if action == "refuse":
            return Screened("flagged", findings, refused=True)
        return Screened("quarantined" if action == "quarantine" else "flagged", findings)

    async def _detected(self, text: str) -> int:
        parts = [text[start : start + _AT_ONCE] for start in range(0, len(text), _AT_ONCE)]
        heads = embedding_detector.packaged()
        scored = await embedding_detector.score(parts, heads, [_HEAD], self._embedder, embedding_detector.pieces)
        return sum(each[_HEAD] >= heads.heads[_HEAD].threshold for each in scored.scores)

    async def _note(self, collection: Collection, document_id: str, action: str, findings: dict[str, int]) -> None:
        records = []
        for kind, count in findings.items():
            guard = "ingest_detector" if kind == _HEAD else "ingest_rules"
            self._metrics.guard(guard, action, kind, count)
            facts = GuardFacts(
                stage="ingest",
                role="document",
                guard=guard,
                action=action,
                kind=kind,
                count=count,
                collection=collection.id,
            )
            record = EventRecord(ids.new("evt_"), time.time(), collection.tenant, "", document_id, facts)
            records.append(record)
        await self._events.append(*records)


def _ruled(text: str) -> dict[str, int]:
    return dict(Counter(f"rule_{each.kind}" if each.kind == _HEAD else each.kind for each in injection.scan(text)))
