"""The counts of all applications over time: the last hours in memory, in fine steps; earlier ones in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cachetools import LRUCache

from mainspring.features.monitor.store.tallies import Tallies, TallyRow
from mainspring.features.monitor.traffic.tally import Tally, ended_at, merged
from mainspring.stores.events.feed import Fact

Key = tuple[str, str]
"""(tenant, application)."""
COARSE = 60
"""Fine steps in a coarse one."""
MOST_APPLICATIONS = 200
OTHER = "other"
# Sums over past coarse steps, which no longer change.
_SUMS = 512
# Fine steps in a block, whose sum is kept until one of them changes.
_BLOCK = 10


class Series:
    """Counts by key and time. ``fine`` is the width of the fine steps in seconds; they are kept for the coarse step
    that runs and the one before it. The reader of the event log feeds it and stores what has ``changed``."""

    def __init__(self, tallies: Tallies, fine: int) -> None:
        self._tallies = tallies
        self.fine = fine
        self.coarse = fine * COARSE
        self._kept: dict[int, dict[int, dict[Key, Tally]]] = {fine: {}, self.coarse: {}}
        self._changed: set[tuple[int, int, Key]] = set()
        self._known: dict[str, set[str]] = {}
        self._past: LRUCache[tuple[Key, int, int, str], Tally] = LRUCache(_SUMS)
        self._blocks: dict[int, dict[tuple[Key, str], Tally]] = {}

    async def open(self, now: float, tenant: str | None = None) -> None:
        """Load the stored counts, of one tenant to read them or of all to continue."""
        start = self.fine_start(now)
        for span in (self.fine, self.coarse):
            for row in await self._tallies.load(span, start, tenant=tenant):
                self._kept[span].setdefault(row.at, {})[row.tenant, row.application] = Tally.of(row.counted)
        for of, application in await self._tallies.known(tenant):
            self._known.setdefault(of, set()).add(application)

    def fine_start(self, now: float) -> int:
        """The earliest time with fine steps."""
        return int(now // self.coarse) * self.coarse - self.coarse

    def name(self, tenant: str, application: str) -> str:
        """The label of an application: names are the callers' texts, and their number is bounded."""
        known = self._known.setdefault(tenant, set())
        if application not in known and len(known) >= MOST_APPLICATIONS:
            return OTHER
        known.add(application)
        return application

    async def add(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Count events, each with the application that it is of."""
        placed = [(application, fact, ended_at(fact)) for application, fact in facts]
        for span in (self.fine, self.coarse):
            for at in sorted({int(when // span) * span for _, _, when in placed} - self._kept[span].keys()):
                # This time is no longer in memory, or not in memory yet.
                rows = await self._tallies.load(span, at, at + 1)
                self._kept[span][at] = {(row.tenant, row.application): Tally.of(row.counted) for row in rows}
            for application, fact, when in placed:
                self.at(span, when, (fact.tenant, self.name(fact.tenant, application))).add(fact)

    def at(self, span: int, when: float, key: Key) -> Tally:
        """The counts of a step, which will change."""
        begin = int(when // span) * span
        self._changed.add((span, begin, key))
        if span == self.fine:
            self._blocks.pop(self._block(begin), None)
        return self._kept[span].setdefault(begin, {}).setdefault(key, Tally())

    def note(self, key: Key, when: float, block: str) -> None:
        """Keep a block of question vectors with the counts of its time."""
        for span in (self.fine, self.coarse):
            self.at(span, when, key).blocks.append(block)

    def changed(self) -> list[TallyRow]:
        """The data to store."""
        return [TallyRow(*key, span, at, self._kept[span][at][key].plain()) for span, at, key in sorted(self._changed)]

    def written(self, now: float) -> None:
        """Changes have been stored; old ones may be dropped from memory."""
        self._changed.clear()
        start = self.fine_start(now)
        for steps in self._kept.values():
            for at in [at for at in steps if at < start]:
                del steps[at]
        for at in [at for at in self._blocks if at < start]:
            del self._blocks[at]

    def active(self, since: float) -> list[Key]:
        """Whose traffic was counted since then."""
        steps = self._kept[self.fine]
        return sorted({key for at, tallies in steps.items() if at + self.fine > since for key in tallies})

    def mark(self, key: Key, when: float, name: str) -> None:
        """Mark this time as unusual; ``sum`` can leave it out."""
        for span in (self.fine, self.coarse):
            self.at(span, when, key).counts[name] = 1

    def recent(self, key: Key, since: float, until: float, without: str = "") -> Tally:
        """The sum of the fine steps that touch this time."""
        return merged(self._parts(key, since, until, without))

    def _parts(self, key: Key, since: float, until: float, without: str) -> Iterator[Tally]:
        """Whole blocks, and steps before and behind them."""
        at = max(int(since // self.fine) * self.fine, min(self._kept[self.fine], default=0))
        while at < until:
            if at == self._block(at) and at + _BLOCK * self.fine <= until:
                yield self._sum_of_block(key, at, without)
                at += _BLOCK * self.fine
            else:
                yield from self._steps(key, at, at + 1, without)
                at += self.fine

    def _block(self, at: int) -> int:
        """The begin of the block that the step ``at`` is in."""
        return at // (_BLOCK * self.fine) * _BLOCK * self.fine

    def _sum_of_block(self, key: Key, begin: int, without: str) -> Tally:
        sums = self._blocks.setdefault(begin, {})
        if (key, without) not in sums:
            sums[key, without] = merged(self._steps(key, begin, begin + _BLOCK * self.fine, without))
        return sums[key, without]

    def _steps(self, key: Key, begin: int, end: int, without: str) -> Iterator[Tally]:
        steps = self._kept[self.fine]
        found = (steps[at][key] for at in range(begin, end, self.fine) if at in steps and key in steps[at])
        return (tally for tally in found if not tally.counts[without])

    async def sum(self, key: Key, since: float, until: float, now: float, without: str = "") -> Tally:
        """The sum of all steps in the interval without the mark ``without``; times before the fine steps use coarse
        ones."""
        start = self.fine_start(now)
        made = self.recent(key, max(since, start), until, without) if until > start else Tally()
        begin = int(since // self.coarse) * self.coarse
        end = min(start, int(until // self.coarse) * self.coarse)
        if begin < end:
            made.merge(await self._before(key, begin, end, without))
        return made

    async def _before(self, key: Key, begin: int, end: int, without: str) -> Tally:
        place = (key, begin, end, without)
        if place not in self._past:
            rows = await self._tallies.load(self.coarse, begin, end, tenant=key[0], application=key[1])
            found = (Tally.of(row.counted) for row in rows)
            self._past[place] = merged(tally for tally in found if not tally.counts[without])
        return self._past[place]
