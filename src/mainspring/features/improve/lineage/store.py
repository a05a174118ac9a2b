"""What was made, of what, and which answers it gave."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.facts.opinions import FeedbackFacts
from mainspring.core.types import Principal
from mainspring.features.improve.stages.campaign import Campaign
from mainspring.features.improve.stages.online import Counted
from mainspring.features.improve.tables import (
    improve_answers,
    improve_campaigns,
    improve_counts,
    improve_sources,
    improve_variants,
)
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.training.ports import Candidate

_v, _s, _a, _n = improve_variants.c, improve_sources.c, improve_answers.c, improve_counts.c
_c = improve_campaigns.c


@dataclass(frozen=True, slots=True)
class Variant:
    """A candidate as it is recorded. ``withdrawn_at`` with the ``reason``: it gets no traffic. ``erased_at``: data of
    people that it is made of was erased."""

    tenant: str
    id: str
    application: str
    kind: str
    value: Mapping[str, Any]
    version: str
    campaign: str
    export: str
    data_set: str
    made_at: float
    promoted_at: float | None
    withdrawn_at: float | None
    reason: str
    erased_at: float | None


class VariantStore:
    """The variants of all tenants, their sources and answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, tenant: str, variant: str) -> Variant | None:
        """By the candidate's id, or by the version of training that it is (its newest)."""
        mine = sa.and_(_v.tenant == tenant, sa.or_(_v.id == variant, _v.version == variant))
        query = sa.select(improve_variants).where(mine).order_by(_v.made_at.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _variant(row)

    async def seen(self, principal: Principal, variant: str) -> Variant | None:
        """The same, if the principal may see the campaign that made it, too."""
        mine = sa.and_(_v.tenant == principal.tenant, sa.or_(_v.id == variant, _v.version == variant))
        its = sa.and_(_c.tenant == _v.tenant, _c.id == _v.campaign)
        joined = improve_variants.outerjoin(improve_campaigns, its)
        query = sa.select(improve_variants, _c.groups.label("readers")).select_from(joined).where(mine)
        query = query.order_by(_v.made_at.desc()).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None or (row.readers and not frozenset(rows.load(row.readers)) <= principal.groups):
            return None
        fields = dict(row._mapping)
        del fields["readers"]
        return Variant(**{**fields, "value": rows.load(row.value)})

    async def where(self, tenant: str, **columns: str) -> list[Variant]:
        """Those with these values, the newest first; at most a thousand."""
        mine = sa.select(improve_variants).where(_v.tenant == tenant)
        for name, value in columns.items():
            mine = mine.where(improve_variants.c[name] == value)
        query = mine.order_by(_v.made_at.desc()).limit(1000)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_variant(row) for row in found]

    async def erased(self, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[Variant]:
        """Those made of data that was erased, which still may get traffic, by tenant and id."""
        place = sa.tuple_(_v.tenant, _v.id) > sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        mine = sa.select(improve_variants).where(_v.erased_at.is_not(None), _v.withdrawn_at.is_(None), place)
        query = mine.order_by(_v.tenant, _v.id).limit(limit)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_variant(row) for row in found]

    async def answer(self, tenant: str, answer: str) -> tuple[str, str] | None:
        """The application and the variant (empty: what the settings say) that gave an answer; None: not known."""
        query = sa.select(_a.application, _a.variant).where(_a.tenant == tenant, _a.answer == answer)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else (row.application, row.variant)

    async def answers(self, tenant: str, variant: str, limit: int) -> tuple[int, list[str]]:
        """How many answers it gave, and the newest of them."""
        mine = sa.and_(_a.tenant == tenant, _a.variant == variant)
        newest = sa.select(_a.answer).where(mine).order_by(_a.at.desc()).limit(limit)
        counted = sa.select(sa.func.coalesce(sa.func.sum(_n.answers), 0)).where(_n.tenant == tenant)

        def work(connection: sa.Connection) -> tuple[int, list[str]]:
            # Sums are kept: counting a hundred thousand rows takes longer.
            total = connection.execute(counted.where(_n.variant == variant)).scalar_one()
            return int(total), list(connection.execute(newest).scalars())

        return await self._database.read(work)

    async def made_of(self, tenant: str, answer: str) -> list[str]:
        """The variants that an answer is in."""
        query = sa.select(_s.variant).where(_s.tenant == tenant, _s.answer == answer)
        return await self._database.read(lambda connection: list(connection.execute(query).scalars()))

    async def sources(self, tenant: str, variant: str, limit: int) -> tuple[int, list[str]]:
        """How many answers a variant is made of, and some of them."""
        mine = sa.and_(_s.tenant == tenant, _s.variant == variant)

        def work(connection: sa.Connection) -> tuple[int, list[str]]:
            count = connection.execute(sa.select(sa.func.count()).select_from(improve_sources).where(mine))
            some = connection.execute(sa.select(_s.answer).where(mine).order_by(_s.answer).limit(limit))
            return int(count.scalar_one()), list(some.scalars())

        return await self._database.read(work)

    async def link(self, tenant: str, variant: str, answers: Sequence[str]) -> None:
        """Record the answers, before what is made of them: in parts, between which other writes pass. Can be done
        again."""
        for place in range(0, len(answers), 1_000):
            new = [{"tenant": tenant, "answer": each, "variant": variant} for each in answers[place : place + 1_000]]
            await self._database.write(partial(_link, new=new), durable=False)

    async def unconsented(self, tenant: str, sources: Sequence[str]) -> set[str]:
        """Those of these events from which nothing may be learnt, with those that are there no more. A rating needs
        no consent of its own: nothing that it says is trained on."""
        of = events.c
        allowed = sa.or_(of.consent, sa.and_(of.kind == FeedbackFacts.EVENT, of.content_id.is_(None)))

        def work(connection: sa.Connection) -> set[str]:
            lost = set(sources)
            for part in parts(list(sources)):
                query = sa.select(of.id).where(of.tenant == tenant, of.id.in_(part), allowed)
                lost.difference_update(connection.execute(query).scalars())
            return lost

        return await self._database.read(work)

    async def incumbent(self, tenant: str, application: str, candidate: str) -> str:
        """What gave the application's newest answer that the candidate did not give; empty: what the settings say."""
        mine = sa.and_(_a.tenant == tenant, _a.application == application, _a.variant != candidate)
        query = sa.select(_a.variant).where(mine).order_by(_a.at.desc()).limit(1)
        return await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none()) or ""

    async def counted(self, tenant: str, application: str, variant: str) -> Counted:
        """The sums of a variant's answers."""
        mine = sa.and_(_n.tenant == tenant, _n.application == application, _n.variant == variant)
        query = sa.select(improve_counts).where(mine)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return Counted() if row is None else Counted(row.answers, row.failed, row.refused, row.ups, row.downs)


def _link(connection: sa.Connection, new: Sequence[Mapping[str, Any]]) -> None:
    for place in range(0, len(new), 500):
        connection.execute(rows.insert_new(connection, improve_sources), new[place : place + 500])


def admitted(connection: sa.Connection, campaign: Campaign, candidate: Candidate) -> None:
    """Record what a campaign made, in the transaction that says so."""
    values: dict[str, Any] = {"tenant": campaign.tenant, "id": candidate.id, "application": candidate.application}
    values |= {"kind": candidate.kind, "value": rows.dump(dict(candidate.value)), "version": candidate.version}
    values |= {"campaign": campaign.id, "export": campaign.notes.get("export", ""), "made_at": time.time()}
    values |= {"data_set": campaign.notes.get("trained_on", "")}
    # One that an earlier campaign made, too, is this one's from now on.
    mine = sa.and_(_v.tenant == campaign.tenant, _v.id == candidate.id)
    connection.execute(sa.delete(improve_variants).where(mine))
    connection.execute(sa.insert(improve_variants).values(**values))


def promoted(connection: sa.Connection, tenant: str, variant: str) -> None:
    """Record that it took the place of what was there."""
    mine = sa.and_(_v.tenant == tenant, _v.id == variant)
    values = {"promoted_at": time.time(), "withdrawn_at": None, "reason": ""}
    connection.execute(sa.update(improve_variants).where(mine).values(**values))


def withdrawn(connection: sa.Connection, tenant: str, variant: str, reason: str) -> None:
    """Record that it gets no traffic."""
    mine = sa.and_(_v.tenant == tenant, _v.id == variant)
    values = {"withdrawn_at": time.time(), "reason": reason[:1000]}
    connection.execute(sa.update(improve_variants).where(mine).values(**values))


def _variant(row: sa.Row[Any]) -> Variant:
    return Variant(**{**row._mapping, "value": rows.load(row.value)})
