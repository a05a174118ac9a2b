"""The histories of runs: one that performs and records steps under the lease of a run, and one that only replays."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import sqlalchemy as sa

import mainspring.stores.sql.rows as rows
from mainspring.agents.errors import Cancelled, Diverged, Paused, Stopped, Waiting
from mainspring.agents.history import Perform, Step
from mainspring.core.errors import Conflict, DeadlineExceeded, TooLarge
from mainspring.core.types import Context, EventRecord, ToolCall
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store import steps as step_store
from mainspring.features.runs.store.steps import KeptStep, RunSteps
from mainspring.stores.sql.jobs import Job
from mainspring.stores.work.approvals import Approval, Approvals

T = TypeVar("T")
Wish = Literal["", "pause", "cancel", "late", "lost"]
"""What a running run should do: go on, stop before its next step, or stop at once: because somebody cancelled it, its
deadline has passed, or its lease is lost."""
_AT_ONCE = ("cancel", "late", "lost")


class Signal:
    """How a running run is told to stop. A model call in flight is broken off; a tool with an effect ends first."""

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
                raise DeadlineExceeded("the run's deadline has passed", remedy="Begin another with a later one")
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

    An effect is written down before it is performed and its outcome afterwards, each in one transaction; of steps
    without effects only the outcome. Writing fails once the lease is lost, so that another process that has taken the
    run over is not disturbed.
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
            raise TooLarge(f"a run has {self._settings.max_steps} steps at most", remedy="Raise runs.max_steps")
        self.signal.check()
        if step.kind == "approval":
            return await self._approval(step, found)
        if found is not None and found.effect == "unkeyed":
            await self._doubt(found)
            raise _unknown(step)
        if step.effect == "none":
            outcome = await self.signal.breakable(perform(step.key(self.run_id)))
            return await self._done(found or self._steps.new(step, "begun"), outcome, known=found is not None)
        return await self._effect(step, found, perform)

    async def _effect(self, step: Step, found: KeptStep | None, perform: Perform) -> Any:
        """Perform a step with an effect: it goes on to its end, for a while, if the run is stopped meanwhile."""
        begun = self._steps.new(step, "begun")
        if found is not None:
            begun = dataclasses.replace(found, attempts=found.attempts + 1)
        await self._steps.write(self._job, begun, known=found is not None)
        self._kept[step.path] = begun
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
        # What a call cost is written down with its outcome: a run may live longer than the request that pays for it.
        settlement = self._context.settlement
        waiting = list(settlement.records)
        settlement.records.clear()
        facts = [each.about(settlement.answer_id) for each in waiting]
        # What had no effect may be lost with the power, if the settings say so: it is performed again.
        durable = None if step.effect == "none" else True
        try:
            await self._steps.write(self._job, done, known=known, durable=durable, facts=facts)
        except BaseException:
            settlement.records.extend(waiting)
            raise
        if facts:
            self._heard(facts)
        self._kept[step.path] = done
        self._told()
        return rows.load(text)

    async def _doubt(self, step: KeptStep) -> None:
        if step.state != "unknown":
            step = dataclasses.replace(step, state="unknown")
            await self._steps.write(self._job, step, known=True)
            self._kept[step.path] = step

    async def _approval(self, step: Step, found: KeptStep | None) -> Any:
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
            step_store.put(connection, self._job, kept, known=False)

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
