"""Arenas: their definitions, battles between two of their models, votes and ratings."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.database as sql
import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.core.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from mainspring.core.types import Context, Message, Principal
from mainspring.evaluation.examples import ExampleDraw
from mainspring.feature import Rooms
from mainspring.features.arena.battle.asking import BattleAnswers, ask, request
from mainspring.features.arena.battle.battles import PREFIX, Battle, Battles
from mainspring.features.arena.battle.pairing import chosen
from mainspring.features.arena.battle.questions import Question, Recorded
from mainspring.features.arena.battle.style import difference, qualities
from mainspring.features.arena.definitions import Arena, Side
from mainspring.features.arena.rating.board import Ratings
from mainspring.features.arena.rating.voters import Voter, voters
from mainspring.features.arena.settings import ArenaSettings
from mainspring.features.arena.tables import arena_battles, arena_excluded, arena_pairs, arena_votes, arenas
from mainspring.stores.sql.database import Database


@dataclass(slots=True)
class Duel:
    """A battle that is being answered: iterate ``pieces`` to their end; then ``battle`` is written down."""

    battle: Battle
    question: Question
    asked: BattleAnswers
    pieces: AsyncGenerator[tuple[Side, str], None]

    async def close(self) -> None:
        """Stop both models if they still answer."""
        await self.pieces.aclose()


class Arenas:
    """The service. ``use`` gives it the data sets, once all features are open."""

    def __init__(self, rooms: Rooms) -> None:
        self.settings = rooms.settings.section(ArenaSettings)
        database = rooms.stores.database
        self._rooms = rooms
        self._database: Database = database
        self._draw = random.SystemRandom()
        self._recorded = Recorded(rooms.stores.events, None)
        self.battles = Battles(database, most_open=self.settings.open_battles, open_s=self.settings.open_hours * 3600.0)
        self.ratings = Ratings(database, self.settings.rated_votes)

    def use(self, datasets: ExampleDraw | None) -> None:
        """Draw recorded questions from here."""
        self._recorded = Recorded(self._rooms.stores.events, datasets)

    async def define(self, principal: Principal, name: str, arena: Arena) -> None:
        """Make or change an arena; votes stay. Raises ``UnknownModel`` and ``QuotaExceeded``."""
        for model in arena.models:
            await self._rooms.path.registry.find(model, principal)

        def work(connection: sa.Connection) -> None:
            sql.lock(connection, f"arenas {principal.tenant}")
            now, definition = time.time(), rows.dump(arena.model_dump())
            mine = _is(principal.tenant, name)
            changed = sa.update(arenas).where(mine).values(definition=definition, updated_at=now)
            if connection.execute(changed).rowcount:
                return
            count = sa.select(sa.func.count()).select_from(arenas).where(arenas.c.tenant == principal.tenant)
            if connection.execute(count).scalar_one() >= self.settings.most_arenas:
                raise QuotaExceeded("this tenant has the maximum number of arenas", remedy="Delete one", param="name")
            values = {"tenant": principal.tenant, "name": name, "definition": definition}
            connection.execute(sa.insert(arenas).values(**values, created_at=now, updated_at=now))

        await self._database.write(work, durable=True)

    async def get(self, tenant: str, name: str) -> Arena:
        """Raises ``NotFound``."""
        query = sa.select(arenas.c.definition).where(_is(tenant, name))
        found = await self._database.read(lambda connection: connection.execute(query).scalar_one_or_none())
        if found is None:
            raise NotFound(f"there is no arena {name:.100}", param="arena")
        return Arena.model_validate(rows.load(found))

    async def all(self, tenant: str) -> list[tuple[str, Arena, float]]:
        """Names, definitions and Unix seconds of creation, by name."""
        query = sa.select(arenas).where(arenas.c.tenant == tenant).order_by(arenas.c.name)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [(row.name, Arena.model_validate(rows.load(row.definition)), row.created_at) for row in found]

    async def remove(self, tenant: str, name: str) -> None:
        """Delete an arena with its battles and votes; the events of votes stay. Raises ``NotFound``."""

        def work(connection: sa.Connection) -> None:
            if not connection.execute(sa.delete(arenas).where(_is(tenant, name))).rowcount:
                raise NotFound(f"there is no arena {name:.100}", param="arena")
            for table in (arena_battles, arena_votes, arena_pairs, arena_excluded):
                connection.execute(sa.delete(table).where(table.c.tenant == tenant, table.c.arena == name))

        await self._database.write(work, durable=True)

    async def question(self, principal: Principal, arena: Arena, said: str | None, category: str) -> Question:
        """The voter's own question, or a recorded one. Raises ``InvalidRequest`` and what ``Recorded.draw`` raises."""
        if category and arena.categories and category not in arena.categories:
            raise InvalidRequest(
                f"there is no category {category:.100}", remedy=f"Use {', '.join(arena.categories)}", param="category"
            )
        if said is not None:
            return Question((Message("user", said),), category, shown=said)
        drawn = await self._recorded.draw(principal, arena, self._draw)
        return dataclasses.replace(drawn, category=category or drawn.category)

    async def duel(self, context: Context, name: str, arena: Arena, question: Question) -> Duel:
        """Begin a battle. Raises ``Conflict``: the person has voted on all pairs with this question, and what
        ``Battles.begin`` raises."""
        principal = context.principal
        digest = hashlib.sha256("\0".join(f"{m.role}:{m.content}" for m in question.messages).encode()).hexdigest()
        used = await self.battles.used(principal, name, digest)
        pair = chosen(arena.models, await self.battles.met(principal.tenant, name), self._draw, used)
        if pair is None:
            raise Conflict(
                "you have compared all models on this question", remedy="Ask another question", param="question"
            )
        battle = Battle(
            ids.new(PREFIX), name, principal.person, time.time(), digest, question.category, pair[0], pair[1]
        )
        await self.battles.begin(principal, battle, arena)
        messages = (Message("system", arena.system), *question.messages) if arena.system else question.messages
        longest = arena.max_tokens or self.settings.max_tokens
        left, right = (request(model, messages, longest, question.person) for model in pair)
        asked = BattleAnswers()
        duel = Duel(battle, question, asked, _nothing())
        duel.pieces = self._pieces(duel, {"left": left, "right": right}, context)
        return duel

    async def _pieces(self, duel: Duel, requests: Any, context: Context) -> AsyncGenerator[tuple[Side, str], None]:
        tenant = context.principal.tenant
        try:
            async for piece in ask(self._rooms.responder, requests, context, duel.asked):
                yield piece
            duel.battle = _answered(duel.battle, duel.asked)
        finally:
            # Nobody can vote on one that was left, or that a model did not answer: it must not count as open.
            if duel.battle.complete:
                await self.battles.answered(tenant, duel.battle)
            else:
                await self.battles.forget(tenant, duel.battle.id)

    async def voters(self, tenant: str, arena: str) -> tuple[list[Voter], dict[str, str]]:
        """Who has voted, and the reasons for which voters are excluded."""
        given = await self.ratings.votes(tenant, arena)
        out = await self.ratings.excluded(tenant, arena)
        found = await asyncio.to_thread(voters, given, self.settings.suspicious_votes)
        return found, {name: row.reason for name, row in out.items()}

    async def exclude(self, principal: Principal, arena: str, voter: str, reason: str | None) -> None:
        """Let a voter's votes not count any more; with no reason, let them count again."""
        c = arena_excluded.c
        mine = sa.and_(c.tenant == principal.tenant, c.arena == arena, c.voter == voter)
        values = {"tenant": principal.tenant, "arena": arena, "voter": voter}

        def work(connection: sa.Connection) -> None:
            connection.execute(sa.delete(arena_excluded).where(mine))
            if reason is not None:
                more = {"reason": reason, "excluded_by": principal.key_id, "at": time.time()}
                connection.execute(sa.insert(arena_excluded).values(**values, **more))

        await self._database.write(work, durable=True)


async def _nothing() -> AsyncGenerator[tuple[Side, str], None]:
    nothing: tuple[tuple[Side, str], ...] = ()
    for piece in nothing:
        yield piece


def _answered(battle: Battle, asked: BattleAnswers) -> Battle:
    left, right = asked.said["left"], asked.said["right"]
    tokens = [each.usage.completion_tokens for each in (left, right)]
    return dataclasses.replace(
        battle,
        # Reading counts from when both answers are there.
        at=time.time(),
        left_answer=left.answer_id,
        right_answer=right.answer_id,
        left_trace=left.trace_id,
        left_tokens=tokens[0],
        right_tokens=tokens[1],
        style=difference(qualities(left.text, tokens[0]), qualities(right.text, tokens[1])),
        complete=asked.complete,
    )


def _is(tenant: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(arenas.c.tenant == tenant, arenas.c.name == name)
