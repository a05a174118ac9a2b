"""The scores of one answer in three tiers: what is known at once, what a judge said later, and what people say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.opinions import VERDICT, ScoreFacts
from mainspring.core.settings import GuardsSettings
from mainspring.core.types import Principal
from mainspring.evaluation import realtime
from mainspring.features.review.store.filling import DONE
from mainspring.features.review.tables import review_items as items
from mainspring.features.review.tables import review_queues as queues
from mainspring.stores import Stores


class Tiers:
    """Scores of answers that a principal may see."""

    def __init__(self, stores: Stores, settings: GuardsSettings) -> None:
        self._stores = stores
        self._measures = realtime.checked(settings)

    async def of(self, principal: Principal, answer_id: str) -> dict[str, Any]:
        """As JSON; ``people`` are the results of its done items, by queue. Raises ``NotFound``: it is not there, or
        not seen."""
        log, tenant = self._stores.events, principal.tenant
        answer = await log.answer_for(principal, answer_id)
        guards = [GuardFacts.of(each.facts) for each in await log.find(tenant, kind="guard", subject=answer_id)]
        found = [ScoreFacts.of(each.facts) for each in await log.find(tenant, kind="score", subject=answer_id)]
        judged = [each for each in found if each.metric == VERDICT]
        return {
            "object": "review.scores",
            "answer_id": answer_id,
            "trace_id": answer.trace_id,
            "realtime": realtime.scores(AnswerFacts.of(answer.facts), guards, self._measures),
            "judged": [
                {
                    "judge": each.judge,
                    "scores": each.scores or {},
                    "stratum": each.stratum or None,
                    "probability": each.probability,
                }
                for each in judged
            ],
            "people": await self._people(tenant, answer_id),
        }

    async def _people(self, tenant: str, answer_id: str) -> Mapping[str, Any]:
        of = sa.and_(queues.c.tenant == items.c.tenant, queues.c.id == items.c.queue_id)
        mine = sa.and_(items.c.tenant == tenant, items.c.answer_id == answer_id, items.c.state == DONE)
        query = sa.select(queues.c.name, items.c.result).join(queues, of).where(mine)
        found = await self._stores.database.read(lambda connection: connection.execute(query).all())
        return {row.name: rows.load(row.result) for row in found}
