"""The steps of runs: what was intended, and what came of it. Everything is written under the lease of the run's job."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa

import mainspring.stores.events.log as events
import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.agents.errors import Cancelled
from mainspring.agents.history import Step
from mainspring.core import cards
from mainspring.core.types import EventRecord
from mainspring.features.runs.tables import run_steps
from mainspring.stores.sql.database import Database
from mainspring.stores.sql.jobs import Job

StepState = Literal["begun", "asked", "unknown", "done"]


@dataclass(frozen=True, slots=True)
class KeptStep:
    """A step as it is recorded. ``number`` orders the done ones by their ends (None: not done). ``input`` (empty: too
    long to be kept) and ``outcome`` are JSON texts; times are Unix seconds."""

    path: str
    number: int | None
    kind: str
    name: str
    effect: str
    state: StepState
    digest: str
    input: str
    outcome: str
    approval_id: str
    decided_by: str
    attempts: int
    began_at: float
    ended_at: float | None

    def row(self) -> dict[str, Any]:
        """Its columns, without those of its run."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


Change = tuple[KeptStep, bool]
"""A step to be written, and whether it has a row already."""


class RunSteps:
    """The steps of all runs."""

    def __init__(self, database: Database, max_input: int = 16_384) -> None:
        self._database = database
        self._max_input = max_input

    async def all(self, tenant: str, run_id: str) -> dict[str, KeptStep]:
        """The steps of a run by their paths, in the order of their ends; those that are not done are last."""
        return await self._database.read(lambda connection: read(connection, tenant, run_id))

    async def behind(self, tenant: str, run_id: str, after: int) -> list[KeptStep]:
        """The steps that are done and have higher numbers than ``after``, in the order of their ends."""
        found = await self._database.read(lambda connection: read(connection, tenant, run_id, after, done=True))
        return list(found.values())

    def new(self, step: Step, state: StepState) -> KeptStep:
        """The row of a step that was not reached before. ``step`` is free of card numbers."""
        text = rows.dump(step.input)
        return KeptStep(
            path=step.path,
            number=None,
            kind=step.kind,
            name=step.name,
            effect=step.effect,
            state=state,
            digest=step.digest,
            input=text if len(text) <= self._max_input else "",
            outcome="null",
            approval_id="",
            decided_by="",
            attempts=1,
            began_at=time.time(),
            ended_at=None,
        )

    async def write(
        self, job: Job, changes: Sequence[Change], *, durable: bool | None = True, facts: Sequence[EventRecord] = ()
    ) -> None:
        """Write steps in one transaction, with the ``facts`` of what was done for them. Raises ``Cancelled`` if the
        lease is lost."""

        def work(connection: sa.Connection) -> None:
            if not jobs.lease_holds(connection, job):
                raise Cancelled(f"another process has taken over {job.id}")
            write_steps(connection, job, changes, facts)

        await self._database.write(work, durable=durable)


def write_steps(
    connection: sa.Connection, job: Job, changes: Sequence[Change], facts: Sequence[EventRecord] = ()
) -> None:
    """``RunSteps.write`` within a transaction that holds the lease."""
    own = {"tenant": job.tenant, "run_id": job.id}
    if new := [{**own, **step.row()} for step, known in changes if not known]:
        connection.execute(_INSERT, new)
    places = {"of_tenant": job.tenant, "of_run": job.id}
    if old := [{**places, "at_path": step.path, **step.row()} for step, known in changes if known]:
        connection.execute(_UPDATE, old)
    if facts:
        events.insert(connection, *facts)


# Made once: every step of every run comes here.
_INSERT = sa.insert(run_steps)
_UPDATE = sa.update(run_steps).where(
    run_steps.c.tenant == sa.bindparam("of_tenant"),
    run_steps.c.run_id == sa.bindparam("of_run"),
    run_steps.c.path == sa.bindparam("at_path"),
)


def read(
    connection: sa.Connection, tenant: str, run_id: str, after: int = 0, *, done: bool = False
) -> dict[str, KeptStep]:
    """The steps of a run by their paths, or those that are ``done`` behind the one numbered ``after``, in the order of
    their ends; those that are not done are last."""
    query = sa.select(run_steps).where(of(tenant, run_id))
    if done:
        query = query.where(run_steps.c.number > after)
    names = KeptStep.__dataclass_fields__
    found = [KeptStep(**{name: row._mapping[name] for name in names}) for row in connection.execute(query)]
    found.sort(key=lambda step: (step.number is None, step.number or 0, step.began_at))
    return {step.path: step for step in found}


def of(tenant: str, run_id: str) -> sa.ColumnElement[bool]:
    """The rows of a run's steps."""
    return sa.and_(run_steps.c.tenant == tenant, run_steps.c.run_id == run_id)


def clean(step: Step) -> Step:
    """``step`` with an input as it is read again later: without card numbers."""
    text = rows.dump(step.input)
    scrubbed = cards.scrub_json(text)
    return step if scrubbed == text else replace(step, input=rows.load(scrubbed))


def outcome_text(value: Any) -> str:
    """An outcome as it is kept."""
    return cards.scrub_json(rows.dump(value))


def forked(steps: Mapping[str, KeptStep], upto: int, edited: KeptStep | None = None) -> tuple[dict[str, Any], ...]:
    """The rows of the done steps with numbers up to ``upto``, and ``edited`` after them.

    An approval comes along only with the call that it was given for: a call that is made anew is asked for anew.
    """
    kept = [each for each in steps.values() if each.number is not None and each.number <= upto]
    kept += [replace(edited, number=upto + 1)] if edited is not None else []
    calls = Counter(_call(each) for each in kept if each.kind == "tool")
    granted = Counter(_call(each) for each in kept if _granted(each))
    # Of equal calls nobody knows which approval was whose: if one is not made yet, all are asked for.
    return tuple(each.row() for each in kept if not _granted(each) or granted[_call(each)] <= calls[_call(each)])


def _granted(step: KeptStep) -> bool:
    if step.kind != "approval":
        return False
    found = rows.load(step.outcome)
    return isinstance(found, dict) and found.get("decision") == "approved"


def _call(step: KeptStep) -> tuple[str, str]:
    """The tool and its arguments. Those of an input that was too long to be kept equal no others."""
    found = rows.load(step.input) if step.input else None
    return step.name, rows.dump(found.get("arguments")) if isinstance(found, dict) else step.path
