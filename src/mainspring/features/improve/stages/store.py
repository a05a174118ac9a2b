"""Campaigns in the database. A transition is one transaction: the new stage, its step, and its event."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.facts.trials import ImprovementFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.improve.policy.policy import Policy, first_problem, stand_in
from mainspring.features.improve.settings import ImproveSettings
from mainspring.features.improve.stages.campaign import OVER, Campaign, Move
from mainspring.features.improve.tables import improve_campaigns, improve_steps, improve_watched
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.pages import Page, Slice

PREFIX = "imp_"
MONTH_S = 31 * 86_400.0
_c = improve_campaigns.c
Also = Callable[[sa.Connection], None]


class CampaignStore:
    """The campaigns of all tenants."""

    def __init__(self, database: Database, settings: ImproveSettings) -> None:
        self._database = database
        self._settings = settings

    async def begin(
        self,
        tenant: str,
        application: str,
        policy: Policy,
        version: int,
        trigger: str,
        key_id: str,
        groups: frozenset[str],
        notes: Mapping[str, Any],
        by: str = "",
    ) -> Campaign:
        """Begin a campaign. Raises ``Conflict`` while the application has one, and ``QuotaExceeded``."""
        now, campaign_id = time.time(), ids.new(PREFIX)
        values: dict[str, Any] = {"tenant": tenant, "id": campaign_id, "application": application}
        values |= {"policy_version": version, "policy": rows.dump(policy.model_dump(mode="json")), "trigger": trigger}
        values |= {
            "stage": "exporting",
            "key_id": key_id,
            "groups": rows.names(groups),
            "notes": rows.dump(dict(notes)),
        }
        values |= {"created_at": now, "entered_at": now, "reason": trigger}

        def work(connection: sa.Connection) -> Campaign:
            sql.lock(connection, f"improve {tenant}")
            open_ones = sa.select(_c.id, _c.application).where(_c.tenant == tenant, _c.ended_at.is_(None))
            found = connection.execute(open_ones).all()
            if busy := next((row.id for row in found if row.application == application), None):
                raise Conflict(f"the campaign {busy} of {application} is under way", remedy="Wait for it, or stop it")
            if len(found) >= self._settings.running:
                raise QuotaExceeded(f"{len(found)} campaigns are under way", remedy="Wait for one to end")
            self._forget(connection, tenant)
            connection.execute(sa.insert(improve_campaigns).values(**values))
            made = _campaign(connection.execute(sa.select(improve_campaigns).where(_is(tenant, campaign_id))).one())
            w = improve_watched.c
            mine = sa.and_(w.tenant == tenant, w.application == application)
            counted = sa.update(improve_watched).where(mine)
            connection.execute(counted.values(begun=w.feedback, begun_at=now, due=""))
            _record(connection, made, Move("exporting", trigger, by=by), "triggered", now)
            return made

        return await self._database.write(work, durable=True)

    async def move(self, campaign: Campaign, move: Move, also: Sequence[Also] = ()) -> Campaign | None:
        """Write a transition, with what is written ``also``; None if another process has moved it since."""
        now = max(time.time(), campaign.entered_at)
        notes = {name: value for name, value in {**campaign.notes, **move.notes}.items() if value is not None}
        tried = [dict(each) for each in campaign.rungs]
        if move.outcome:
            tried.append(_outcome(campaign, move, notes, now))
        over = move.stage in OVER
        values: dict[str, Any] = {"stage": move.stage, "number": campaign.number + 1, "notes": rows.dump(notes)}
        values |= {"rungs": rows.dump(tried), "reason": move.reason[:1000], "entered_at": now}
        values |= {"seconds": campaign.seconds + move.seconds, "ended_at": now if over else None}
        values |= {"rung": campaign.rung if move.rung is None else move.rung}

        def work(connection: sa.Connection) -> Campaign | None:
            mine = sa.and_(_is(campaign.tenant, campaign.id), _c.number == campaign.number)
            if not connection.execute(sa.update(improve_campaigns).where(mine).values(**values)).rowcount:
                return None
            place = _is(campaign.tenant, campaign.id)
            made = _campaign(connection.execute(sa.select(improve_campaigns).where(place)).one())
            _record(connection, made, move, campaign.stage, now)
            if over and move.stage != "promoted":
                w = improve_watched.c
                mine = sa.and_(w.tenant == campaign.tenant, w.application == campaign.application)
                rest = now + campaign.policy.cooldown_s
                connection.execute(sa.update(improve_watched).where(mine).values(rest_until=rest))
            for each in also:
                each(connection)
            return made

        return await self._database.write(work, durable=True)

    async def note(self, campaign: Campaign, notes: Mapping[str, Any]) -> Campaign | None:
        """Add notes within a stage; None if another process has moved it since."""
        whole = {name: value for name, value in {**campaign.notes, **notes}.items() if value is not None}

        def work(connection: sa.Connection) -> Campaign | None:
            mine = sa.and_(_is(campaign.tenant, campaign.id), _c.number == campaign.number)
            values = {"notes": rows.dump(whole)}
            if not connection.execute(sa.update(improve_campaigns).where(mine).values(**values)).rowcount:
                return None
            query = sa.select(improve_campaigns).where(_is(campaign.tenant, campaign.id))
            return _campaign(connection.execute(query).one())

        return await self._database.write(work, durable=True)

    async def open(self, after: tuple[str, str] = ("", ""), limit: int = 100) -> list[Campaign]:
        """Those under way, of all tenants, by tenant and id."""
        place = sa.tuple_(_c.tenant, _c.id) > sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        query = sa.select(improve_campaigns).where(_c.ended_at.is_(None), place).order_by(_c.tenant, _c.id).limit(limit)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_campaign(row) for row in found]

    async def get(self, principal: Principal, campaign_id: str) -> Campaign:
        """Raises ``NotFound``, also for one whose groups the caller has not."""
        found = await self.find(principal.tenant, campaign_id)
        if found is None or not found.groups <= principal.groups:
            raise NotFound(f"there is no campaign {campaign_id:.100}", param="campaign")
        return found

    async def find(self, tenant: str, campaign_id: str) -> Campaign | None:
        query = sa.select(improve_campaigns).where(_is(tenant, campaign_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _campaign(row)

    async def page(self, principal: Principal, page: Page, application: str = "") -> Slice[Campaign]:
        """By age. Raises ``InvalidRequest`` for a cursor."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            lists = connection.execute(sa.select(_c.groups).where(_c.tenant == principal.tenant).distinct()).scalars()
            seen = [text for text in lists if frozenset(rows.load(text)) <= principal.groups]
            query = sa.select(improve_campaigns).where(_c.tenant == principal.tenant, _c.groups.in_(seen))
            query = query.where(_c.application == application) if application else query
            return pages.read(connection, query, (_c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_campaign)

    async def over(self, tenant: str, application: str) -> list[Campaign]:
        """Those of an application that are over and kept, the newest first."""
        mine = sa.and_(_c.tenant == tenant, _c.application == application, _c.ended_at.is_not(None))
        query = sa.select(improve_campaigns).where(mine).order_by(_c.id.desc())
        return [_campaign(row) for row in await self._database.read(lambda it: it.execute(query).all())]

    async def steps(self, campaign: Campaign) -> list[dict[str, Any]]:
        """Its transitions, oldest first."""
        s = improve_steps.c
        query = sa.select(improve_steps).where(s.tenant == campaign.tenant, s.campaign == campaign.id)
        found = await self._database.read(lambda connection: connection.execute(query.order_by(s.number)).all())
        return [
            {
                "at": row.at,
                "from": row.before,
                "stage": row.stage,
                "rung": row.rung,
                "reason": row.reason,
                "figures": rows.load(row.figures),
                "by": row.by or None,
            }
            for row in found
        ]

    async def spent(self, tenant: str, application: str, now: float) -> float:
        """Seconds of training in the last month."""
        mine = sa.and_(_c.tenant == tenant, _c.application == application, _c.created_at > now - MONTH_S)
        query = sa.select(sa.func.coalesce(sa.func.sum(_c.seconds), 0.0)).where(mine)
        return float(await self._database.read(lambda connection: connection.execute(query).scalar_one()))

    def _forget(self, connection: sa.Connection, tenant: str) -> None:
        """Delete the oldest that are over, beyond those that are kept."""
        mine = sa.select(_c.id).where(_c.tenant == tenant, _c.ended_at.is_not(None)).order_by(_c.id.desc())
        old = list(connection.execute(mine.offset(self._settings.campaigns - 1)).scalars())
        for part in range(0, len(old), 400):
            some = old[part : part + 400]
            s = improve_steps.c
            connection.execute(sa.delete(improve_steps).where(s.tenant == tenant, s.campaign.in_(some)))
            connection.execute(sa.delete(improve_campaigns).where(_c.tenant == tenant, _c.id.in_(some)))


def _outcome(campaign: Campaign, move: Move, notes: Mapping[str, Any], now: float) -> dict[str, Any]:
    found = campaign.candidate
    # What was taken back is looked for by these (``stages.taken_back``).
    told = {name: notes[name] for name in ("made_of", "taken_back", "by_person") if notes.get(name)}
    return {
        "rung": campaign.rung,
        "recipe": campaign.recipe.recipe,
        "kind": campaign.recipe.kind,
        "stage": campaign.stage,
        "outcome": move.outcome,
        "reason": move.reason[:1000],
        "figures": dict(move.figures),
        "candidate": campaign.candidate_id,
        "version": "" if found is None else found.version,
        "at": now,
        **told,
    }


def _record(connection: sa.Connection, made: Campaign, move: Move, before: str, now: float) -> None:
    """The step and the event of a transition."""
    figures = {name: float(value) for name, value in move.figures.items()}
    step: dict[str, Any] = {"tenant": made.tenant, "campaign": made.id, "number": made.number, "at": now}
    step |= {"before": before, "stage": move.stage, "rung": made.rung, "reason": move.reason[:1000], "by": move.by}
    connection.execute(sa.insert(improve_steps).values(**step, figures=rows.dump(figures)))
    found = made.candidate
    facts = ImprovementFacts(
        campaign=made.id,
        application=made.application,
        policy=made.policy_version,
        before=before,
        stage=move.stage,
        rung=made.rung,
        recipe=made.recipe.recipe,
        candidate=made.candidate_id,
        version="" if found is None else found.version,
        reason=move.reason[:1000],
        by=move.by,
        figures=figures or None,
    )
    EventLog.within(connection, [EventRecord(ids.new("evt_"), now, made.tenant, "", made.id, facts)])


def _is(tenant: str, campaign_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(_c.tenant == tenant, _c.id == campaign_id)


def _campaign(row: sa.Row[Any]) -> Campaign:
    fields = dict(row._mapping)
    try:
        fields["policy"] = Policy.model_validate(rows.load(row.policy))
    except ValidationError as error:
        # Of another version of this program. With no rung after it, none is begun.
        fields |= {"policy": stand_in(row.rung + 1), "problem": first_problem(error)}
    fields["notes"] = rows.load(row.notes)
    fields |= {"rungs": rows.load(row.rungs), "groups": frozenset(rows.load(row.groups))}
    return Campaign(**fields)
