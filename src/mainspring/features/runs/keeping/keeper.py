"""Keeps the runs of this process: opens their histories, hears of wishes for them, and settles what became of each.

A run that somebody waits for holds a lease of its own. One in the background has the lease that its worker lends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import TypeAdapter

import mainspring.stores.sql.ids as ids
import mainspring.stores.sql.rows as rows
from mainspring.agents.errors import Cancelled, Diverged, Paused, Stopped, Waiting
from mainspring.agents.history import History, NoHistory, Step
from mainspring.agents.runs import RUN, CalledTool, Opened, RunStanding
from mainspring.core.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    EngineDied,
    InvalidRequest,
    MainspringError,
    Overloaded,
    RateLimited,
    StoreError,
)
from mainspring.core.types import ChatRequest, Context, EventRecord, Message, Principal
from mainspring.features.runs.keeping.history import DurableHistory, Wish
from mainspring.features.runs.keeping.pulses import Pulses
from mainspring.features.runs.keeping.run_events import RunEvents
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store.runs import NewRun, Run, Runs, State
from mainspring.features.runs.store.sessions import SessionStates
from mainspring.features.runs.store.steps import KeptStep, RunSteps
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease
from mainspring.stores.work.approvals import Approvals

_log = logging.getLogger(__name__)
INPUT = "0"
"""The path of a run's first step: what reaches the agent."""
_MESSAGES: TypeAdapter[tuple[Message, ...]] = TypeAdapter(tuple[Message, ...])


@dataclasses.dataclass(slots=True)
class OpenRun:
    """A run that this process works on."""

    run: Run
    job: Job
    context: Context
    history: DurableHistory
    said: RunEvents
    keeping: asyncio.Task[None] | None = None


class Keeper:
    """The ``Histories`` of runs, over the database."""

    def __init__(
        self,
        runs: Runs,
        steps: RunSteps,
        sessions: SessionStates,
        jobs: Jobs,
        approvals: Approvals,
        settings: RunsSettings,
        heard: Callable[[Sequence[EventRecord]], None] = lambda _: None,
    ) -> None:
        """``heard`` is called with the facts that are written with steps."""
        self._heard = heard
        self.runs = runs
        self.steps = steps
        self._sessions = sessions
        self._jobs = jobs
        self._approvals = approvals
        self._settings = settings
        self.pulses = Pulses()
        self.queued: Callable[[], None] = lambda: None
        """Tells the worker of this process, if it has one, that a run waits."""
        self._open: dict[tuple[str, str], OpenRun] = {}
        self._lent: dict[tuple[str, str], Lease] = {}

    async def called_tools(self, principal: Principal, run_id: str) -> list[CalledTool]:
        """See ``CalledTools``."""
        run = await self.runs.get(principal, run_id)
        found = []
        for step in (await self.steps.all(run.tenant, run_id)).values():
            if step.kind == "tool" and step.outcome:
                outcome = rows.load(step.outcome)
                if isinstance(outcome, dict) and outcome.get("output") is not None:
                    asked = rows.load(step.input) if step.input else None
                    found.append(CalledTool(step.name, asked, outcome["output"]))
        return found

    async def open_run(self, agent: str, request: ChatRequest, context: Context, *, version: str = "") -> Opened:
        """See ``Histories``."""
        if not request.store:
            return Opened(NoHistory())
        opened = await self._leased(agent, version, request, context)
        self._open[opened.run.tenant, opened.run.id] = opened
        try:
            found = await opened.history.outcome(
                Step(INPUT, "input", agent, None), lambda _: self._input(opened.run.id, request, context)
            )
        except BaseException as error:
            await asyncio.shield(self.end_run(opened.history, "failed", {}, error))
            raise
        kept, state = reached(request, found)
        opened.history.origin = found.get("origin", opened.run.id)
        return Opened(opened.history, state, kept, opened.said.add)

    async def end_run(
        self, history: History, status: str, state: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        """See ``Histories``."""
        opened = next((each for each in self._open.values() if each.history is history), None)
        if opened is None:
            return
        run, said = opened.run, opened.said
        try:
            match error:
                case None if status == "completed":
                    if run.request.session_id is not None and state:
                        # Before the end: a run that is over is not played again.
                        principal = opened.context.principal
                        await self._sessions.put(principal, run.request.session_id, state, run.person)
                    await self._end(opened, "completed", output=said.output(), events_sha256=said.sha256())
                case None:
                    await self._stopped(opened, MainspringError(f"the agent {run.agent} ended as {status}"))
                case MainspringError():
                    await self._stopped(opened, error)
                case Exception():
                    problem = MainspringError(f"the agent {run.agent} failed: {type(error).__name__}")
                    await self._stopped(opened, problem)
                case _:
                    await self._left(opened)
        finally:
            self._open.pop((run.tenant, run.id), None)
            if opened.keeping is not None:
                opened.keeping.cancel()
            self.pulses.tell((run.tenant, run.id))

    async def begin_run(
        self, context: Context, request: ChatRequest, *, metadata: Mapping[str, str], deadline_s: float | None = None
    ) -> str:
        """See ``BackgroundRuns``."""
        seconds = deadline_s if deadline_s is not None else self._settings.timeout_s
        new = NewRun(
            request.model,
            request,
            trace_id=context.trace.trace_id,
            deadline=time.time() + seconds,
            metadata=metadata,
        )
        run, _ = await self.runs.create(context.principal, new)
        self.queued()
        return run.id

    async def run_standing(self, tenant: str, run_id: str) -> RunStanding:
        """See ``BackgroundRuns``."""
        run = await self.runs.of(tenant, run_id)
        return RunStanding(run.state, run.error)

    async def cancel_run(self, principal: Principal, run_id: str) -> None:
        """See ``BackgroundRuns``."""
        run = await self.runs.want(principal, run_id, "cancel")
        if run.wanted:
            await self.wish(Job(run.tenant, run_id, "", ""), "cancel")
        self.pulses.tell((run.tenant, run_id))

    def opened(self, tenant: str, run_id: str) -> OpenRun | None:
        """The run if this process works on it."""
        return self._open.get((tenant, run_id))

    def lend(self, lease: Lease) -> Callable[[], None]:
        """Have the run of a leased job played under its lease; returns what takes it back."""
        place = lease.job.tenant, lease.job.id
        self._lent[place] = lease

        def back() -> None:
            self._lent.pop(place, None)

        return back

    async def hear(self, lease: Lease) -> None:
        """Wait until a run should stop, and tell it."""
        waits = [asyncio.ensure_future(each.wait()) for each in (lease.cancelled, lease.lost)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        await self.wish(lease.job, "lost" if lease.lost.is_set() else "")

    async def wish(self, job: Job, wish: Wish = "") -> None:
        """Tell the run, if this process works on it, what is wanted of it."""
        found = self.opened(job.tenant, job.id)
        if found is None:
            return
        wanted: Any = wish or (await self.runs.of(job.tenant, job.id)).wanted
        found.history.signal.stop(wanted)

    async def _input(self, run_id: str, request: ChatRequest, context: Context) -> dict[str, Any]:
        state: dict[str, Any] = {}
        if request.session_id is not None:
            state = await self._sessions.get(context.principal, request.session_id)
        return {"messages": _MESSAGES.dump_python(request.messages, mode="json"), "state": state, "origin": run_id}

    async def _leased(self, agent: str, version: str, request: ChatRequest, context: Context) -> OpenRun:
        named = request.options.get(RUN)
        if named is not None and not isinstance(named, str):
            raise InvalidRequest("options.run is the id of a run", param=f"options.{RUN}")
        principal, keeping = context.principal, None
        run: Run | None = None
        lent = self._lent.get((principal.tenant, named)) if named else None
        if lent is not None:
            job = lent.job
        elif named:
            _, job = await self.runs.take(principal, named, ids.new("lease_"))
        else:
            new = NewRun(agent, _own(request, context), version, context.trace.trace_id)
            run, job = await self.runs.create(principal, new, ids.new("lease_"))
        if lent is None:
            keeping = asyncio.create_task(self._keep(Lease(job)), name=f"run {job.id}")
        try:
            kept: dict[str, KeptStep] = {}
            if run is None:
                run = await self.runs.begin(job, version, context.trace.trace_id)
                if run is None:
                    raise Cancelled(f"another process has taken over {job.id}")
                kept = await self.steps.all(job.tenant, job.id)
        except BaseException:
            if keeping is not None:
                keeping.cancel()
            raise
        history = DurableHistory(
            job,
            kept,
            self.steps,
            self._approvals,
            context,
            self._settings,
            agent=agent,
            versions=(run.version, version),
            told=lambda: self.pulses.tell((job.tenant, job.id)),
            heard=self._heard,
        )
        if run.wanted in ("pause", "cancel"):
            # It was wanted before this process took it up.
            history.signal.stop("pause" if run.wanted == "pause" else "cancel")
        return OpenRun(run, job, context, history, RunEvents(agent), keeping)

    async def _stopped(self, opened: OpenRun, error: MainspringError) -> None:
        """Settle a run whose agent raised ``error``."""
        if opened.history.signal.wish == "lost":
            return
        state = state_of(error)
        with suppress(StoreError, Stopped):
            if not opened.run.attended and may_pass(error):
                # Its job is done again when its lease has passed.
                await opened.history.flush()
            else:
                await self._end(opened, state, error=None if state == "paused" else error_body(error))

    async def _left(self, opened: OpenRun) -> None:
        """Settle a run whose caller is gone, or whose process ends."""
        wish = opened.history.signal.wish
        with suppress(StoreError, Stopped):
            if wish in ("cancel", "pause"):
                await self._end(opened, "cancelled" if wish == "cancel" else "paused")
            elif opened.run.attended:
                await self._end(opened, "interrupted")
            else:
                await opened.history.flush()
                await self.runs.back(opened.job)

    async def _end(self, opened: OpenRun, state: State, **values: Any) -> None:
        """The run stops in ``state``, with the steps that are not written yet, in one transaction."""
        await opened.history.last(lambda also: self.runs.end(opened.job, state, also=also, **values))

    async def _keep(self, lease: Lease) -> None:
        """Extend the lease of a run that somebody waits for, and hear of wishes for it."""
        job, hearing = lease.job, asyncio.create_task(self.hear(lease))
        try:
            while not lease.stopped:
                await asyncio.sleep(min(self._settings.lease_s / 3, 2.0))
                try:
                    found = await self._jobs.extend(job, self._settings.lease_s)
                except StoreError as error:
                    _log.warning("the lease of %s could not be extended: %s", job.id, error)
                    continue
                if found is None:
                    lease.lost.set()
                elif found.cancelled:
                    lease.cancelled.set()
            await hearing
        finally:
            hearing.cancel()


def reached(request: ChatRequest, found: Mapping[str, Any]) -> tuple[ChatRequest, dict[str, Any]]:
    """The request and the state that reach an agent, by the outcome of a run's first step."""
    return dataclasses.replace(request, messages=_MESSAGES.validate_python(found["messages"])), dict(found["state"])


def may_pass(error: MainspringError) -> bool:
    """Whether the run may go on by itself later."""
    if isinstance(error, BudgetExceeded | DeadlineExceeded):
        return False
    return isinstance(error, RateLimited | Overloaded | EngineDied | StoreError)


def state_of(error: MainspringError) -> State:
    """The state of a run that ``error`` ended."""
    match error:
        case Waiting():
            return "waiting"
        case Paused():
            return "paused"
        case Stopped():
            return "cancelled"
        case _:
            return "failed"


def error_body(error: MainspringError) -> Mapping[str, Any]:
    """An error as a run shows it."""
    found: dict[str, Any] = {"code": error.code, "message": error.told}
    if isinstance(error, Diverged):
        found["code"] = "diverged"
    if isinstance(error, Waiting):
        found |= {"code": "approval_pending" if error.approval_id else "outcome_unknown", "step": error.step}
        found |= {"approval_id": error.approval_id} if error.approval_id else {}
    return found


def _own(request: ChatRequest, context: Context) -> ChatRequest:
    """The request as it was asked: without what its session and its prompt have added, which add it again."""
    messages, prompt = request.messages, request.prompt
    if prompt is not None:
        messages = prompt.asked or messages
        prompt = dataclasses.replace(prompt, rendered=(), asked=())
    elif request.session_id is not None and context.settlement.turn:
        messages = context.settlement.turn
    return dataclasses.replace(request, messages=messages, prompt=prompt)
