"""The people of the desk: what customers call them, and the queues that they work on."""

from __future__ import annotations

import time
from dataclasses import dataclass

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import Principal
from mainspring.features.desk.tables import desk_people as people
from mainspring.stores.sql.database import Database


@dataclass(frozen=True, slots=True)
class DeskPerson:
    """Somebody who works on cases. ``person`` is the identity of the key; ``queues`` are the skills (empty: all)."""

    person: str
    name: str
    queues: tuple[str, ...] = ()


class DeskPeople:
    """The people of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def me(self, principal: Principal) -> DeskPerson:
        """The caller; without a name until one is set."""
        return await self.get(principal, principal.person)

    async def get(self, principal: Principal, person: str) -> DeskPerson:
        """Somebody of the caller's tenant."""
        mine = sa.and_(people.c.tenant == principal.tenant, people.c.person == person)
        query = sa.select(people).where(mine)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return DeskPerson(person, "") if row is None else DeskPerson(person, row.name, tuple(rows.load(row.queues)))

    async def all(self, principal: Principal) -> list[DeskPerson]:
        """Those who have set a name, by name."""
        query = sa.select(people).where(people.c.tenant == principal.tenant).order_by(people.c.name, people.c.person)
        found = await self._database.read(lambda connection: connection.execute(query).all())
        return [DeskPerson(row.person, row.name, tuple(rows.load(row.queues))) for row in found]

    async def put(self, principal: Principal, name: str, queues: tuple[str, ...]) -> DeskPerson:
        """Set the caller's name and queues. Raises ``InvalidRequest``."""
        if any(not each or len(each) > 64 for each in queues):
            raise InvalidRequest("the names of queues must have 1 to 64 characters", param="queues")
        who = DeskPerson(principal.person, " ".join(cards.scrub(name).split()), tuple(dict.fromkeys(queues)))
        values = {"name": who.name, "queues": rows.dump(list(who.queues)), "changed_at": time.time()}

        def work(connection: sa.Connection) -> None:
            mine = {"tenant": principal.tenant, "person": who.person}
            connection.execute(rows.insert_new(connection, people).values(**mine, **values))
            where = sa.and_(people.c.tenant == principal.tenant, people.c.person == who.person)
            connection.execute(sa.update(people).where(where).values(**values))

        await self._database.write(work, durable=True)
        return who
