"""Computes what the labels of a queue say, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import mainspring.stores.sql.rows as rows
from mainspring.features.review.definition import Queue
from mainspring.features.review.measures import calibration, reviewer_agreement
from mainspring.features.review.measures.calibration import Labelled
from mainspring.features.review.measures.verdicts import Judged, Scores, chosen
from mainspring.features.review.store.items import Items
from mainspring.features.review.store.queues import Queues
from mainspring.stores.sql.database import Database


class Measures:
    """Agreement, reviewers, thresholds and estimates, each as JSON. All raise ``NotFound`` for a queue that is not
    there."""

    def __init__(self, database: Database, queues: Queues, items: Items) -> None:
        self._queues = queues
        self._items = items
        self._judged = Judged(database)

    async def agreement(self, tenant: str, name: str) -> dict[str, Any]:
        """Of the latest labels."""
        queue = await self._queues.get(tenant, name)
        return await asyncio.to_thread(reviewer_agreement.agreement, queue.definition, await self._items.given(queue))

    async def reviewers(self, tenant: str, name: str) -> list[dict[str, Any]]:
        """Of the latest labels, the busiest first."""
        queue = await self._queues.get(tenant, name)
        results = {row.id: rows.load(row.result) for row in await self._items.done(queue)}
        return await asyncio.to_thread(reviewer_agreement.reviewers, await self._items.given(queue), results)

    async def threshold(self, tenant: str, name: str, score: str, wanted: float) -> dict[str, Any]:
        """Raises ``InvalidRequest``: no labelled answer has that score."""
        queue = await self._queues.get(tenant, name)
        labelled = await self._labelled(queue)
        scores = await self._judged.of(tenant, [each.answer_id for each in labelled])
        score = chosen(score, scores)
        return await asyncio.to_thread(calibration.threshold_body, queue, labelled, scores, score, wanted)

    async def estimate(self, tenant: str, name: str, score: str) -> dict[str, Any]:
        """Raises ``InvalidRequest``: too few labels, or no such score; without any score, labels alone speak."""
        queue = await self._queues.get(tenant, name)
        labelled = await self._labelled(queue)
        applications = queue.definition.rule.applications
        known = await self._judged.of(tenant, [each.answer_id for each in labelled])
        score = chosen(score, known) if score or any(known.values()) else ""
        scores = {**await self._judged.since(tenant, queue.created_at, applications), **known}
        strata = await self._items.strata(queue)
        return await asyncio.to_thread(calibration.estimate, queue, labelled, scores, score, strata)

    async def verdicts(self, tenant: str, answers: Sequence[str]) -> Mapping[str, tuple[str, Scores]]:
        """The judge and its scores, by answer."""
        return await self._judged.told(tenant, answers)

    async def _labelled(self, queue: Queue) -> list[Labelled]:
        return [
            Labelled(row.answer_id, bool(rows.load(row.result)["approved"]), row.stratum, row.probability)
            for row in await self._items.done(queue)
        ]
