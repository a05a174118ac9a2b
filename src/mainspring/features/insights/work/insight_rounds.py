"""One look at what is new: turns are read and embedded, topics found, conversations judged, old rows deleted.

One process does it at a time, under a lease; what it has read is written with its position.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import mainspring.features.insights.analysis.sentiment as sentiment
from mainspring.core.errors import MainspringError
from mainspring.feature import Rooms
from mainspring.features.insights.analysis import outcomes
from mainspring.features.insights.analysis.outcomes import Ended, Signs
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.reading import CustomerTurn, Reader
from mainspring.features.insights.store.turns import Floats, NewTurn, Stale, Turns
from mainspring.features.insights.work.contexts import NAME, working
from mainspring.features.insights.work.forming import Forming
from mainspring.serving.memory.terms import words
from mainspring.stores.sql.recurring import recurring
from mainspring.stores.sql.worker import Lease

PAGE = 100
# Seconds: the longest wait for requests between two pages, the one for requests that need the CPU themselves, and how
# often it is looked whether there are any.
_REST_S, _LONG_S, _LOOK_S = 10.0, 30.0, 0.1
# Cores that this process uses while it rests here, from which requests need them.
_NEEDED = 0.5
_TOGETHER = 16
_DAY = 86_400.0
# Content words from which a turn says what it is about.
_FEWEST_WORDS = 2
_JUDGED = 500
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look did; ``turns`` were new."""

    turns: int = 0
    topics: int = 0
    conversations: int = 0
    expired: int = 0


class Looking:
    """Looks at the log."""

    def __init__(self, rooms: Rooms, settings: InsightsSettings) -> None:
        self._rooms = rooms
        self._settings = settings
        self._reader = Reader(rooms.stores.database)
        self.turns = Turns(rooms.stores.database)
        self._forming = Forming(rooms, settings, self._embedded)

    async def look(self, *, every_s: float = 0.0, tenant: str = "") -> Looked | None:
        """At the conversations of ``tenant`` if given, else of all. None if another process looks, or looked less than
        ``every_s`` ago. Raises ``StoreError``."""
        jobs = self._rooms.stores.jobs
        # Looks of single tenants do not put off the one at all.
        async with recurring(jobs, NAME, every_s=every_s, ran=not tenant) as lease:
            if lease is None:
                return None
            read = await self._read(lease, tenant)
            made = await self._forming.form(tenant)
            judged = await self._judge(tenant)
            if tenant:
                return Looked(read, made, judged)
            expired = await self.turns.expire(time.time() - self._settings.keep_days * _DAY)
            if expired:
                await self._forming.topics.expire()
            return Looked(read, made, judged, expired)

    async def _read(self, lease: Lease, tenant: str) -> int:
        begun, count = await self._reader.begin(NAME), 0
        position = begun.get("", 0)
        if tenant:
            position = max(position, begun.get(tenant, 0))
        since = time.time() - self._settings.keep_days * _DAY
        while True:
            started = time.perf_counter()
            page = await self._reader.page(position, since, PAGE, begun, tenant)
            new = await self._new([each for each in page.said if self._wanted(each)])
            if page.position != position:
                escalating = frozenset(self._settings.escalating_tools)
                if not await self.turns.write(new, page.later, escalating, NAME, page.position, lease.job, tenant):
                    return count
            count += len(new)
            self._forming.fresh({(each.said.tenant, each.said.space) for each in new})
            position = page.position
            if not page.more or lease.lost.is_set():
                return count
            if not tenant:
                await self._give_way(time.perf_counter() - started)

    async def _give_way(self, worked: float) -> None:
        """Rest while there are requests, ``worked`` seconds of which are ``share`` of the time with the rest. Reading a
        turn costs as much as a request that is passed on: where such requests keep this process busy, rest longer."""
        rest = min(worked * (1 / self._settings.share - 1), _REST_S)
        began, used = time.monotonic(), time.process_time()
        while self._rooms.telemetry.tracing.under_way:
            rested = time.monotonic() - began
            needed = time.process_time() - used > _NEEDED * rested
            if rested >= (_LONG_S if needed else rest):
                return
            await asyncio.sleep(_LOOK_S)

    def _wanted(self, said: CustomerTurn) -> bool:
        if self._settings.applications and said.facts.requested not in self._settings.applications:
            return False
        return said.consent or not self._settings.consented

    async def _new(self, said: Sequence[CustomerTurn]) -> list[NewTurn]:
        vectors = await self._embedded(said)
        return await asyncio.to_thread(_new_turns, said, vectors, self._rooms.engines.embedder.name)

    async def _embedded(self, said: Sequence[CustomerTurn]) -> Mapping[str, Floats]:
        """The vectors by the ids of the turns; those that may not be worked on here, or could not be, are missing."""
        found: dict[str, Floats] = {}
        places: dict[tuple[str, tuple[frozenset[str], frozenset[str]]], list[CustomerTurn]] = {}
        for each in said:
            places.setdefault((each.tenant, each.regions), []).append(each)
        for (tenant, (asked, key)), theirs in places.items():
            context = working(tenant, asked, key)
            permits = self._rooms.path.services.residency.permits
            if not permits(self._rooms.settings.models.region, context):
                continue
            embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
            try:
                for start in range(0, len(theirs), _TOGETHER):
                    part = theirs[start : start + _TOGETHER]
                    rows = (await embedder.embed([each.text for each in part], "query")).vectors
                    for each, row in zip(part, rows, strict=True):
                        found[each.id] = np.asarray(row, np.float32)
                    await asyncio.sleep(0)
            except MainspringError as error:
                _log.warning("turns are counted without their topics: %s", error)
            if records := list(context.settlement.records):
                await self._rooms.stores.events.append(*records)
        return found

    async def _judge(self, tenant: str) -> int:
        """Judge conversations that changed or ended."""
        count, idle = 0, self._settings.idle_minutes * 60
        again = self._settings.again_days
        for _ in range(20):
            stale = await self.turns.stale(again, _JUDGED, tenant)
            judged = await asyncio.to_thread(_judged, stale, time.time() - idle)
            await self.turns.judged(judged, again)
            count += len(judged)
            # Open ones stay stale.
            if all(ended.outcome == "open" for _, ended, _, _ in judged):
                break
        return count


def _new_turns(said: Sequence[CustomerTurn], vectors: Mapping[str, Floats], embedder: str) -> list[NewTurn]:
    made = []
    for each in said:
        vector = vectors.get(each.id)
        found = signs_of(each)
        if vector is None:
            made.append(NewTurn(each, found))
            continue
        moods = sentiment.scores(vector[None, :], embedder)
        found = dataclasses.replace(found, sentiment=None if moods is None else moods[0])
        made.append(NewTurn(each, found, embedder, vector if telling(each.text) else None))
    return made


def _judged(stale: Sequence[Stale], silent: float) -> list[tuple[Stale, Ended, float | None, float | None]]:
    """How conversations ended, with their mean sentiment and its course; those without a turn since ``silent`` are
    over."""
    judged = []
    for each in stale:
        ended = outcomes.ended(each.turns, over=each.ended_at <= silent, again=each.again)
        moods = [turn.sentiment for turn in each.turns]
        known = [mood for mood in moods if mood is not None]
        course = round(known[-1] - known[0], 3) if len(known) > 1 else None
        judged.append((each, ended, sentiment.mean(moods), course))
    return judged


def telling(text: str) -> bool:
    """Whether a message says what it is about."""
    return len(words(text)) >= _FEWEST_WORDS


def signs_of(said: CustomerTurn) -> Signs:
    """What a turn and its answer show by themselves."""
    facts = said.facts
    return Signs(
        status=facts.status,
        refused=facts.answered is False,
        grounded=facts.citations > 0 and not facts.unsupported and facts.answered is not False,
        thanks=outcomes.thanked(said.text),
        asks_back=outcomes.asks_back(said.answer),
        escalated=outcomes.handed_over(said.answer),
    )
