"""The runs of agents: their rows, and the jobs by which one process at a time works on each.

A run is in one state with its job: a job waits while its run is ``queued``, is leased while it is ``running``, and is
over otherwise. Both move in one transaction. No card number is kept.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from pydantic import TypeAdapter

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.pages as pages
import mainspring.stores.sql.rows as rows
from mainspring.agents.runs import PREFIX, RUN
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound, QuotaExceeded
from mainspring.core.types import ChatRequest, Principal
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.tables import run_steps, runs
from mainspring.stores.schema import jobs as jobs_table
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice

QUEUED_KIND, ATTENDED_KIND = "agent_run", "agent_run_attended"
"""The kinds of jobs: of runs that any process takes up, and of those for whose answer somebody waits."""
State = Literal["queued", "running", "waiting", "paused", "interrupted", "completed", "failed", "cancelled"]
OPEN = ("queued", "running")
OVER = ("completed", "failed", "cancelled")
_REQUESTS: TypeAdapter[ChatRequest] = TypeAdapter(ChatRequest)


@dataclass(frozen=True, slots=True)
class Run:
    """A run without its steps; times are Unix seconds. ``request`` is what was asked, ``output`` the answer as JSON,
    ``error`` why it does not go on: an object with ``code`` and ``message``."""

    tenant: str
    id: str
    owner: str
    key_id: str
    groups: frozenset[str]
    scopes: frozenset[str]
    person: str
    session_id: str
    trace_id: str
    agent: str
    version: str
    state: State
    wanted: str
    request: ChatRequest
    output: Any
    error: Mapping[str, Any] | None
    events_sha256: str
    forked_from: str
    metadata: Mapping[str, str]
    attended: bool
    deadline: float | None
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class NewRun:
    """What a run is begun with. ``steps`` are rows of done steps that it begins with (of a fork)."""

    agent: str
    request: ChatRequest
    version: str = ""
    trace_id: str = ""
    deadline: float | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    forked_from: str = ""
    steps: tuple[Mapping[str, Any], ...] = ()


class Runs:
    """The runs of all tenants. A key sees its own; with the scope ``runs`` those of all keys with its groups."""

    def __init__(self, database: Database, settings: RunsSettings) -> None:
        self._database = database
        self._settings = settings

    async def create(self, principal: Principal, new: NewRun, lease: str = "") -> tuple[Run, Job]:
        """A new run, durable when it returns: running under ``lease``, or queued for any process if that is empty.
        Raises ``QuotaExceeded``."""
        run_id, now = ids.new(PREFIX), time.time()
        row: dict[str, Any] = {
            "tenant": principal.tenant,
            "id": run_id,
            "owner": principal.person,
            "key_id": principal.key_id,
        }
        row |= {"groups": rows.names(principal.groups), "scopes": rows.names(principal.scopes)}
        row |= {"agent": new.agent, "version": new.version, "trace_id": new.trace_id, "deadline": new.deadline}
        row |= {"person": new.request.user or "", "session_id": new.request.session_id or ""}
        row |= {"state": "running" if lease else "queued", "attended": bool(lease), "forked_from": new.forked_from}
        row |= {"request": request_json(new.request), "metadata": rows.dump(cards.scrubbed(dict(new.metadata)))}
        row |= {"created_at": now, "updated_at": now}

        def work(connection: sa.Connection) -> tuple[Run, Job]:
            if connection.execute(sa.select(runs.c.id).where(is_run(principal.tenant, run_id))).first():
                # Its id was planned, and a process that died since made it. It has its job.
                return one(connection, principal.tenant, run_id), Job(
                    principal.tenant, run_id, QUEUED_KIND, jobs.WAITING
                )
            mine = sa.and_(runs.c.tenant == principal.tenant, runs.c.state.in_(OPEN))
            if connection.execute(sa.select(sa.func.count()).where(mine)).scalar_one() >= self._settings.per_tenant:
                raise QuotaExceeded(
                    f"{self._settings.per_tenant} runs of this tenant are queued or running, the maximum",
                    remedy="Wait until some have ended, or cancel them",
                )
            connection.execute(sa.insert(runs).values(**row))
            if new.steps:
                owned = {"tenant": principal.tenant, "run_id": run_id}
                connection.execute(sa.insert(run_steps), [{**each, **owned} for each in new.steps])
            job = _queued(connection, principal.tenant, run_id, lease, self._settings.lease_s)
            return one(connection, principal.tenant, run_id), job

        return await self._database.write(work, durable=True)

    async def get(self, principal: Principal, run_id: str) -> Run:
        """Raises ``NotFound``."""
        return await self._database.read(lambda connection: visible_run(connection, principal, run_id))

    async def of(self, tenant: str, run_id: str) -> Run:
        """The run, for its worker. Raises ``NotFound``."""
        return await self._database.read(lambda connection: one(connection, tenant, run_id))

    async def page(
        self, principal: Principal, page: Page, *, state: str | None = None, agent: str | None = None
    ) -> Slice[Run]:
        """By age. Raises ``InvalidRequest`` for a cursor that is no run's id."""

        def work(connection: sa.Connection) -> Slice[sa.Row[Any]]:
            mine = runs.c.tenant == principal.tenant
            lists = connection.execute(sa.select(runs.c.groups).where(mine).distinct()).scalars()
            visible = [text for text in lists if frozenset(rows.load(text)) <= principal.groups]
            query = sa.select(runs).where(mine, runs.c.groups.in_(visible))
            if not _oversees(principal):
                query = query.where(runs.c.owner == principal.person)
            if state is not None:
                query = query.where(runs.c.state == state)
            if agent is not None:
                query = query.where(runs.c.agent == agent)
            return pages.read(connection, query, (runs.c.id,), page, pages.by_id(PREFIX))

        return (await self._database.read(work)).map(_run)

    async def take(self, principal: Principal, run_id: str, lease: str) -> tuple[Run, Job]:
        """Lease a run that stands still, for somebody who waits for its answer. Raises ``NotFound``; ``Conflict`` if
        it is over or runs elsewhere."""

        def work(connection: sa.Connection) -> tuple[Run, Job]:
            found = visible_run(connection, principal, run_id, lock=True)
            still(connection, found)
            if found.state in ("completed", "cancelled"):
                raise Conflict(f"{run_id} is {found.state}", remedy="Fork it, or begin another run", param="run")
            job = _queued(connection, found.tenant, run_id, lease, self._settings.lease_s)
            move(connection, found.tenant, run_id, state="running", attended=True, wanted="", error="null")
            return one(connection, found.tenant, run_id), job

        return await self._database.write(work, durable=True)

    async def begin(self, job: Job, version: str, trace_id: str) -> Run | None:
        """The run, which is running now; None if the lease is lost. ``version`` of its agent is that of its first
        begin."""

        def work(connection: sa.Connection) -> Run | None:
            if not jobs.lease_holds(connection, job):
                return None
            found = one(connection, job.tenant, job.id)
            begun = dataclasses.replace(found, state="running", version=found.version or version, trace_id=trace_id)
            move(connection, job.tenant, job.id, state="running", version=begun.version, trace_id=trace_id)
            return begun

        return await self._database.write(work)

    async def end(
        self,
        job: Job,
        state: State,
        *,
        output: Any = None,
        error: Mapping[str, Any] | None = None,
        events_sha256: str = "",
        also: Callable[[sa.Connection], None] = lambda _: None,
    ) -> bool:
        """The run stops in ``state``, and its job is over; whether the lease held. Effects that have begun and whose
        outcome is not recorded are unknown from now on; ``also`` is done before that."""
        kept = {"output": cards.scrub_json(rows.dump(output)), "error": cards.scrub_json(rows.dump(error))}

        def work(connection: sa.Connection) -> bool:
            if not jobs.lease_holds(connection, job):
                return False
            also(connection)
            move(connection, job.tenant, job.id, state=state, wanted="", events_sha256=events_sha256, **kept)
            doubt(connection, job.tenant, job.id)
            jobs.end(connection, job, jobs.FAILED if state == "failed" else jobs.DONE)
            return True

        return await self._database.write(work, durable=True)

    async def back(self, job: Job) -> None:
        """The process that works on the run ends: it is queued again, when its lease is released."""

        def work(connection: sa.Connection) -> None:
            if jobs.lease_holds(connection, job):
                move(connection, job.tenant, job.id, state="queued")

        await self._database.write(work)

    async def queue(self, principal: Principal, run_id: str, states: Collection[str]) -> Run:
        """Have any process go on with a run that stands still in one of ``states``. Raises ``NotFound`` and
        ``Conflict``."""

        def work(connection: sa.Connection) -> Run:
            found = visible_run(connection, principal, run_id, lock=True)
            still(connection, found)
            if found.state not in states:
                raise Conflict(f"{run_id} is {found.state} and cannot be resumed", remedy="Fork it", param="run_id")
            queue_again(connection, found.tenant, run_id)
            return one(connection, found.tenant, run_id)

        return await self._database.write(work, durable=True)

    async def want(self, principal: Principal, run_id: str, wanted: Literal["pause", "cancel"]) -> Run:
        """Pause or cancel a run: one that stands still at once, a running one as soon as its process hears of it.
        Raises ``NotFound``, ``Conflict`` for one that is over."""
        state: State = "paused" if wanted == "pause" else "cancelled"

        def work(connection: sa.Connection) -> Run:
            found = visible_run(connection, principal, run_id, lock=True)
            if found.state in ("completed", "cancelled") or (found.state == "failed" and wanted == "pause"):
                raise Conflict(f"{run_id} is {found.state} already", param="run_id")
            if leased(connection, found):
                connection.execute(sa.update(jobs_table).where(_job(found.tenant, run_id)).values(cancelled=True))
                move(connection, found.tenant, run_id, wanted=wanted)
            else:
                stop(connection, found, state, error=None if wanted == "cancel" else found.error)
            return one(connection, found.tenant, run_id)

        return await self._database.write(work, durable=True)


def visible_run(connection: sa.Connection, principal: Principal, run_id: str, *, lock: bool = False) -> Run:
    """The run if ``principal`` may see it, locked until the transaction ends if that is asked. Raises ``NotFound``."""
    query = sa.select(runs).where(is_run(principal.tenant, run_id))
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    found = None if row is None else _run(row)
    mine = found is not None and (found.owner == principal.person or _oversees(principal))
    if found is None or not mine or not found.groups <= principal.groups:
        raise NotFound(f"there is no run {run_id!r}", remedy="GET /v1/agents/runs lists them", param="run_id")
    return found


def still(connection: sa.Connection, run: Run) -> None:
    """Raises ``Conflict`` if a process works on the run, or will."""
    if run.state == "queued" or leased(connection, run):
        raise Conflict(f"{run.id} is {run.state} already", remedy="Cancel or pause it first", param="run_id")


def leased(connection: sa.Connection, run: Run) -> bool:
    """Whether a living process works on the run."""
    held = sa.select(jobs_table.c.id).where(
        _job(run.tenant, run.id), jobs_table.c.state == jobs.RUNNING, jobs_table.c.lease_until >= time.time()
    )
    return run.state == "running" and connection.execute(held).first() is not None


def stop(connection: sa.Connection, run: Run, state: State, *, error: Mapping[str, Any] | None = None) -> None:
    """The run, on which no process works, stands still in ``state``."""
    done = {"state": jobs.DONE, "owner": "", "lease_until": None}
    connection.execute(sa.update(jobs_table).where(_job(run.tenant, run.id)).values(**done))
    move(connection, run.tenant, run.id, state=state, wanted="", error=rows.dump(error))
    doubt(connection, run.tenant, run.id)


def queue_again(connection: sa.Connection, tenant: str, run_id: str) -> None:
    """Queue a run that stands still, for any process."""
    _queued(connection, tenant, run_id, "", 0.0)
    move(connection, tenant, run_id, state="queued", attended=False, wanted="", error="null")


def move(connection: sa.Connection, tenant: str, run_id: str, **values: Any) -> None:
    """Change columns of a run."""
    connection.execute(sa.update(runs).where(is_run(tenant, run_id)).values(updated_at=time.time(), **values))


def doubt(connection: sa.Connection, tenant: str, run_id: str) -> None:
    """Of effects that have begun, and may not be repeated, nobody knows the outcome."""
    begun = sa.and_(
        run_steps.c.tenant == tenant,
        run_steps.c.run_id == run_id,
        run_steps.c.state == "begun",
        run_steps.c.effect == "unkeyed",
    )
    connection.execute(sa.update(run_steps).where(begun).values(state="unknown"))


def delete_runs(connection: sa.Connection, tenant: str, run_ids: Collection[str]) -> None:
    """Delete runs with their steps and jobs."""
    for run_id in run_ids:
        steps = sa.and_(run_steps.c.tenant == tenant, run_steps.c.run_id == run_id)
        connection.execute(sa.delete(run_steps).where(steps))
        connection.execute(sa.delete(runs).where(is_run(tenant, run_id)))
        connection.execute(sa.delete(jobs_table).where(_job(tenant, run_id)))


def _queued(connection: sa.Connection, tenant: str, run_id: str, lease: str, lease_s: float) -> Job:
    """The run's job anew: leased to ``lease``, or waiting if that is empty."""
    connection.execute(sa.delete(jobs_table).where(_job(tenant, run_id)))
    jobs.insert(connection, tenant, run_id, ATTENDED_KIND if lease else QUEUED_KIND, {})
    if lease:
        values = {"state": jobs.RUNNING, "owner": lease, "lease_until": time.time() + lease_s, "attempts": 1}
        connection.execute(sa.update(jobs_table).where(_job(tenant, run_id)).values(**values))
    kind = ATTENDED_KIND if lease else QUEUED_KIND
    return Job(tenant, run_id, kind, jobs.RUNNING if lease else jobs.WAITING, owner=lease)


def _oversees(principal: Principal) -> bool:
    return "runs" in principal.scopes or "admin" in principal.scopes


def one(connection: sa.Connection, tenant: str, run_id: str) -> Run:
    """The run. Raises ``NotFound``."""
    row = connection.execute(sa.select(runs).where(is_run(tenant, run_id))).one_or_none()
    if row is None:
        raise NotFound(f"there is no run {run_id!r}", remedy="GET /v1/agents/runs lists them", param="run_id")
    return _run(row)


def is_run(tenant: str, run_id: str) -> sa.ColumnElement[bool]:
    """The row of a run."""
    return sa.and_(runs.c.tenant == tenant, runs.c.id == run_id)


def _job(tenant: str, run_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(jobs_table.c.tenant == tenant, jobs_table.c.id == run_id)


def request_json(request: ChatRequest) -> str:
    """A request as JSON. Of one that continues a session only what it adds stays: the rest is the session's."""
    return cards.scrub_json(rows.dump(_REQUESTS.dump_python(request, mode="json")))


def _run(row: sa.Row[Any]) -> Run:
    fields = dict(row._mapping)
    for name in ("groups", "scopes"):
        fields[name] = frozenset(rows.load(fields[name]))
    fields |= {name: rows.load(fields[name]) for name in ("output", "error", "metadata")}
    return Run(**{**fields, "request": _REQUESTS.validate_json(fields["request"])})


def request_to_go_on(run: Run) -> ChatRequest:
    """The request by which the agent of a run is asked to go on with it."""
    return dataclasses.replace(run.request, model=run.agent, options={**run.request.options, RUN: run.id})
