"""Reads the scores of answers: verdicts of the live judge, by answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import InvalidRequest
from mainspring.core.facts.opinions import ScoreFacts
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events import verdicts
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database

MOST_VERDICTS = 50_000
"""The latest, that estimates read."""
Scores = Mapping[str, float]


class Judged:
    """The verdicts of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, tenant: str, answers: Sequence[str]) -> dict[str, Scores]:
        """The scores of these answers, by measure, as far as they are judged."""
        return {name: scores for name, (_, scores) in (await self.told(tenant, answers)).items()}

    async def told(self, tenant: str, answers: Sequence[str]) -> dict[str, tuple[str, Scores]]:
        """The judges of these answers, with their scores."""

        def work(connection: sa.Connection) -> dict[str, tuple[str, Scores]]:
            found: dict[str, tuple[str, Scores]] = {}
            for part in parts(list(answers)):
                named = events.c.id.in_([verdicts.name(each) for each in part])
                query = sa.select(events.c.subject, events.c.facts).where(events.c.tenant == tenant, named)
                found |= {row.subject: _told(row.facts) for row in connection.execute(query)}
            return found

        return await self._database.read(work)

    async def since(self, tenant: str, at: float, applications: Sequence[str]) -> dict[str, Scores]:
        """The scores of all answers of ``applications`` (empty: of all) judged since ``at`` (Unix seconds)."""
        first = verdicts.name("")
        mine = sa.and_(events.c.tenant == tenant, events.c.kind == ScoreFacts.EVENT, events.c.at >= at)
        query = sa.select(events.c.subject, events.c.facts).where(mine, events.c.id.startswith(first, autoescape=True))
        query = query.order_by(events.c.id.desc()).limit(MOST_VERDICTS)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        wanted = set(applications)
        made: dict[str, Scores] = {}
        for row in found:
            facts = ScoreFacts.from_json(rows.load(row.facts))
            if not wanted or facts.application in wanted:
                made[row.subject] = dict(facts.scores or {})
        return made


def chosen(score: str, known: Mapping[str, Scores]) -> str:
    """The measure, or the one that most answers have if it is empty. Raises ``InvalidRequest``: none has it."""
    counts: dict[str, int] = {}
    for scores in known.values():
        for name in scores:
            counts[name] = counts.get(name, 0) + 1
    if score in counts:
        return score
    if not score and counts:
        return max(counts, key=lambda name: (counts[name], name))
    have = (
        f"There are: {', '.join(sorted(counts))}" if counts else "Set monitor.judging.share, so that answers are judged"
    )
    what = f"a score {score!r}" if score else "a judge's score"
    raise InvalidRequest(f"no labelled answer has {what}", remedy=have, param="score")


def _told(facts: str) -> tuple[str, Scores]:
    read = ScoreFacts.from_json(rows.load(facts))
    return read.judge, dict(read.scores or {})
