"""Reads what an export is made of: cleaned interactions, votes and outcomes."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

from mainspring.core.errors import TooLarge
from mainspring.core.facts.opinions import OutcomeFacts, VoteFacts
from mainspring.core.types import EventRecord
from mainspring.evaluation.interactions import Interaction
from mainspring.features.lake.exports.asking import ExportRequest
from mainspring.features.lake.exports.cleaning import Cleaning
from mainspring.features.lake.exports.sets.making import Material, same_question
from mainspring.features.lake.exports.sets.spooled_interactions import RowSpill
from mainspring.features.lake.exports.settings import ExportBounds
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.disk_space import DiskRoom

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and of how much (0: unknown)."""
_PAGE = 1000
_MOST_OPINIONS = 1_000_000


class MaterialReader:
    """Reads the clean zone through the steps, and the event log."""

    def __init__(self, cleaning: Cleaning, events: EventLog, bounds: ExportBounds, room: DiskRoom) -> None:
        self._room = room
        self._cleaning = cleaning
        self._events = events
        self._bounds = bounds

    async def read(
        self, tenant: str, groups: frozenset[str], asked: ExportRequest, progress: Progress, folder: Path
    ) -> Material:
        """What ``groups`` may see, in a file of ``folder``; ``progress`` is called with the number of rows read. Raises
        ``TooLarge``, ``StorageFull``, ``OSError``."""
        counts: Counter[str] = Counter()
        votes: list[Mapping[str, Any]] = []
        outcomes: list[Mapping[str, Any]] = []
        needed = _anything(asked)
        if asked.kind == "preference":
            votes = [each async for each in self._votes(tenant)]
            outcomes = [each async for each in self._outcomes(tenant)]
            named = {str(vote[side]) for vote in votes for side in ("left", "right")}
            named |= {str(each["answer"]) for each in outcomes}
            named |= await self._again(tenant, groups, asked)
            needed = lambda row: row.edited is not None or row.answer_id in named  # noqa: E731
        spill = RowSpill(folder / "rows")
        total = await self._cleaning.size(tenant, groups, asked)
        try:
            async for kept in self._cleaning.rows(tenant, groups, asked, counts):
                progress("steps", counts["read"], max(total, counts["read"]))
                chosen = [row for row in kept if not asked.applications or row.application in asked.applications]
                counts["other applications"] += len(kept) - len(chosen)
                # What gives no row is not kept.
                wanted = [row for row in chosen if needed(row)]
                counts["not of this kind"] += len(chosen) - len(wanted)
                self._room.admit()
                await asyncio.to_thread(spill.add, wanted)
                if len(spill) > self._bounds.interactions:
                    raise TooLarge(
                        f"an export has {self._bounds.interactions} interactions at most",
                        remedy="Narrow it by since, until or applications, or raise lake.exports.interactions",
                        param="since",
                    )
            progress("steps", 1, 1)
            # The files of the export, and their copy among the blobs; the signatures go before these are there.
            self._room.admit(2 * spill.bytes)
            found = await asyncio.to_thread(spill.ended)
        finally:
            spill.close()
        told = {name: number for name, number in counts.items() if number or name == "read"}
        return Material(found, told, votes, outcomes, self._cleaning.told(asked))

    async def _again(self, tenant: str, groups: frozenset[str], asked: ExportRequest) -> set[str]:
        """The answers to a question that was asked several times in one session. Digests are held, and no text."""
        first: dict[bytes, str] = {}
        again: set[str] = set()
        columns = ("answer_id", "session_id", "messages")
        found = self._cleaning.clean.batches(tenant, groups, since=asked.since, until=asked.until, columns=columns)
        async for batch in found:
            for name, session, messages in zip(*(batch.column(each).to_pylist() for each in columns), strict=True):
                if session:
                    said = f"{session}\x00{same_question(json.loads(messages))}"
                    digest = hashlib.blake2b(said.encode(errors="replace"), digest_size=16).digest()
                    if (before := first.setdefault(digest, name)) != name:
                        again |= {before, name}
        return again

    async def _votes(self, tenant: str) -> AsyncIterator[Mapping[str, Any]]:
        async for record in self._all(tenant, VoteFacts.EVENT):
            facts = VoteFacts.of(record.facts)
            if facts.winner in ("left", "right"):
                yield {"id": record.id, "winner": facts.winner, "left": facts.left, "right": facts.right}

    async def _outcomes(self, tenant: str) -> AsyncIterator[Mapping[str, Any]]:
        async for record in self._all(tenant, OutcomeFacts.EVENT):
            facts = OutcomeFacts.of(record.facts)
            if facts.value is not None:
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


def _anything(asked: ExportRequest) -> Callable[[Interaction], bool]:
    """Whether an interaction may give a row, or be shown in another's."""
    if asked.kind == "thumbs" or (asked.kind == "classification" and asked.options.label == "thumb"):
        return lambda row: row.thumb is not None
    if asked.kind in ("raft", "triplets", "rerank", "reader", "nli"):
        return lambda row: bool(row.passages)
    return lambda _: True
