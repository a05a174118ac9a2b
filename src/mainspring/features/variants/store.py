"""Candidates and placements in the database: each change is one commit with its event."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.facts.base import name_of
from mainspring.core.facts.trials import ShadowFacts, VariantFacts
from mainspring.core.types import EventRecord
from mainspring.features.variants.tables import variant_moves, variant_places, variants
from mainspring.stores.erase.data_subjects import parts
from mainspring.stores.events.log import EventLog
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.row_access import RowAccess
from mainspring.training.ports import Candidate, CandidateKind

Status = Literal["admitted", "withdrawn", "erased"]
Stage = Literal["", "shadow", "canary"]
Action = Literal["admitted", "shadow", "canary", "promoted", "withdrawn", "undone"]
_SKEW_S = 60.0


@dataclass(frozen=True, slots=True)
class StoredCandidate:
    """A candidate as it is stored."""

    candidate: Candidate
    id: str
    status: Status
    reason: str
    by: str
    created_at: float
    groups: frozenset[str] = frozenset()
    """Those that a reader of what it was made of needs, all of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """What an application of a tenant uses: ``currents`` in the order in which they came, one a kind."""

    tenant: str
    application: str
    currents: tuple[StoredCandidate, ...] = ()
    candidate: StoredCandidate | None = None
    stage: Stage = ""
    share: float = 0.0
    since: float = 0.0

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.currents]

    def with_current(self, kept: StoredCandidate) -> Place:
        """``kept`` in place of what is current of its kind."""
        others = [each for each in self.currents if each.candidate.kind != kept.candidate.kind]
        return replace(self, currents=(*others, kept))

    def without_candidate(self) -> Place:
        return replace(self, candidate=None, stage="", share=0.0)


@dataclass(frozen=True, slots=True)
class VariantMove:
    """A change of a placement. ``before`` and ``after`` are the ids of what was and is current."""

    action: Action
    candidate: str = ""
    kind: str = ""
    share: float = 0.0
    reason: str = ""
    by: str = ""
    before: Sequence[str] = ()
    after: Sequence[str] = ()
    at: float = 0.0
    number: int = 0
    version: str = field(default="", compare=False)


Change = Callable[
    [Place, Sequence[VariantMove], Callable[[str], StoredCandidate | None]], tuple[Place, VariantMove] | None
]
"""Decides on a change from the placement, its moves (the oldest first) and the stored candidates; None: there is
nothing to change."""


class VariantStore:
    """The candidates and placements of all tenants."""

    def __init__(self, database: Database, *, kept: int, moves: int) -> None:
        self._database = database
        self._kept = kept
        self._moves = moves

    async def admit(
        self, tenant: str, candidate: Candidate, subjects: Sequence[str], by: str, groups: frozenset[str] = frozenset()
    ) -> bool:
        """Store a candidate with the texts of the answers ``subjects``, made of what ``groups`` may see; False if it
        was admitted before. Raises
        ``QuotaExceeded``, ``InvalidRequest`` if one of those is gone, and ``Conflict`` if the candidate was erased."""

        def work(connection: sa.Connection) -> bool:
            sql.lock(connection, f"variant:{tenant}")
            found = _kept(connection, tenant, candidate.id)
            if found is not None and found.status == "erased":
                raise Conflict("this candidate was erased with the person whose words are in it", param="candidate")
            one = sa.and_(variants.c.tenant == tenant, variants.c.id == candidate.id)
            needed = groups if found is None else groups | found.groups
            if found is not None and needed != found.groups:
                connection.execute(sa.update(variants).where(one).values(groups=rows.names(needed)))
            if found is not None and found.status == "admitted":
                return False
            mine = sa.and_(variants.c.tenant == tenant, variants.c.status == "admitted")
            _check_there(connection, tenant, subjects)
            count = connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one()
            if count >= self._kept:
                raise QuotaExceeded(
                    f"{count} candidates are admitted, the maximum", remedy="Withdraw one", param="candidate"
                )
            now = time.time()
            told: dict[str, Any] = {"status": "admitted", "reason": "", "updated_at": now}
            if found is not None:
                connection.execute(sa.update(variants).where(one).values(**told))
            else:
                place: dict[str, Any] = {"tenant": tenant, "id": candidate.id, "application": candidate.application}
                place |= {"kind": candidate.kind, "version": candidate.version, "by": by, "created_at": now}
                documents = {each for shot in candidate.value.get("examples", ()) for each in shot.get("documents", ())}
                place |= {"value": rows.dump(dict(candidate.value))}
                place |= {"subjects": rows.dump(sorted({*subjects, *documents}))}
                place |= {"groups": rows.names(needed)}
                connection.execute(sa.insert(variants).values(**place, **told))
            self._write(connection, tenant, candidate.application, _move("admitted", candidate, by))
            return True

        return await self._database.write(work, durable=True)

    async def get(self, tenant: str, candidate_id: str) -> StoredCandidate:
        """Raises ``NotFound``."""
        found = await self._database.read(lambda connection: _kept(connection, tenant, candidate_id))
        if found is None:
            raise NotFound(f"there is no candidate {candidate_id:.40}", param="candidate")
        return found

    async def candidates(self, tenant: str, application: str = "") -> list[StoredCandidate]:
        """The newest first."""
        query = sa.select(variants).where(variants.c.tenant == tenant)
        if application:
            query = query.where(variants.c.application == application)
        query = query.order_by(variants.c.created_at.desc(), variants.c.id).limit(self._kept)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [_read(row) for row in found]

    async def has_version(self, tenant: str, label: str) -> bool:
        """Whether one that is admitted is, or answers by, this version of training."""

        def work(connection: sa.Connection) -> bool:
            value = RowAccess(connection, frozenset())
            named = [value.field(variants.c.value, field) == label for field in ("model", "version")]
            mine = sa.and_(variants.c.tenant == tenant, variants.c.status == "admitted")
            query = sa.select(variants.c.id).where(mine, sa.or_(variants.c.version == label, *named))
            return connection.execute(query.limit(1)).first() is not None

        return await self._database.read(work)

    async def place(self, tenant: str, application: str) -> Place:
        """With nothing in it if the settings alone say what the application uses."""
        return await self._database.read(lambda connection: _place(connection, tenant, application))

    async def places(self, tenant: str) -> list[Place]:
        """By application."""
        query = sa.select(variant_places.c.application).where(variant_places.c.tenant == tenant)

        def work(connection: sa.Connection) -> list[Place]:
            names = connection.execute(query.order_by(variant_places.c.application)).scalars().all()
            return [_place(connection, tenant, name) for name in names]

        return await self._database.read(work)

    async def changed(self, after: float) -> list[Place]:
        """The placements that changed after a time (Unix seconds; clocks of servers may differ by a minute)."""
        query = sa.select(variant_places.c.tenant, variant_places.c.application)
        query = query.where(variant_places.c.changed_at > after - _SKEW_S)

        def work(connection: sa.Connection) -> list[Place]:
            return [_place(connection, row.tenant, row.application) for row in connection.execute(query).all()]

        return await self._database.read(work)

    async def gone(self, known: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these placements, by tenant and application, that are there no more."""
        if not known:
            return []

        def work(connection: sa.Connection) -> set[tuple[str, str]]:
            there: set[tuple[str, str]] = set()
            query = sa.select(variant_places.c.tenant, variant_places.c.application)
            for part in parts(sorted({tenant for tenant, _ in known})):
                found = connection.execute(query.where(variant_places.c.tenant.in_(part)))
                there |= {(row.tenant, row.application) for row in found}
            return there

        there = await self._database.read(work)
        return [each for each in known if each not in there]

    async def shadowed(self, tenant: str, candidate_id: str, since: float) -> tuple[int, int]:
        """The copies that a candidate got since a time, and how many of them failed."""

        def work(connection: sa.Connection) -> tuple[int, int]:
            facts = RowAccess(connection, frozenset())
            variant = facts.field(events.c.facts, name_of(ShadowFacts, "variant"))
            error = facts.field(events.c.facts, name_of(ShadowFacts, "error"))
            mine = sa.and_(events.c.tenant == tenant, events.c.kind == ShadowFacts.EVENT, events.c.at >= since)
            query = sa.select(sa.func.count(), sa.func.count().filter(sa.func.coalesce(error, "") != ""))
            row = connection.execute(query.where(mine, variant == candidate_id)).one()
            return int(row[0]), int(row[1])

        return await self._database.read(work)

    async def history(self, tenant: str, application: str) -> list[VariantMove]:
        """The newest first."""
        found = await self._database.read(lambda connection: _moves(connection, tenant, application))
        return found[::-1]

    async def change(self, tenant: str, application: str, decide: Change, by: str) -> Place:
        """Do what ``decide`` says, with its event; what ``decide`` raises is raised."""

        def work(connection: sa.Connection) -> Place:
            return self.within(connection, tenant, application, decide, by)

        return await self._database.write(work, durable=True)

    def within(self, connection: sa.Connection, tenant: str, application: str, decide: Change, by: str) -> Place:
        """The same in a transaction that is open."""
        sql.lock(connection, f"variant:{tenant}")
        before = _place(connection, tenant, application)
        moves = _moves(connection, tenant, application)
        decided = decide(before, moves, lambda each: _kept(connection, tenant, each))
        if decided is None:
            return before
        place, move = decided
        now = max(time.time(), before.since + 1e-6)
        same = (before.ids, before.candidate, before.stage) == (place.ids, place.candidate, place.stage)
        place = replace(place, since=before.since if same else now)
        values: dict[str, Any] = {"currents": rows.dump(place.ids), "stage": place.stage, "share": place.share}
        values |= {"candidate": "" if place.candidate is None else place.candidate.id, "since": place.since}
        values |= {"changed_at": now}
        key = {"tenant": tenant, "application": application}
        connection.execute(rows.insert_new(connection, variant_places), {**key, **values})
        mine = sa.and_(variant_places.c.tenant == tenant, variant_places.c.application == application)
        connection.execute(sa.update(variant_places).where(mine).values(**values))
        if move.action == "withdrawn" and move.candidate:
            self._withdraw(connection, tenant, move)
        told = replace(move, by=by, before=move.before or before.ids, after=place.ids)
        self._write(connection, tenant, application, told)
        return place

    def _withdraw(self, connection: sa.Connection, tenant: str, move: VariantMove) -> None:
        one = sa.and_(variants.c.tenant == tenant, variants.c.id == move.candidate, variants.c.status == "admitted")
        told = {"status": "withdrawn", "reason": move.reason, "updated_at": time.time()}
        connection.execute(sa.update(variants).where(one).values(**told))

    def _write(self, connection: sa.Connection, tenant: str, application: str, move: VariantMove) -> None:
        """A move with its event; of an application's moves the latest are kept."""
        mine = sa.and_(variant_moves.c.tenant == tenant, variant_moves.c.application == application)
        last = connection.execute(sa.select(sa.func.max(variant_moves.c.number)).where(mine)).scalar() or 0
        now = time.time()
        row = {"tenant": tenant, "application": application, "number": last + 1, "at": now, "action": move.action}
        row |= {"candidate": move.candidate, "kind": move.kind, "share": move.share, "by": move.by}
        row |= {"before": rows.dump(list(move.before)), "after": rows.dump(list(move.after)), "reason": move.reason}
        connection.execute(sa.insert(variant_moves).values(**row))
        connection.execute(sa.delete(variant_moves).where(mine, variant_moves.c.number <= last + 1 - self._moves))
        facts = VariantFacts(
            application=application,
            candidate=move.candidate,
            part=move.kind,
            action=move.action,
            share=move.share,
            reason=move.reason,
            by=move.by,
            before=" ".join(move.before),
            after=" ".join(move.after),
            version=move.version,
        )
        event = EventRecord(ids.new("evt_"), now, tenant, "", move.candidate or application, facts)
        EventLog.within(connection, [event])


def _check_there(connection: sa.Connection, tenant: str, subjects: Sequence[str]) -> None:
    """Raises ``InvalidRequest`` for an answer that is there no more: it may have been erased with a person."""
    for part in parts(subjects):
        mine = sa.select(events.c.id).where(events.c.tenant == tenant, events.c.content_id.is_not(None))
        there = set(connection.execute(mine.where(events.c.id.in_(part))).scalars())
        if lost := [each for each in part if each not in there]:
            raise InvalidRequest(
                f"there is no answer {lost[0]:.60} that an example is of",
                remedy="Leave this example out, or its source if it is not an answer's",
                param="candidate.value.examples",
            )


def _move(action: Action, candidate: Candidate, by: str = "") -> VariantMove:
    return VariantMove(action, candidate.id, candidate.kind, by=by, version=candidate.version)


def _kept(connection: sa.Connection, tenant: str, candidate_id: str) -> StoredCandidate | None:
    query = sa.select(variants).where(variants.c.tenant == tenant, variants.c.id == candidate_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(row)


def _read(row: sa.Row[Any]) -> StoredCandidate:
    candidate = Candidate(cast(CandidateKind, row.kind), row.application, rows.load(row.value), row.version)
    return StoredCandidate(
        candidate, row.id, cast(Status, row.status), row.reason, row.by, row.created_at, _groups(row)
    )


def _groups(row: sa.Row[Any]) -> frozenset[str]:
    return frozenset(rows.load(row.groups))


def _place(connection: sa.Connection, tenant: str, application: str) -> Place:
    query = sa.select(variant_places).where(variant_places.c.tenant == tenant)
    row = connection.execute(query.where(variant_places.c.application == application)).one_or_none()
    if row is None:
        return Place(tenant, application)
    found = [_kept(connection, tenant, each) for each in rows.load(row.currents)]
    currents = tuple(each for each in found if each is not None and each.status == "admitted")
    candidate = _kept(connection, tenant, row.candidate) if row.candidate else None
    stage = cast(Stage, row.stage)
    if candidate is None or candidate.status != "admitted":
        candidate, stage = None, ""
    return Place(tenant, application, currents, candidate, stage, row.share if stage else 0.0, row.since)


def _moves(connection: sa.Connection, tenant: str, application: str) -> list[VariantMove]:
    mine = sa.and_(variant_moves.c.tenant == tenant, variant_moves.c.application == application)
    found = connection.execute(sa.select(variant_moves).where(mine).order_by(variant_moves.c.number))
    return [
        VariantMove(
            cast(Action, row.action),
            row.candidate,
            row.kind,
            row.share,
            row.reason,
            row.by,
            rows.load(row.before),
            rows.load(row.after),
            row.at,
            row.number,
        )
        for row in found
    ]
