"""Runs of data subjects: those that name the subject, of its key, in its sessions, or that gave one of its answers.

They are erased whole: a run without one of its steps would look like one that never took it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.features.runs.store import runs as store
from mainspring.features.runs.store import steps
from mainspring.features.runs.tables import run_sessions, runs
from mainspring.stores.documents.blobs import Blobs
from mainspring.stores.erase.data_subjects import Subject, SubjectData, owners, parts
from mainspring.stores.schema import events
from mainspring.stores.sql.database import Database


class AgentRuns:
    """The runs of agents with their steps, and what agents left in sessions, in all tenants."""

    name = "agent_runs"

    def __init__(self, database: Database, _: Blobs) -> None:
        self._database = database

    async def find(
        self, subject: Subject, held: SubjectData, upto: float, groups: frozenset[str] | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """The runs, and the states of sessions."""

        def work(connection: sa.Connection) -> list[Mapping[str, Any]]:
            found: list[Mapping[str, Any]] = []
            for row in _runs(connection, subject, held, upto):
                if groups is None or frozenset(rows.load(row.groups)) <= groups:
                    taken = steps.read(connection, subject.tenant, row.id).values()
                    found.append(_exported(row, list(taken)))
            for row in connection.execute(_states(connection, subject, upto)):
                if groups is None or frozenset(rows.load(row.groups)) <= groups:
                    state = {"session_id": row.session_id, "at": row.updated_at, "state": rows.load(row.state)}
                    found.append({"type": "agent_session_state", **state})
            return found

        return await self._database.read(work)

    async def erase(self, subject: Subject, held: SubjectData, upto: float) -> int:
        """Delete the runs, also those that are running, and the states; how many."""

        def work(connection: sa.Connection) -> int:
            found = _runs(connection, subject, held, upto)
            store.delete_runs(connection, subject.tenant, [row.id for row in found])
            states = connection.execute(_states(connection, subject, upto)).all()
            for row in states:
                one = sa.and_(
                    run_sessions.c.tenant == row.tenant,
                    run_sessions.c.owner == row.owner,
                    run_sessions.c.session_id == row.session_id,
                )
                connection.execute(sa.delete(run_sessions).where(one))
            return len(found) + len(states)

        return await self._database.write(work, durable=True)

    async def forget(self, tenant: str, answers: Sequence[str]) -> None:
        """Delete the runs that gave these answers, or were about to: what tools found is in their steps."""

        def work(connection: sa.Connection) -> None:
            for part in parts(answers):
                traces = sa.select(events.c.trace_id).where(
                    events.c.tenant == tenant, events.c.subject.in_(part), events.c.trace_id != ""
                )
                mine = sa.select(runs.c.id).where(runs.c.tenant == tenant, runs.c.trace_id.in_(traces))
                store.delete_runs(connection, tenant, list(connection.execute(mine).scalars()))

        await self._database.write(work, durable=True)


def _exported(row: sa.Row[Any], taken: Sequence[steps.KeptStep]) -> Mapping[str, Any]:
    found = {"type": "agent_run", "id": row.id, "agent": row.agent, "at": row.created_at, "state": row.state}
    found |= {name: rows.load(getattr(row, name)) for name in ("request", "output", "metadata")}
    told = [
        {
            "step": each.path,
            "kind": each.kind,
            "name": each.name,
            "input": rows.load(each.input) if each.input else None,
            "outcome": rows.load(each.outcome),
        }
        for each in taken
    ]
    return {**found, "steps": told}


def _runs(connection: sa.Connection, subject: Subject, held: SubjectData, upto: float) -> list[sa.Row[Any]]:
    query = sa.select(runs).where(runs.c.tenant == subject.tenant, runs.c.created_at <= upto)
    conditions: list[sa.ColumnElement[bool]] = []
    match subject.kind:
        case "tenant":
            conditions = [sa.true()]
        case "key":
            conditions = [runs.c.owner.in_(owners(connection, subject))]
        case "user":
            conditions = [sa.and_(runs.c.person == subject.id, runs.c.person != "")]
        case "session":
            conditions = [sa.and_(runs.c.session_id == subject.id, runs.c.session_id != "")]
    traces = sorted({each.trace_id for each in held.answers.values() if each.trace_id})
    conditions += [runs.c.trace_id.in_(part) for part in parts(traces)]
    found: dict[str, sa.Row[Any]] = {}
    for condition in conditions:
        for row in connection.execute(query.where(condition)):
            found[row.id] = row
    return list(found.values())


def _states(connection: sa.Connection, subject: Subject, upto: float) -> sa.Select[Any]:
    query = sa.select(run_sessions).where(run_sessions.c.tenant == subject.tenant, run_sessions.c.updated_at <= upto)
    match subject.kind:
        case "tenant":
            return query
        case "key":
            return query.where(run_sessions.c.owner.in_(owners(connection, subject)))
        case "user":
            return query.where(run_sessions.c.person == subject.id, run_sessions.c.person != "")
        case _:
            return query.where(run_sessions.c.session_id == subject.id)


HOLDINGS = (AgentRuns,)
