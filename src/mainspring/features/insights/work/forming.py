"""Finds the topics of turns that have none: known topics first, then new ones, which get names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import numpy as np

from mainspring.feature import Rooms
from mainspring.features.insights.analysis import clusters, naming
from mainspring.features.insights.analysis.clusters import NOISE
from mainspring.features.insights.analysis.naming import Spoken
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.reading import CustomerTurn, spoken
from mainspring.features.insights.store.topics import NewTopic, Topics, Unassigned
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
        threshold = self._settings.similarity
        if known:
            rows = np.concatenate([each.centroids for each in known])
            names = [each.merged_into or each.id for each in known for _ in each.centroids]
            labels = await asyncio.to_thread(clusters.nearest, waiting.vectors, rows, threshold)
            assigned: dict[str, list[str]] = {}
            for turn, row in zip(waiting.ids, labels, strict=True):
                if row != NOISE:
                    assigned.setdefault(names[row], []).append(turn)
            await self.topics.assign(tenant, assigned)
            waiting = _only(waiting, labels == NOISE)
        found = await asyncio.to_thread(clusters.found, waiting.vectors, threshold, self._settings.topic_turns)
        members = [np.flatnonzero(found.labels == each) for each in range(len(found.centroids))]
        # What few conversations say identifies them.
        of = [{waiting.conversations[int(turn)] for turn in each} for each in members]
        wide = [each for each, several in zip(members, of, strict=True) if len(several) >= self._settings.anonymity]
        if not wide:
            return 0
        new = await self._named(tenant, waiting, found.labels, wide, found.centroids)
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

    async def _named(
        self,
        tenant: str,
        waiting: Unassigned,
        labels: clusters.Ints,
        members: Sequence[clusters.Ints],
        centroids: Floats,
    ) -> list[NewTopic]:
        chosen = {str(labels[each[0]]): [int(i) for i in each] for each in members}
        rest = [each for each in range(len(waiting.ids)) if labels[each] == NOISE][: 5 * _SAMPLE]
        said = {name: await self._spoken(tenant, waiting, each[:_SAMPLE]) for name, each in chosen.items()}
        told = naming.telling(
            {**said, "rest": await self._spoken(tenant, waiting, rest)}, anonymity=self._settings.anonymity
        )
        return [
            NewTopic(
                naming.name_of(told[name]) or "unnamed",
                "words",
                told[name],
                centroids[int(name)][None, :],
                [waiting.ids[i] for i in each],
            )
            for name, each in chosen.items()
        ]

    async def _spoken(self, tenant: str, waiting: Unassigned, places: Sequence[int]) -> list[Spoken]:
        texts = await self._rooms.stores.events.texts(tenant, [waiting.content_ids[each] for each in places])
        found = ((each, texts.get(waiting.content_ids[each])) for each in places)
        return [Spoken(spoken(text)[0], waiting.conversations[each]) for each, text in found if text]


def _only(waiting: Unassigned, kept: np.ndarray) -> Unassigned:
    places = [int(each) for each in np.flatnonzero(kept)]
    return Unassigned(
        [waiting.ids[each] for each in places],
        waiting.vectors[places],
        [waiting.conversations[each] for each in places],
        [waiting.content_ids[each] for each in places],
    )
