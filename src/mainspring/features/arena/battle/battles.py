"""Battles without a vote, and votes: each counts once, and a person has so many a day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.facts.opinions import VoteFacts
from mainspring.core.types import EventRecord, Principal
from mainspring.features.arena.battle.pairing import Met, Pair, pairs
from mainspring.features.arena.definitions import SCORES, Arena, Winner
from mainspring.features.arena.tables import arena_battles, arena_pairs, arena_votes
from mainspring.stores.events.log import EventLog
from mainspring.stores.sql.database import Database

PREFIX = "battle_"
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Battle:
    """Two models and one question (its digest). ``at`` is in Unix seconds. ``style`` is the left's less the right's."""

    id: str
    arena: str
    voter: str
    at: float
    question: str
    category: str
    left_model: str
    right_model: str
    left_answer: str = ""
    right_answer: str = ""
    left_trace: str = ""
    left_tokens: int = 0
    right_tokens: int = 0
    style: Mapping[str, float] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Voted:
    """A vote that counts."""

    battle: str
    winner: Winner
    left_model: str
    right_model: str
    left_answer: str
    right_answer: str


class Battles:
    """The battles and votes of all tenants."""

    def __init__(self, database: Database, *, most_open: int, open_s: float) -> None:
        self._database = database
        self._most_open = most_open
        self._open_s = open_s

    async def met(self, tenant: str, arena: str) -> dict[Pair, Met]:
        """How often each two models have met."""
        mine = sa.and_(arena_pairs.c.tenant == tenant, arena_pairs.c.arena == arena)
        found = await self._database.read(
            lambda connection: connection.execute(sa.select(arena_pairs).where(mine)).all()
        )
        met: dict[Pair, Met] = {}
        for row in found:
            (pair,) = pairs((row.left_model, row.right_model))
            first = row.left_model == pair[0]
            old = met.get(pair, Met())
            met[pair] = Met(
                old.left + (row.shown if first else 0),
                old.shown + row.shown,
                old.won + (row.points if first else row.votes - row.points),
                old.votes + row.votes,
            )
        return met

    async def used(self, principal: Principal, arena: str, question: str) -> set[Pair]:
        """The pairs on which the person has voted with this question."""
        query = sa.select(arena_votes.c.left_model, arena_votes.c.right_model).where(
            arena_votes.c.tenant == principal.tenant,
            arena_votes.c.arena == arena,
            arena_votes.c.voter == principal.person,
            arena_votes.c.question == question,
        )
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return {pairs(tuple(row))[0] for row in found}

    async def begin(self, principal: Principal, battle: Battle, arena: Arena) -> None:
        """Write a battle down before its models are asked. Raises ``QuotaExceeded``: the person has too many open
        ones, or no vote left today."""

        def work(connection: sa.Connection) -> None:
            _turn(connection, principal, battle.arena)
            _expire(connection, principal.tenant, battle.arena, battle.at - self._open_s)
            mine = sa.and_(
                arena_battles.c.tenant == principal.tenant,
                arena_battles.c.arena == battle.arena,
                arena_battles.c.voter == battle.voter,
            )
            count = connection.execute(sa.select(sa.func.count()).select_from(arena_battles).where(mine)).scalar_one()
            if count >= self._most_open:
                raise QuotaExceeded(
                    f"you have {count} battles without a vote", remedy="Vote on them, or delete them", param="arena"
                )
            _check_votes(connection, principal, battle.arena, arena.votes_per_day, battle.at)
            values = {name: getattr(battle, name) for name in Battle.__slots__ if name != "style"}
            connection.execute(
                sa.insert(arena_battles).values(tenant=principal.tenant, style=rows.dump(dict(battle.style)), **values)
            )
            _count(connection, principal.tenant, battle, shown=1)

        await self._database.write(work, durable=False)

    async def answered(self, tenant: str, battle: Battle) -> None:
        """Write down what the models answered; nothing if the battle is gone."""
        values = {
            "left_answer": battle.left_answer,
            "right_answer": battle.right_answer,
            "left_trace": battle.left_trace,
            "left_tokens": battle.left_tokens,
            "right_tokens": battle.right_tokens,
            "style": rows.dump(dict(battle.style)),
            "complete": battle.complete,
            "at": battle.at,
        }
        mine = sa.and_(arena_battles.c.tenant == tenant, arena_battles.c.id == battle.id)
        change = sa.update(arena_battles).where(mine).values(**values)
        await self._database.write(lambda connection: connection.execute(change) and None, durable=False)

    async def get(self, principal: Principal, arena: str, battle_id: str) -> Battle:
        """The person's battle without a vote. Raises ``NotFound``."""
        return await self._database.read(lambda connection: _get(connection, principal, arena, battle_id))

    async def drop(self, principal: Principal, arena: str, battle_id: str) -> None:
        """Delete a battle without a vote. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            _get(connection, principal, arena, battle_id)
            _delete(connection, principal.tenant, battle_id)

        await self._database.write(work, durable=False)

    async def forget(self, tenant: str, battle_id: str) -> None:
        """Delete a battle that nobody can vote on."""
        await self._database.write(lambda connection: _delete(connection, tenant, battle_id), durable=False)

    async def vote(self, principal: Principal, arena: str, definition: Arena, battle_id: str, winner: Winner) -> Voted:
        """Count a vote, and write its event in the same commit. The same vote again is the first one.

        Raises ``NotFound`` for a battle that is not the person's, ``Conflict`` for one that was decided otherwise, that
        is not complete, or whose question and models the person has voted on, and ``QuotaExceeded``.
        """

        def work(connection: sa.Connection) -> Voted:
            _turn(connection, principal, arena)
            given = _given(connection, principal, arena, battle_id)
            if given is not None:
                if given.winner != winner:
                    raise Conflict(f"you have voted on it: {given.winner}", param="winner")
                return given
            battle, now = _get(connection, principal, arena, battle_id), time.time()
            if not battle.complete:
                raise Conflict("one of the models did not answer: there is nothing to compare", param="battle_id")
            _check_votes(connection, principal, arena, definition.votes_per_day, now)
            _insert(connection, principal, battle, winner, now)
            return Voted(
                battle.id, winner, battle.left_model, battle.right_model, battle.left_answer, battle.right_answer
            )

        return await self._database.write(work, durable=True)


def _turn(connection: sa.Connection, principal: Principal, arena: str) -> None:
    """Others of the same person wait for the end of the transaction."""
    sql.lock(connection, f"arena {principal.tenant} {arena} {principal.person}")


def _expire(connection: sa.Connection, tenant: str, arena: str, before: float) -> None:
    old = sa.and_(arena_battles.c.tenant == tenant, arena_battles.c.arena == arena, arena_battles.c.at < before)
    connection.execute(sa.delete(arena_battles).where(old))


def _check_votes(connection: sa.Connection, principal: Principal, arena: str, most: int, now: float) -> None:
    mine = sa.and_(
        arena_votes.c.tenant == principal.tenant,
        arena_votes.c.arena == arena,
        arena_votes.c.voter == principal.person,
        arena_votes.c.at > now - _DAY,
    )
    count = connection.execute(sa.select(sa.func.count()).select_from(arena_votes).where(mine)).scalar_one()
    if count >= most:
        raise QuotaExceeded(
            f"you have given {count} votes within a day, the maximum of this arena",
            remedy="Go on tomorrow, or raise votes_per_day",
            param="arena",
        )


def _get(connection: sa.Connection, principal: Principal, arena: str, battle_id: str) -> Battle:
    query = sa.select(arena_battles).where(
        arena_battles.c.tenant == principal.tenant,
        arena_battles.c.id == battle_id,
        arena_battles.c.arena == arena,
        arena_battles.c.voter == principal.person,
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"you have no battle {battle_id:.100} without a vote here", param="battle_id")
    values = {name: getattr(row, name) for name in Battle.__slots__ if name != "style"}
    return Battle(**values, style=rows.load(row.style))


def _given(connection: sa.Connection, principal: Principal, arena: str, battle_id: str) -> Voted | None:
    query = sa.select(arena_votes).where(
        arena_votes.c.tenant == principal.tenant,
        arena_votes.c.battle == battle_id,
        arena_votes.c.arena == arena,
        arena_votes.c.voter == principal.person,
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Voted(row.battle, row.winner, row.left_model, row.right_model, row.left_answer, row.right_answer)


def _insert(connection: sa.Connection, principal: Principal, battle: Battle, winner: Winner, now: float) -> None:
    tenant, seconds = principal.tenant, round(now - battle.at, 2)
    pair = sorted((battle.left_model, battle.right_model))
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": rows.digest("\0".join((battle.arena, battle.voter, battle.question, *pair))),
        "arena": battle.arena,
        "battle": battle.id,
        "voter": battle.voter,
        "at": now,
        "question": battle.question,
        "category": battle.category,
        "left_model": battle.left_model,
        "right_model": battle.right_model,
        "left_answer": battle.left_answer,
        "right_answer": battle.right_answer,
        "winner": winner,
        "score": SCORES[winner],
        "seconds": seconds,
        "style": rows.dump(dict(battle.style)),
    }
    if not connection.execute(rows.insert_new(connection, arena_votes).values(**values)).rowcount:
        raise Conflict("you have voted on these models with this question before", remedy="Ask another question")
    _count(connection, tenant, battle, votes=1, points=SCORES[winner])
    _delete(connection, tenant, battle.id)
    facts = VoteFacts(
        arena=battle.arena,
        winner=winner,
        left=battle.left_answer,
        right=battle.right_answer,
        left_model=battle.left_model,
        right_model=battle.right_model,
        left_tokens=battle.left_tokens,
        right_tokens=battle.right_tokens,
        by=battle.voter,
        seconds=seconds,
    )
    record = EventRecord(ids.new("evt_"), now, tenant, battle.left_trace, battle.left_answer, facts)
    EventLog.within(connection, [record])


def _delete(connection: sa.Connection, tenant: str, battle_id: str) -> None:
    connection.execute(
        sa.delete(arena_battles).where(arena_battles.c.tenant == tenant, arena_battles.c.id == battle_id)
    )


def _count(
    connection: sa.Connection, tenant: str, battle: Battle, *, shown: int = 0, votes: int = 0, points: float = 0.0
) -> None:
    place = {
        "tenant": tenant,
        "arena": battle.arena,
        "left_model": battle.left_model,
        "right_model": battle.right_model,
    }
    connection.execute(rows.insert_new(connection, arena_pairs).values(**place))
    mine = sa.and_(*(arena_pairs.c[name] == value for name, value in place.items()))
    c = arena_pairs.c
    connection.execute(
        sa.update(arena_pairs)
        .where(mine)
        .values(shown=c.shown + shown, votes=c.votes + votes, points=c.points + points)
    )
