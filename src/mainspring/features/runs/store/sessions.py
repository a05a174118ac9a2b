"""The state that agents leave in a session, for its next run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.types import Principal
from mainspring.features.runs.tables import run_sessions
from mainspring.stores.sql.database import Database


class SessionStates:
    """The states of all sessions: each belongs to the key that began it, and to its groups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, principal: Principal, session_id: str) -> dict[str, Any]:
        """The state; empty if there is none."""
        query = sa.select(run_sessions.c.state, run_sessions.c.groups).where(_one(principal, session_id))
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None or not frozenset(rows.load(row.groups)) <= principal.groups:
            return {}
        found: dict[str, Any] = rows.load(row.state)
        return found

    async def put(self, principal: Principal, session_id: str, state: Mapping[str, Any], person: str) -> None:
        """Keep ``state``, a JSON object, in place of the present one."""
        values = {"state": cards.scrub_json(rows.dump(dict(state))), "updated_at": time.time()}
        values |= {"groups": rows.names(principal.groups), "person": person}
        new = {"tenant": principal.tenant, "owner": principal.person, "session_id": session_id}

        def work(connection: sa.Connection) -> None:
            there = sa.update(run_sessions).where(_one(principal, session_id)).values(**values)
            if not connection.execute(there).rowcount:
                connection.execute(rows.insert_new(connection, run_sessions).values(**new, **values))

        await self._database.write(work, durable=True)


def _one(principal: Principal, session_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(
        run_sessions.c.tenant == principal.tenant,
        run_sessions.c.owner == principal.person,
        run_sessions.c.session_id == session_id,
    )
