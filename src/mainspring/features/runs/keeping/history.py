"""The histories of runs: one that performs and records steps under the lease of a run, and one that only replays."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

import mainspring.stores.sql.jobs as jobs
import mainspring.stores.sql.rows as rows
from mainspring.agents.errors import Cancelled, Diverged, Paused, Stopped, Waiting
from mainspring.agents.history import Perform, Step
from mainspring.core.errors import Conflict, DeadlineExceeded, MainspringError, TooLarge
from mainspring.core.types import Context, EventRecord, ToolCall
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store import steps as step_store
from mainspring.features.runs.store.steps import Change, KeptStep, RunSteps
from mainspring.stores.sql.jobs import Job
from mainspring.stores.work.approvals import Approval, Approvals

T = TypeVar("T")
Wish = Literal["", "pause", "cancel", "late", "lost"]
"""What a running run should do: go on, stop before its next step, or stop at once: because somebody cancelled it, its
deadline has passed, or its lease is lost."""
BEHIND_S = 0.02
"""How long an outcome may wait to be written together with the next one, in seconds."""
_AT_ONCE = ("cancel", "late", "lost")


class Signal:
    """How a running run stops. A model call in flight is broken off; a tool with an effect ends first."""

    def __init__(self) -> None:
        self.wish: Wish = ""
        self._breakable: set[asyncio.Future[Any]] = set()

    def stop(self, wish: Wish) -> None:
        """Stop; a pause never weakens a cancellation."""
        if self.wish in _AT_ONCE:
            return
        self.wish = wish
        if wish in _AT_ONCE:
            for each in tuple(self._breakable):
                each.cancel()

    def check(self) -> None:
        """Raises ``Stopped``, or ``DeadlineExceeded``, if the run should stop."""
        match self.wish:
            case "pause":
                raise Paused("the run is paused", remedy="Resume it to have it go on")
            case "cancel":
                raise Cancelled("the run is cancelled")
            case "late":
                raise DeadlineExceeded(
                    "the run's deadline has passed", remedy="Start another run with a later deadline"
                )
            case "lost":
                raise Cancelled("another process has taken the run over")
            case _:
                return

    async def breakable(self, work: Awaitable[T]) -> T:
        """The result of ``work``, which a cancellation of the run breaks off."""
        task = asyncio.ensure_future(work)
        self._breakable.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if not task.done():
                # The caller is cancelled, not the run.
                task.cancel()
                await asyncio.wait([task])
                raise
            self.check()
            raise
        finally:
            self._breakable.discard(task)


class _NotKnown(Exception):
    """The tool itself does not know."""


class RecordedHistory:
    """The recorded steps of a run, and nothing beyond them: for replays."""

    def __init__(self, run_id: str, version: str, now: str, steps: Mapping[str, KeptStep]) -> None:
        self.run_id = self.origin = run_id
        self.reached: set[str] = set()
        self._versions = version, now
        self._steps = steps

    async def outcome(self, step: Step, perform: Perform) -> Any:  # noqa: ARG002
        step = step_store.clean(step)
        self.reached.add(step.path)
        found = self._steps.get(step.path)
        if found is not None:
            _check_same(self.run_id, found, step, self._versions)
        if found is None or found.state != "done":
            raise Waiting(f"the step {step.path} of {self.run_id} has no outcome: the recording ends", step=step.path)
        return rows.load(found.outcome)


class DurableHistory:
    """The history of a run whose lease this process holds.

    An effect is written down before it is performed and its outcome afterwards, each in one transaction. Outcomes of
    steps without effects are written at the latest before the next effect or model call, and after ``BEHIND_S``
    otherwise: so at most one model call is made again, and a turn takes one transaction. Writing fails once the lease
    is lost, so that another process that has taken the run over is not disturbed.
    """

    def __init__(
        self,
        job: Job,
        kept: Mapping[str, KeptStep],
        steps: RunSteps,
        approvals: Approvals,
        context: Context,
        settings: RunsSettings,
        *,
        agent: str = "",
        versions: tuple[str, str] = ("", ""),
        told: Callable[[], None] = lambda: None,
        heard: Callable[[Sequence[EventRecord]], None] = lambda _: None,
    ) -> None:
        """``told`` is called when a step is done, ``heard`` with the facts that were written with it."""
        self.run_id = self.origin = job.id
        self.signal = Signal()
        self._told = told
        self._heard = heard
        self._job = job
        self._kept = dict(kept)
        self._steps = steps
        self._approvals = approvals
        self._context = context
        self._settings = settings
        self._agent = agent
        self._versions = versions
        self._number = max((each.number or 0 for each in kept.values()), default=0)
        self._reached: set[str] = set()
        self._behind: list[Change] = []
        self._writing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        """The number of the latest step that is done."""
        return self._number

    async def outcome(self, step: Step, perform: Perform) -> Any:
        step = step_store.clean(step)
        if step.path in self._reached:
            raise Conflict(f"two steps of {self.run_id} have the path {step.path}: its agent is not deterministic")
        self._reached.add(step.path)
        found = self._kept.get(step.path)
        if found is not None:
            _check_same(self.run_id, found, step, self._versions)
            if found.state == "done":
                return rows.load(found.outcome)
        if found is None and len(self._kept) >= self._settings.max_steps:
            raise TooLarge(f"a run may have at most {self._settings.max_steps} steps", remedy="Raise runs.max_steps")
        self.signal.check()
        if step.kind == "approval":
            return await self._approval(step, found)
        if found is not None and found.effect == "unkeyed":
            await self._doubt(found)
            raise _unknown(step)
        if step.effect == "none":
            if step.kind == "model":
                # At most this call is paid again.
                await self.flush()
            begun = found or self._steps.new(step, "begun")
            outcome = await self.signal.breakable(perform(step.key(self.run_id)))
            return await self._done(begun, outcome, known=found is not None)
        return await self._effect(step, found, perform)

    async def _effect(self, step: Step, found: KeptStep | None, perform: Perform) -> Any:
        """Perform a step with an effect: it goes on to its end, for a while, if the run is stopped meanwhile."""
        begun = self._steps.new(step, "begun")
        if found is not None:
            begun = dataclasses.replace(found, attempts=found.attempts + 1)
        self._kept[step.path] = begun
        self._behind.append((begun, found is not None))
        await self.flush(durable=True)
        work = asyncio.ensure_future(self._performed(step, begun, perform))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            if not work.done():
                await asyncio.wait([work], timeout=self._settings.finish_s)
                work.cancel()
                await asyncio.wait([work])
            if not work.cancelled():
                # Its failure is known to nobody else.
                work.exception()
            raise

    async def _performed(self, step: Step, begun: KeptStep, perform: Perform) -> Any:
        try:
            outcome = await perform(step.key(self.run_id))
            if step.effect == "unkeyed" and isinstance(outcome, dict) and outcome.get("unknown"):
                raise _NotKnown
        except Stopped:
            raise
        except Exception as error:
            if step.effect != "unkeyed":
                raise
            await self._doubt(begun)
            raise _unknown(step) from error
        return await self._done(begun, outcome, known=True)

    async def _done(self, step: KeptStep, outcome: Any, *, known: bool) -> Any:
        text = step_store.outcome_text(outcome)
        self._number += 1
        done = dataclasses.replace(step, state="done", outcome=text, number=self._number, ended_at=time.time())
        self._kept[step.path] = done
        self._behind.append((done, known))
        if step.effect != "none":
            await self.flush(durable=True)
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BEHIND_S, self._flush_late)
        return rows.load(text)

    async def flush(self, *, durable: bool | None = None) -> None:
        """Write what is not written yet. ``durable`` as of ``Database.write``: what had no effect may be lost with the
        power, if the settings say so. Raises ``Cancelled`` if the lease is lost."""
        async with self._writing:
            changes, records, facts = self.taken()
            if not changes:
                return
            work = asyncio.ensure_future(self._steps.write(self._job, changes, durable=durable, facts=facts))
            try:
                await asyncio.shield(work)
            except BaseException:
                if not work.done():
                    # The caller is cancelled: it is written all the same, or it is not.
                    await asyncio.wait([work])
                if work.cancelled() or work.exception() is not None:
                    self._behind[:0] = changes
                    self._context.settlement.records.extend(records)
                raise
        self.written(facts)

    async def last(self, end: Callable[[Callable[[sa.Connection], None]], Awaitable[bool]]) -> None:
        """Have ``end`` write what is not written yet, in its own transaction; it returns whether the lease held. Raises
        ``Cancelled`` if it did not."""
        async with self._writing:
            changes, records, facts = self.taken()
            held = False
            try:
                held = await end(lambda connection: step_store.write_steps(connection, self._job, changes, facts))
            finally:
                if not held:
                    self._context.settlement.records.extend(records)
        if not held:
            raise Cancelled(f"another process has taken over {self.run_id}")
        self.written(facts)

    def taken(self) -> tuple[list[Change], list[EventRecord], list[EventRecord]]:
        """What is not written yet, for the present writer: steps, and what was done for them, as it waited and as it is
        written. What a call cost is written with its outcome: a run may live longer than the request that pays."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        changes, self._behind = self._behind, []
        if not changes:
            return [], [], []
        settlement = self._context.settlement
        records = list(settlement.records)
        settlement.records.clear()
        return changes, records, [each.about(settlement.answer_id) for each in records]

    def written(self, facts: Sequence[EventRecord]) -> None:
        """What was taken is written."""
        self._told()
        if facts:
            self._heard(facts)

    def _flush_late(self) -> None:
        self._timer = None
        self._late = asyncio.get_running_loop().create_task(self._flush_quietly())

    async def _flush_quietly(self) -> None:
        # The next write meets the failure again.
        with contextlib.suppress(MainspringError):
            await self.flush()

    async def _doubt(self, step: KeptStep) -> None:
        if step.state != "unknown":
            step = dataclasses.replace(step, state="unknown")
            self._kept[step.path] = step
            self._behind.append((step, True))
            await self.flush(durable=True)

    async def _approval(self, step: Step, found: KeptStep | None) -> Any:
        await self.flush()
        if found is None:
            raise _wanted(step, await self._asked(step))
        approval = await self._approvals.get(self._context.principal, found.approval_id)
        if approval.status == "pending":
            raise _wanted(step, approval.id)
        if approval.status == "approved":
            # The call is handed out here and nowhere else.
            await self._approvals.take(self._context, approval.id, approval.application)
        # One that is taken was taken by this run before it died.
        decision = {"taken": "approved"}.get(approval.status, approval.status)
        outcome = {"approved": decision == "approved", "decision": decision, "note": approval.note}
        outcome |= {"approval_id": approval.id, "by": approval.decided_by}
        return await self._done(found, outcome, known=True)

    async def _asked(self, step: Step) -> str:
        """Ask for approval of a call; the id of what was asked."""
        asked = step.input if isinstance(step.input, dict) else {}
        arguments = rows.dump(asked.get("arguments", {}))
        call = ToolCall(str(asked.get("call_id") or step.path), step.name, arguments)
        new = self._steps.new(step, "asked")

        def keep(connection: sa.Connection, approval: Approval) -> None:
            kept = dataclasses.replace(new, approval_id=approval.id)
            if not jobs.lease_holds(connection, self._job):
                raise Cancelled(f"another process has taken over {self.run_id}")
            step_store.write_steps(connection, self._job, [(kept, False)])

        keep_s = float(asked.get("expires_s") or self._settings.approval_s)
        made = await self._approvals.request(call, self._agent or step.name, self._context, keep_s, also=keep)
        self._kept[step.path] = dataclasses.replace(new, approval_id=made.id)
        return made.id


def _check_same(run_id: str, found: KeptStep, step: Step, versions: tuple[str, str]) -> None:
    if found.digest == step.digest:
        return
    then, now = versions
    changed = f" (its agent was version {then} when it began and is {now})" if then != now else ""
    raise Diverged(
        f"the step {step.path} of {run_id} was the {found.kind} {found.name} with the input {found.digest[:16]} and is "
        f"the {step.kind} {step.name} with the input {step.digest[:16]} now{changed}",
        remedy="Run the version that it began with, or fork it before this step",
    )


def _unknown(step: Step) -> Waiting:
    return Waiting(
        f"nobody knows whether {step.name} (step {step.path}) has had its effect",
        step=step.path,
        remedy="Find out, and decide the step: it happened, it did not happen, or give up",
    )


def _wanted(step: Step, approval_id: str) -> Waiting:
    return Waiting(
        f"the call of {step.name} (step {step.path}) waits for approval",
        step=step.path,
        approval_id=approval_id,
        remedy=f"Approve or deny {approval_id}",
    )
