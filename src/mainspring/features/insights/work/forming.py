"""Finds the topics of turns that have none: known topics first, then new ones, which get names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mainspring.feature import Rooms
from mainspring.features.insights.analysis import clusters, naming
from mainspring.features.insights.analysis.clusters import NOISE
from mainspring.features.insights.analysis.naming import Spoken
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.reading import CustomerTurn, spoken
from mainspring.features.insights.store.topics import NewTopic, Topic, Topics, Unassigned
from mainspring.features.insights.store.turns import Floats
from mainspring.features.insights.work.contexts import working

POOL = 5000
"""The latest turns of a space without a topic among which new ones are looked for."""
_SAMPLE = 100
"""Turns of a topic that its name is made of."""

Embed = Callable[[Sequence[CustomerTurn]], Awaitable[Mapping[str, Floats]]]


class Forming:
    """Works on the spaces that were named to it, at first on all."""

    def __init__(self, rooms: Rooms, settings: InsightsSettings, embed: Embed) -> None:
        self._rooms = rooms
        self._settings = settings
        self._embed = embed
        self.topics = Topics(rooms.stores.database)
        self._fresh: set[tuple[str, str]] | None = None
        self._fixed: set[tuple[str, str]] = set()

    def fresh(self, spaces: set[tuple[str, str]]) -> None:
        """These (tenant, space) have new turns."""
        if self._fresh is not None:
            self._fresh |= spaces

    async def form(self, only: str = "") -> int:
        """Returns the number of new topics, of the tenant ``only`` if given."""
        embedder, made = self._rooms.engines.embedder, 0
        for tenant, space, groups in await self.topics.spaces(embedder.name):
            if only in ("", tenant) and (self._fresh is None or (tenant, space) in self._fresh):
                made += await self._form(tenant, space, groups)
        if not only:
            self._fresh = set()
        elif self._fresh is not None:
            self._fresh = {each for each in self._fresh if each[0] != only}
        return made

    async def _form(self, tenant: str, space: str, groups: Sequence[str]) -> int:
        name, dimensions = self._rooms.engines.embedder.name, self._rooms.engines.embedder.dimensions
        await self._fix(tenant, space, groups)
        known = await self.topics.of(tenant, space, name, dimensions)
        waiting = await self.topics.unassigned(tenant, space, name, dimensions, POOL)
        if known:
            assigned, waiting = await asyncio.to_thread(_assigned, known, waiting, self._settings.similarity)
            await self.topics.assign(tenant, assigned)
        near = await asyncio.to_thread(_grouped, waiting, self._settings)
        if not near:
            return 0
        new = await self._named(tenant, waiting, near)
        await self.topics.add(tenant, space, groups, name, new)
        return len(new)

    async def _fix(self, tenant: str, space: str, groups: Sequence[str]) -> None:
        """Write the topics of the settings, once in this process: their examples may have changed."""
        if not self._settings.topics or (tenant, space) in self._fixed:
            return
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, working(tenant))
        made = []
        for each in self._settings.topics:
            vectors = (await embedder.embed(each.examples, "query")).vectors
            made.append(NewTopic(each.name, "settings", (), np.asarray(vectors, np.float32)))
        await self.topics.add(tenant, space, groups, self._rooms.engines.embedder.name, made)
        self._fixed.add((tenant, space))

    async def _named(self, tenant: str, waiting: Unassigned, found: _Groups) -> list[NewTopic]:
        texts: dict[str, str] = {}
        for places in (*(each[:_SAMPLE] for each in found.members), found.rest):
            names = [waiting.content_ids[place] for place in places]
            texts |= await self._rooms.stores.events.texts(tenant, names)
        return await asyncio.to_thread(_topics, waiting, found, texts, self._settings.anonymity)


@dataclass(frozen=True, slots=True)
class _Groups:
    """The places of turns that are near each other, with a centroid for each group, and the places of the ``rest``."""

    members: Sequence[Sequence[int]]
    centroids: Floats
    rest: Sequence[int]


# All below runs in a thread: thousands of turns are compared, and hundreds of texts are read.


def _assigned(known: Sequence[Topic], waiting: Unassigned, threshold: float) -> tuple[dict[str, list[str]], Unassigned]:
    """The turns of known topics by topic, and what is left."""
    rows = np.concatenate([each.centroids for each in known])
    names = [each.merged_into or each.id for each in known for _ in each.centroids]
    labels = clusters.nearest(waiting.vectors, rows, threshold)
    assigned: dict[str, list[str]] = {}
    for turn, row in zip(waiting.ids, labels, strict=True):
        if row != NOISE:
            assigned.setdefault(names[row], []).append(turn)
    return assigned, _only(waiting, labels == NOISE)


def _grouped(waiting: Unassigned, settings: InsightsSettings) -> _Groups | None:
    """New groups; None if there are none. What few conversations say identifies them, and makes no group."""
    found = clusters.found(waiting.vectors, settings.similarity, settings.topic_turns)
    members = [[int(place) for place in np.flatnonzero(found.labels == row)] for row in range(len(found.centroids))]
    wide = [
        row
        for row, each in enumerate(members)
        if len({waiting.conversations[place] for place in each}) >= settings.anonymity
    ]
    if not wide:
        return None
    rest = [int(place) for place in np.flatnonzero(found.labels == NOISE)][: 5 * _SAMPLE]
    return _Groups([members[row] for row in wide], found.centroids[wide], rest)


def _topics(waiting: Unassigned, found: _Groups, texts: Mapping[str, str], anonymity: int) -> list[NewTopic]:
    """The groups as topics, with names from their texts."""

    def said(places: Sequence[int]) -> list[Spoken]:
        content = ((place, texts.get(waiting.content_ids[place])) for place in places)
        return [Spoken(spoken(text)[0], waiting.conversations[place]) for place, text in content if text]

    spoke = {str(row): said(each[:_SAMPLE]) for row, each in enumerate(found.members)}
    told = naming.telling({**spoke, "rest": said(found.rest)}, anonymity=anonymity)
    return [
        NewTopic(
            naming.name_of(told[str(row)]) or "unnamed",
            "words",
            told[str(row)],
            found.centroids[row][None, :],
            [waiting.ids[place] for place in each],
        )
        for row, each in enumerate(found.members)
    ]


def _only(waiting: Unassigned, kept: np.ndarray) -> Unassigned:
    places = [int(each) for each in np.flatnonzero(kept)]
    return Unassigned(
        [waiting.ids[each] for each in places],
        waiting.vectors[places],
        [waiting.conversations[each] for each in places],
        [waiting.content_ids[each] for each in places],
    )
