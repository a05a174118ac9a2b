"""What people decide about runs: what became of an effect that nobody knows of, that a run goes on, or is deleted."""

from __future__ import annotations

import time
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.core import cards
from mainspring.core.errors import Conflict, NotFound
from mainspring.core.types import Context, Principal, TraceParent
from mainspring.features.runs.store import runs as store
from mainspring.features.runs.store.runs import Run
from mainspring.features.runs.store.steps import KeptStep, of, read
from mainspring.features.runs.tables import run_steps
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import Actor, HashedText
from mainspring.stores.schema import approvals

Decision = Literal["happened", "not_happened", "give_up"]
RESUMABLE = ("waiting", "paused", "interrupted", "failed", "running")
"""Running ones whose process is dead among them."""


async def decide(
    stores: Stores,
    principal: Principal,
    run_id: str,
    path: str,
    decision: Decision,
    *,
    result: Any = None,
    note: str = "",
    trace: TraceParent | None = None,
) -> Run:
    """Say what became of the effect of a step: it ``happened`` with ``result`` (a JSON value, what the tool would have
    said), it did not and is performed again, or nobody finds out and the run is cancelled. The run goes on by itself
    once nothing of it is open. Raises ``NotFound``; ``Conflict`` if the step's outcome is known, or the run runs."""

    def work(connection: sa.Connection) -> Run:
        run = store.visible_run(connection, principal, run_id, lock=True)
        store.still(connection, run)
        step = read(connection, run.tenant, run_id).get(path)
        if step is None:
            raise NotFound(f"{run_id} has no step {path!r}", remedy="GET /v1/agents/runs/{id} shows them", param="step")
        if step.effect != "unkeyed" or step.state not in ("begun", "unknown") or run.state in store.OVER:
            raise Conflict(f"the outcome of the step {path} of {run_id} is not open", param="step")
        one = sa.and_(of(run.tenant, run_id), run_steps.c.path == path)
        match decision:
            case "happened":
                values = {"state": "done", "outcome": _outcome(step, result), "number": _next(connection, run)}
                values |= {"decided_by": principal.key_id, "ended_at": time.time()}
                connection.execute(sa.update(run_steps).where(one).values(**values))
            case "not_happened":
                connection.execute(sa.delete(run_steps).where(one))
            case "give_up":
                error = {"code": "given_up", "message": f"nobody knows the outcome of the step {path}", "step": path}
                store.move(connection, run.tenant, run_id, state="cancelled", error=rows.dump(error))
        trace_id = "" if trace is None else trace.trace_id
        details = {"step": path, "tool": step.name, "decision": decision, "note": HashedText(note)}
        by = Actor(principal.key_id, trace_id)
        stores.audit.append(connection, run.tenant, "run.decided", by, object=run_id, details=details)
        if decision != "give_up" and not open_steps(connection, run):
            store.queue_again(connection, run.tenant, run_id)
        return store.visible_run(connection, principal, run_id)

    return await stores.database.write(work, durable=True)


async def resume(stores: Stores, principal: Principal, run_id: str) -> Run:
    """Have a run that stands still go on. Raises ``NotFound``, ``Conflict`` if it is over or waits for a person."""

    def work(connection: sa.Connection) -> Run:
        run = store.visible_run(connection, principal, run_id, lock=True)
        store.still(connection, run)
        if run.state not in RESUMABLE:
            raise Conflict(f"{run_id} is {run.state} and cannot be resumed", remedy="Fork it", param="run_id")
        if found := open_steps(connection, run):
            step = found[0]
            what = f"approve or deny {step.approval_id}" if step.approval_id else "decide what became of it"
            raise Conflict(f"{step.name} (step {step.path}) waits for a person", remedy=f"First {what}", param="run_id")
        store.queue_again(connection, run.tenant, run_id)
        return store.visible_run(connection, principal, run_id)

    return await stores.database.write(work, durable=True)


async def delete(stores: Stores, principal: Principal, run_id: str, *, trace: TraceParent | None = None) -> None:
    """Delete the record of a run with its steps; who did stands in the audit log. Raises ``NotFound``, and ``Conflict``
    if a process works on it or it waits for a person: what it has begun would be known to nobody."""

    def work(connection: sa.Connection) -> None:
        run = store.visible_run(connection, principal, run_id, lock=True)
        store.still(connection, run)
        if run.state == "waiting":
            raise Conflict(
                f"{run_id} waits for a person", remedy="Decide its waiting approvals, or cancel it", param="run_id"
            )
        store.delete_runs(connection, run.tenant, [run_id])
        by = Actor(principal.key_id, "" if trace is None else trace.trace_id)
        details = {"agent": run.agent, "state": run.state}
        stores.audit.append(connection, run.tenant, "run.deleted", by, object=run_id, details=details)

    await stores.database.write(work, durable=True)


def open_steps(connection: sa.Connection, run: Run) -> list[KeptStep]:
    """The steps without which the run cannot go on: approvals that nobody has decided, and effects whose outcome is
    unknown."""
    waiting: list[KeptStep] = []
    for step in read(connection, run.tenant, run.id).values():
        if step.effect == "unkeyed" and step.kind != "approval" and step.state in ("begun", "unknown"):
            waiting.append(step)
        elif step.state == "asked":
            pending = sa.select(approvals.c.id).where(
                approvals.c.tenant == run.tenant,
                approvals.c.id == step.approval_id,
                approvals.c.status == "pending",
                approvals.c.expires_at > time.time(),
            )
            if connection.execute(pending).first() is not None:
                waiting.append(step)
    return waiting


def _outcome(step: KeptStep, result: Any) -> str:
    found = {"output": result} if step.kind == "tool" else result
    return cards.scrub_json(rows.dump(found))


def _next(connection: sa.Connection, run: Run) -> int:
    newest = sa.select(sa.func.max(run_steps.c.number)).where(of(run.tenant, run.id))
    return (connection.execute(newest).scalar_one() or 0) + 1


__all__ = ["Context", "Decision", "decide", "delete", "open_steps", "resume"]
