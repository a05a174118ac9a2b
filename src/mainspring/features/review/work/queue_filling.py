"""One look at what is new: answers enter queues by their rules. One process does it at a time, under a lease."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

import mainspring.stores.events.commit_numbers as commits
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.derived import UNSERVED
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.facts.opinions import VERDICT, FeedbackFacts, ScoreFacts
from mainspring.evaluation.strata import stratum_of
from mainspring.features.review.definition import Queue
from mainspring.features.review.store.filling import Arrived, Filling, by_tenant
from mainspring.stores import Stores
from mainspring.stores.events import feed
from mainspring.stores.events.feed import Fact, Feed
from mainspring.stores.events.tolerant import facts_of
from mainspring.stores.schema import events
from mainspring.stores.sql.recurring import recurring
from mainspring.stores.sql.worker import Lease

NAME = "review"
KINDS = ("answer", "feedback", "guard", "score")
PAGE = 500
# Answers times queues that one transaction looks at: other tenants' settlements wait for it.
_PAIRS = 2_000
_FEWEST = 20


@dataclass(slots=True)
class _Later:
    strata: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)


class Looking:
    """Reads the log for all queues."""

    def __init__(self, stores: Stores, filling: Filling, *, consented: bool) -> None:
        self._stores = stores
        self._filling = filling
        self._consented = consented
        self._feed = Feed(stores.database)

    async def look(self, found: Sequence[Queue], *, every_s: float = 0.0) -> Counter[str] | None:
        """How many items entered, by tenant; None if another process looks, or did less than ``every_s`` ago. Raises
        ``StoreError``."""
        async with recurring(self._stores.jobs, NAME, every_s=every_s) as lease:
            return None if lease is None else await self._read(lease, by_tenant(found))

    async def _read(self, lease: Lease, queues: Mapping[str, Sequence[Queue]]) -> Counter[str]:
        position, count = await self._feed.begin(NAME), Counter[str]()
        if not queues or not position:
            position = await self._skip(queues, position)
        limit = page_of(max((len(theirs) for theirs in queues.values()), default=1))
        while queues:
            facts = await self._feed.after(position, KINDS, limit)
            if not facts:
                break
            arrived = await self._arrived([each for each in facts if each.tenant in queues])
            found = [(queue, arrived.get(tenant, ())) for tenant, theirs in queues.items() for queue in theirs]
            position = facts[-1].settled
            made = await self._filling.write([each for each in found if each[1]], NAME, position, lease.job)
            if made is None:
                break
            count.update(made)
            if len(facts) < limit // 2 or lease.lost.is_set():
                break
        return count

    async def _skip(self, queues: Mapping[str, Sequence[Queue]], position: int) -> int:
        """Without queues there is nothing to read; the first one begins with the answers that it is older than."""
        since = min((queue.created_at for theirs in queues.values() for queue in theirs), default=None)

        def work(connection: sa.Connection) -> int:
            to = commits.latest(connection)
            if since is not None:
                first = sa.select(sa.func.min(events.c.settled)).where(
                    events.c.tenant.in_(sorted(queues)), events.c.at >= since
                )
                found = connection.execute(first).scalar_one_or_none()
                to = to if found is None else found - 1
            if to != position:
                feed.move(connection, NAME, to)
            return int(to)

        return await self._stores.database.write(work, durable=False)

    async def _arrived(self, facts: Sequence[Fact]) -> dict[str, list[Arrived]]:
        """Answers of a page, and those that its other facts are about, by tenant."""
        later = _later(facts)
        new = {(each.tenant, each.id): each for each in facts if each.kind == "answer"}
        named = [each for each in later if each not in new]
        rest = await self._answers([*new, *named])
        made: dict[str, list[Arrived]] = {}
        for (tenant, answer_id), (fact, consent) in rest.items():
            answer = fact.facts
            stratum = stratum_of(answer) if isinstance(answer, AnswerFacts) else None
            if stratum is None or fact.content_id is None or (self._consented and not consent):
                continue
            assert isinstance(answer, AnswerFacts)
            about = later.get((tenant, answer_id), _Later())
            made.setdefault(tenant, []).append(
                Arrived(
                    tenant=tenant,
                    id=answer_id,
                    trace_id=fact.trace_id,
                    application="" if answer.error == UNSERVED else answer.requested,
                    at=fact.at,
                    stratum=stratum,
                    later=about.strata,
                    scores=about.scores,
                    new=(tenant, answer_id) in new,
                )
            )
        return made

    async def _answers(self, named: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[Fact, bool]]:
        """These answers, with the consent of their askers."""
        wanted = list(named)
        if not wanted:
            return {}
        query = sa.select(events).where(
            sa.tuple_(events.c.tenant, events.c.id).in_(wanted), events.c.kind == AnswerFacts.EVENT
        )
        found = await self._stores.database.read(lambda connection: connection.execute(query).all())
        made = {}
        for row in found:
            facts = facts_of(row, NAME)
            fact = Fact(row.settled or 0, row.at, row.tenant, row.id, row.trace_id, row.subject, facts, row.content_id)
            made[row.tenant, row.id] = (fact, bool(row.consent))
        return made


def page_of(queues: int) -> int:
    """The number of events that are read at once, where a tenant has so many queues."""
    return max(_FEWEST, min(PAGE, _PAIRS // max(1, queues)))


def _later(facts: Sequence[Fact]) -> dict[tuple[str, str], _Later]:
    """What the page says about answers, by (tenant, answer)."""
    found: dict[tuple[str, str], _Later] = {}
    for fact in facts:
        if not fact.subject or fact.facts.replay_of:
            continue
        match fact.facts:
            case FeedbackFacts(rating=rating, edited=edited):
                told = [*(["down"] if rating == "down" else []), *(["edited"] if edited else [])]
            case GuardFacts(dry_run=False):
                told = ["guarded"]
            case ScoreFacts(metric=metric, scores=scores) if metric == VERDICT and scores:
                found.setdefault((fact.tenant, fact.subject), _Later()).scores.update(scores)
                continue
            case _:
                continue
        if told:
            found.setdefault((fact.tenant, fact.subject), _Later()).strata += told
    return found
