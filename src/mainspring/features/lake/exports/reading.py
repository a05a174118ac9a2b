"""Reads what an export is made of: cleaned interactions, votes and outcomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

from mainspring.core.errors import TooLarge
from mainspring.core.facts.opinions import OutcomeFacts, VoteFacts
from mainspring.core.types import EventRecord
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import Asked
from mainspring.features.lake.exports.cleaning import Cleaning
from mainspring.features.lake.exports.sets.making import Material
from mainspring.features.lake.exports.settings import ExportBounds
from mainspring.stores.events.log import EventLog

_PAGE = 1000
_MOST_OPINIONS = 1_000_000


class MaterialReader:
    """Reads the clean zone through the steps, and the event log."""

    def __init__(self, cleaning: Cleaning, events: EventLog, bounds: ExportBounds) -> None:
        self._cleaning = cleaning
        self._events = events
        self._bounds = bounds

    async def read(self, tenant: str, groups: frozenset[str], asked: Asked) -> Material:
        """What ``groups`` may see. Raises ``TooLarge``."""
        counts: Counter[str] = Counter()
        found: list[Interaction] = []
        async for kept in self._cleaning.rows(tenant, groups, asked, counts):
            chosen = [row for row in kept if not asked.applications or row.application in asked.applications]
            counts["other applications"] += len(kept) - len(chosen)
            found += chosen
            if len(found) > self._bounds.interactions:
                raise TooLarge(
                    f"an export has {self._bounds.interactions} interactions at most",
                    remedy="Narrow it by since, until or applications, or raise lake.exports.interactions",
                    param="since",
                )
        votes: list[Mapping[str, Any]] = []
        outcomes: list[Mapping[str, Any]] = []
        if asked.kind == "preference":
            inside = {row.answer_id for row in found}
            votes = [each async for each in self._votes(tenant, inside)]
            outcomes = [each async for each in self._outcomes(tenant, inside)]
        told = {name: number for name, number in counts.items() if number or name == "read"}
        return Material(found, told, votes, outcomes, self._cleaning.told(asked))

    async def _votes(self, tenant: str, inside: set[str]) -> AsyncIterator[Mapping[str, Any]]:
        async for record in self._all(tenant, VoteFacts.EVENT):
            facts = VoteFacts.of(record.facts)
            if facts.winner in ("left", "right") and facts.left in inside and facts.right in inside:
                yield {"id": record.id, "winner": facts.winner, "left": facts.left, "right": facts.right}

    async def _outcomes(self, tenant: str, inside: set[str]) -> AsyncIterator[Mapping[str, Any]]:
        async for record in self._all(tenant, OutcomeFacts.EVENT):
            facts = OutcomeFacts.of(record.facts)
            if facts.value is not None and record.subject in inside:
                yield {"id": record.id, "answer": record.subject, "value": facts.value}

    async def _all(self, tenant: str, kind: str) -> AsyncIterator[EventRecord]:
        after, read = None, 0
        while read < _MOST_OPINIONS:
            page = await self._events.find(tenant, kind=kind, after=after, limit=_PAGE)
            for record in page:
                yield record
            if len(page) < _PAGE:
                return
            after, read = page[-1].id, read + len(page)
