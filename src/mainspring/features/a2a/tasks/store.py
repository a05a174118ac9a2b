"""The tasks of all tenants: each belongs to the key that made it, and for anybody else it does not exist.

Each message to a task is a turn, and each turn a job (``stores.sql.jobs``): a process that dies leaves it to another.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core.errors import NotFound, RateLimited
from mainspring.core.types import Principal
from mainspring.features.a2a import shapes
from mainspring.features.a2a.shapes import Json
from mainspring.features.a2a.tables import a2a_notifications as notifications
from mainspring.features.a2a.tables import a2a_tasks as tasks
from mainspring.features.a2a.tables import a2a_webhooks as webhooks
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql import ids, jobs
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job

KIND = "a2a"
_OPEN = (shapes.SUBMITTED, shapes.WORKING)


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A task as it was read. ``options`` are what the caller asked for beside the message; ``turn`` counts messages."""

    tenant: str
    owner: str
    key_id: str
    groups: frozenset[str]
    scopes: frozenset[str]
    agent: str
    person: str
    trace_id: str
    options: Mapping[str, Any]
    task: Json
    turn: int
    version: int
    status_at: float

    @property
    def id(self) -> str:
        return str(self.task["id"])

    @property
    def state(self) -> str:
        return str(self.task["status"]["state"])

    @property
    def job_id(self) -> str:
        """The job of the present turn."""
        return f"{self.id}.{self.turn}"


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks a list shows. ``after`` is the status time (Unix seconds) and id of the last one of the page before;
    ``since`` the earliest status time."""

    agent: str = ""
    context_id: str = ""
    state: str = ""
    since: float | None = None
    after: tuple[float, str] | None = None
    limit: int = 50


class TaskStore:
    """The tasks, their turns' jobs and their webhooks."""

    def __init__(self, database: Database, per_tenant: int) -> None:
        self._database = database
        self._per_tenant = per_tenant

    async def check_room(self, principal: Principal) -> None:
        """Raises ``RateLimited`` if too many tasks of the tenant are in progress."""
        await self._database.read(lambda connection: self._check_room(connection, principal.tenant))

    async def create(
        self, principal: Principal, agent: str, task: Json, *, options: Json, person: str, trace_id: str
    ) -> StoredTask:
        """A new task whose last message is to be answered; durable when it returns. Raises ``RateLimited``."""
        at = shapes.at(task)
        row = {"tenant": principal.tenant, "id": task["id"], "owner": principal.person, "key_id": principal.key_id}
        row |= {"groups": rows.names(principal.groups), "scopes": rows.names(principal.scopes), "agent": agent}
        row |= {"context_id": task["contextId"], "state": task["status"]["state"], "person": person}
        row |= {"trace_id": trace_id, "options": rows.dump(options), "task": rows.dump(task), "turn": 1, "version": 1}

        def work(connection: sa.Connection) -> StoredTask:
            self._check_room(connection, principal.tenant)
            connection.execute(sa.insert(tasks).values(**row, created_at=at, status_at=at))
            jobs.insert(connection, principal.tenant, f"{task['id']}.1", KIND, {"task": task["id"]})
            return _stored(connection.execute(_one(principal.tenant, task["id"])).one())

        return await self._database.write(work, durable=True)

    async def proceed(self, found: StoredTask, task: Json, *, options: Json, trace_id: str) -> StoredTask | None:
        """Work on a task again after one more message; None if somebody else did meanwhile."""
        values = {"task": rows.dump(task), "state": task["status"]["state"], "options": rows.dump(options)}
        values |= {"trace_id": trace_id}

        def work(connection: sa.Connection) -> StoredTask | None:
            self._check_room(connection, found.tenant)
            mine = sa.update(tasks).where(_is(found.tenant, found.id), tasks.c.version == found.version)
            changed = mine.values(**values, turn=found.turn + 1, version=found.version + 1, status_at=shapes.at(task))
            if not connection.execute(changed).rowcount:
                return None
            job_id = f"{found.id}.{found.turn + 1}"
            jobs.insert(connection, found.tenant, job_id, KIND, {"task": found.id})
            return _stored(connection.execute(_one(found.tenant, found.id)).one())

        return await self._database.write(work, durable=True)

    async def find(self, principal: Principal, task_id: str, agent: str = "") -> StoredTask:
        """The task if it is this caller's. Raises ``NotFound``."""
        row = await self._row(principal.tenant, task_id)
        if row is None or not _owns(principal, row) or (agent and row.agent != agent):
            raise NotFound(f"there is no task {task_id!r}", param="id")
        return _stored(row)

    async def load(self, tenant: str, task_id: str) -> StoredTask | None:
        """The task, whosever it is: for those who work on it."""
        row = await self._row(tenant, task_id)
        return None if row is None else _stored(row)

    async def page(self, principal: Principal, wanted: TaskFilter) -> tuple[list[StoredTask], int]:
        """A page of the caller's tasks, the latest status first, and how many there are in all."""
        mine = [tasks.c.tenant == principal.tenant, tasks.c.owner == principal.person]
        mine += [tasks.c.agent == wanted.agent] if wanted.agent else []
        mine += [tasks.c.context_id == wanted.context_id] if wanted.context_id else []
        mine += [tasks.c.state == wanted.state] if wanted.state else []
        mine += [tasks.c.status_at >= wanted.since] if wanted.since is not None else []
        query = sa.select(tasks).where(*mine).order_by(tasks.c.status_at.desc(), tasks.c.id.desc())
        if wanted.after is not None:
            at, last = wanted.after
            query = query.where(
                sa.or_(tasks.c.status_at < at, sa.and_(tasks.c.status_at == at, tasks.c.id < last)),
            )

        def work(connection: sa.Connection) -> tuple[list[StoredTask], int]:
            found = [row for row in connection.execute(query.limit(wanted.limit)) if _owns(principal, row)]
            total = connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one()
            return [_stored(row) for row in found], total

        return await self._database.read(work)

    async def save(
        self,
        found: StoredTask,
        task: Json,
        job: Job,
        *,
        answer_id: str = "",
        run: str = "",
        notices: Sequence[Json] = (),
    ) -> bool:
        """Keep ``task`` as this turn left it, with ``notices`` for its webhooks; false if it was cancelled or another
        process works on it now. ``run`` is the agent's run, which goes on after a crash or an approval."""
        values = _changed(task)

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, job):
                return False
            mine = sa.and_(_is(found.tenant, found.id), tasks.c.turn == found.turn, tasks.c.state.in_(_OPEN))
            row = connection.execute(sa.select(tasks.c.answers).where(mine)).first()
            if row is None:
                return False
            known = rows.load(row.answers)
            answers = rows.dump([*known, answer_id] if answer_id and answer_id not in known else known)
            options = rows.dump({**found.options, **({"run": run} if run else {})})
            connection.execute(sa.update(tasks).where(mine).values(**values, answers=answers, options=options))
            _notify(connection, found.tenant, found.id, notices)
            if task["status"]["state"] in shapes.SETTLED:
                jobs.end(connection, job, jobs.DONE)
            return True

        return await self._database.write(work, durable=task["status"]["state"] in shapes.SETTLED or bool(notices))

    async def cancel(self, found: StoredTask, task: Json, notices: Sequence[Json]) -> bool:
        """Keep ``task`` as cancelled and ask the process that works on it to stop; false if it was over by then."""

        def work(connection: sa.Connection) -> bool:
            mine = sa.and_(_is(found.tenant, found.id), tasks.c.state.not_in(shapes.TERMINAL))
            if not connection.execute(sa.update(tasks).where(mine).values(**_changed(task))).rowcount:
                return False
            job = sa.and_(jobs_table.c.tenant == found.tenant, jobs_table.c.id == found.job_id)
            left = sa.and_(job, jobs_table.c.state.not_in(jobs.OVER))
            connection.execute(sa.update(jobs_table).where(left).values(cancelled=True))
            _notify(connection, found.tenant, found.id, notices)
            return True

        return await self._database.write(work, durable=True)

    async def delete(self, found: StoredTask, job: Job) -> None:
        """Forget a task whose answer was no task but a message."""

        def work(connection: sa.Connection) -> None:
            delete_tasks(connection, found.tenant, [found.id])
            if jobs.lease_holds(connection, job):
                jobs.end(connection, job, jobs.DONE)

        await self._database.write(work, durable=True)

    async def expire(self, days: float) -> int:
        """Delete tasks that ended ``days`` ago, with their webhooks; how many."""
        over = tasks.c.status_at < time.time() - days * 86_400
        query = sa.select(tasks.c.tenant, tasks.c.id).where(over, tasks.c.state.not_in(_OPEN)).limit(200)

        def work(connection: sa.Connection) -> int:
            found = connection.execute(query).all()
            for row in found:
                delete_tasks(connection, row.tenant, [row.id])
            return len(found)

        total = 0
        while count := await self._database.write(work, durable=True):
            total += count
        return total

    def _check_room(self, connection: sa.Connection, tenant: str) -> None:
        mine = sa.select(sa.func.count()).where(tasks.c.tenant == tenant, tasks.c.state.in_(_OPEN))
        if connection.execute(mine).scalar_one() >= self._per_tenant:
            raise RateLimited(
                f"{self._per_tenant} tasks of this tenant are in progress, and it may have no more",
                remedy="Wait for one of them, or cancel it",
                retry_after=5.0,
            )

    async def _row(self, tenant: str, task_id: str) -> sa.Row[Any] | None:
        query = _one(tenant, task_id)
        return await self._database.read(lambda connection: connection.execute(query).one_or_none())


def delete_tasks(connection: sa.Connection, tenant: str, task_ids: Sequence[str]) -> None:
    """Delete tasks with all that belongs to them."""
    for table, column in (
        (tasks, tasks.c.id),
        (webhooks, webhooks.c.task_id),
        (notifications, notifications.c.task_id),
    ):
        connection.execute(sa.delete(table).where(table.c.tenant == tenant, column.in_(task_ids)))


def _notify(connection: sa.Connection, tenant: str, task_id: str, notices: Sequence[Json]) -> None:
    """Queue ``notices`` for each webhook of the task."""
    if not notices:
        return
    now = time.time()
    mine = sa.select(webhooks.c.id).where(webhooks.c.tenant == tenant, webhooks.c.task_id == task_id)
    waiting = [
        {"tenant": tenant, "id": ids.new("note_"), "task_id": task_id, "webhook_id": webhook_id}
        | {"body": rows.dump(notice), "attempts": 0, "next_at": now, "created_at": now}
        for webhook_id in connection.execute(mine).scalars()
        for notice in notices
    ]
    if waiting:
        connection.execute(sa.insert(notifications), waiting)


def _changed(task: Json) -> dict[str, Any]:
    state, at = task["status"]["state"], shapes.at(task)
    return {"task": rows.dump(task), "state": state, "status_at": at, "version": tasks.c.version + 1}


def _owns(principal: Principal, row: sa.Row[Any]) -> bool:
    """Whether the task is the caller's, who still has the groups with which it was made."""
    return bool(row.owner == principal.person) and frozenset(rows.load(row.groups)) <= principal.groups


def _one(tenant: str, task_id: str) -> sa.Select[Any]:
    return sa.select(tasks).where(_is(tenant, task_id))


def _is(tenant: str, task_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(tasks.c.tenant == tenant, tasks.c.id == task_id)


def _stored(row: sa.Row[Any]) -> StoredTask:
    return StoredTask(
        tenant=row.tenant,
        owner=row.owner,
        key_id=row.key_id,
        groups=frozenset(rows.load(row.groups)),
        scopes=frozenset(rows.load(row.scopes)),
        agent=row.agent,
        person=row.person,
        trace_id=row.trace_id,
        options=rows.load(row.options),
        task=rows.load(row.task),
        turn=row.turn,
        version=row.version,
        status_at=row.status_at,
    )
