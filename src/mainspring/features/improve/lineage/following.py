"""Follows events: which variant gave an answer, and what people say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.answers import AnswerFacts
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.features.improve.tables import improve_answers, improve_counts, improve_policies, improve_watched
from mainspring.stores.events.feed import Fact
from mainspring.stores.events.follower import Follower
from mainspring.stores.sql.database import Database

READER = "improve"
_KINDS = ("answer", "feedback")
_SUMS = ("answers", "failed", "refused", "ups", "downs", "seconds", "cost_nanousd")
_a, _n, _w, _p = improve_answers.c, improve_counts.c, improve_watched.c, improve_policies.c
# Feedback is counted as long as the answers are kept.
_FOLLOWED = sa.select(sa.or_(sa.exists(sa.select(_w.tenant)), sa.exists(sa.select(_a.tenant))))


class Following:
    """Keeps the answers and sums of applications that have a policy."""

    def __init__(self, database: Database, most_answers: int) -> None:
        self._follower = Follower(database, READER, _KINDS, self._take)
        self._most_answers = most_answers

    async def follow(self) -> int:
        """Read all new events; returns how many. Nothing is read where no application has a policy or had one: reading
        what a gateway answers costs a twentieth of answering it."""
        return 0 if await self._follower.pass_over(_FOLLOWED) else await self._follower.follow()

    def _take(self, connection: sa.Connection, facts: Sequence[Fact]) -> None:
        watched = sa.select(_w.tenant, _w.application).where(_w.tenant.in_(sorted({each.tenant for each in facts})))
        known = {(row.tenant, row.application) for row in connection.execute(watched)}
        page = _Page(connection, known)
        for each in facts:
            page.take(each)
        page.write()
        for tenant in page.tenants:
            self._forget(connection, tenant)

    def _forget(self, connection: sa.Connection, tenant: str) -> None:
        """Delete the oldest answers beyond those that are kept."""
        oldest = sa.select(_a.at).where(_a.tenant == tenant).order_by(_a.at.desc()).offset(self._most_answers).limit(1)
        at = connection.execute(oldest).scalar_one_or_none()
        if at is not None:
            connection.execute(sa.delete(improve_answers).where(_a.tenant == tenant, _a.at <= at))


class _Page:
    """One page of events."""

    def __init__(self, connection: sa.Connection, known: set[tuple[str, str]]) -> None:
        self._connection = connection
        self._known = known
        self._answers: dict[tuple[str, str], tuple[str, str, float]] = {}
        self._sums: dict[tuple[str, str, str], Counter[str]] = {}
        self._feedback: Counter[tuple[str, str]] = Counter()

    @property
    def tenants(self) -> set[str]:
        """Those with new answers."""
        return {tenant for tenant, _ in self._answers}

    def take(self, fact: Fact) -> None:
        if isinstance(fact.facts, AnswerFacts):
            self._answer(fact, fact.facts)
        elif isinstance(fact.facts, FeedbackFacts):
            self._told(fact, fact.facts)

    def _answer(self, fact: Fact, answer: AnswerFacts) -> None:
        # ``APPLICATION@cand_...`` is a candidate that was asked for by its name: nobody's traffic.
        if (fact.tenant, answer.requested) not in self._known or answer.replay_of:
            return
        self._answers[fact.tenant, fact.id] = (answer.requested, answer.variant, fact.at)
        sums = self._sums.setdefault((fact.tenant, answer.requested, answer.variant), Counter())
        if answer.status == "cancelled":
            return
        sums["answers"] += 1
        if answer.status == "failed":
            sums["failed"] += 1
            return
        sums["refused"] += int(answer.answered is False or "content_filter" in answer.finish)
        sums["seconds"] += answer.duration_s or 0.0  # type: ignore[assignment]
        sums["cost_nanousd"] += answer.cost_nanousd

    def _told(self, fact: Fact, told: FeedbackFacts) -> None:
        found = self._answers.get((fact.tenant, fact.subject)) or self._kept(fact)
        if found is None:
            return
        application, variant, _ = found
        self._feedback[fact.tenant, application] += 1
        sums = self._sums.setdefault((fact.tenant, application, variant), Counter())
        for rating, change in ((told.instead_of, -1), (told.rating, 1)):
            if rating in ("up", "down"):
                sums[f"{rating}s"] += change

    def _kept(self, fact: Fact) -> tuple[str, str, float] | None:
        query = sa.select(improve_answers).where(_a.tenant == fact.tenant, _a.answer == fact.subject)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (row.application, row.variant, row.at)

    def write(self) -> None:
        new: list[dict[str, Any]] = [
            {"tenant": tenant, "answer": answer, "application": application, "variant": variant, "at": at}
            for (tenant, answer), (application, variant, at) in self._answers.items()
        ]
        if new:
            self._connection.execute(rows.insert_new(self._connection, improve_answers), new)
        for (tenant, application, variant), sums in self._sums.items():
            place = {"tenant": tenant, "application": application, "variant": variant}
            self._connection.execute(rows.insert_new(self._connection, improve_counts).values(**place))
            mine = sa.and_(_n.tenant == tenant, _n.application == application, _n.variant == variant)
            values = {name: improve_counts.c[name] + sums[name] for name in _SUMS if sums[name]}
            if values:
                self._connection.execute(sa.update(improve_counts).where(mine).values(**values))
        for (tenant, application), count in self._feedback.items():
            mine = sa.and_(_w.tenant == tenant, _w.application == application)
            values = {"feedback": _w.feedback + count}
            self._connection.execute(sa.update(improve_watched).where(mine).values(**values))
