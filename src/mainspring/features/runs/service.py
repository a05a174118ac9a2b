"""What callers do with runs: begin them, watch them, steer them, fork and replay them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mainspring.agents.errors import Stopped
from mainspring.agents.history import Step
from mainspring.agents.runs import AgentPlayer
from mainspring.core.errors import Conflict, MainspringError, NotFound, Unsupported
from mainspring.core.types import ChatRequest, Context, Event, Principal
from mainspring.features.runs.keeping.history import RecordedHistory
from mainspring.features.runs.keeping.keeper import INPUT, Keeper, error_body, reached
from mainspring.features.runs.keeping.run_events import RunEvents
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.store import decisions
from mainspring.features.runs.store.decisions import Decision
from mainspring.features.runs.store.runs import OVER, NewRun, Run
from mainspring.features.runs.store.steps import KeptStep, forked, outcome_text
from mainspring.serving.ring.registry import Registry
from mainspring.stores import Stores
from mainspring.stores.sql.jobs import Job
from mainspring.stores.sql.pages import Page, Slice

_LOOK_S = 0.5
# How long until a run of another process is looked at again.


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run played again from its records. ``identical``: what it says has the digest that it had. ``unreached`` are
    the recorded steps that it did not come to, ``problem`` is what stopped it (None: nothing)."""

    run: Run
    events: tuple[Event, ...]
    events_sha256: str
    identical: bool
    steps: int
    unreached: tuple[str, ...]
    problem: Mapping[str, Any] | None


Happening = tuple[Literal["step", "run"], int, Run | KeptStep]
"""What happens to a run, with the number of its latest step that was done by then."""


class RunService:
    """The runs that callers see."""

    def __init__(self, keeper: Keeper, stores: Stores, registry: Registry, settings: RunsSettings) -> None:
        self._keeper = keeper
        self._stores = stores
        self._registry = registry
        self._settings = settings

    async def begin(
        self, context: Context, request: ChatRequest, *, metadata: Mapping[str, str], deadline_s: float | None = None
    ) -> Run:
        """Queue a run of the agent ``request.model``; durable when it returns. Raises ``UnknownModel``,
        ``QuotaExceeded``."""
        await self._registry.find(request.model, context.principal)
        seconds = deadline_s if deadline_s is not None else self._settings.timeout_s
        return await self._queued(
            context,
            NewRun(
                request.model,
                request,
                trace_id=context.trace.trace_id,
                deadline=time.time() + seconds,
                metadata=metadata,
            ),
        )

    async def get(self, principal: Principal, run_id: str) -> tuple[Run, list[KeptStep]]:
        """The run and its steps. Raises ``NotFound``."""
        run = await self._keeper.runs.get(principal, run_id)
        return run, list((await self._keeper.steps.all(run.tenant, run_id)).values())

    async def page(self, principal: Principal, page: Page, state: str | None, agent: str | None) -> Slice[Run]:
        """Runs by age. Raises ``InvalidRequest`` for a cursor that is no run's id."""
        return await self._keeper.runs.page(principal, page, state=state, agent=agent)

    async def stopped(self, principal: Principal, run_id: str, seconds: float) -> Run:
        """The run once it stands still, or after so many seconds."""
        until = time.monotonic() + seconds
        while True:
            run = await self._keeper.runs.get(principal, run_id)
            rest = until - time.monotonic()
            if run.state not in ("queued", "running") or rest <= 0:
                return run
            await self._keeper.pulses.wait((run.tenant, run_id), min(_LOOK_S, rest))

    async def happenings(self, principal: Principal, run_id: str, after: int) -> AsyncGenerator[Happening, None]:
        """The steps that ended behind the one numbered ``after``, and each state of the run, until it is over. Raises
        ``NotFound``."""
        before: Run | None = None
        while True:
            run = await self._keeper.runs.get(principal, run_id)
            for step in await self._keeper.steps.behind(run.tenant, run_id, after):
                after = step.number or after
                yield "step", after, step
            if before is None or (run.state, run.error) != (before.state, before.error):
                yield "run", after, run
            before = run
            if run.state in OVER:
                return
            await self._keeper.pulses.wait((run.tenant, run_id), _LOOK_S)

    async def want(self, principal: Principal, run_id: str, wanted: Literal["pause", "cancel"]) -> Run:
        """Pause or cancel a run. Raises ``NotFound``, ``Conflict``."""
        run = await self._keeper.runs.want(principal, run_id, wanted)
        if run.wanted:
            await self._keeper.wish(Job(run.tenant, run_id, "", ""), wanted)
        self._keeper.pulses.tell((run.tenant, run_id))
        return run

    async def resume(self, principal: Principal, run_id: str) -> Run:
        """Have a run go on. Raises ``NotFound``, ``Conflict``."""
        run = await decisions.resume(self._stores, principal, run_id)
        self._keeper.queued()
        return run

    async def delete(self, context: Context, run_id: str) -> None:
        """Delete the record of a run that stands still. Raises ``NotFound``, ``Conflict``."""
        await decisions.delete(self._stores, context.principal, run_id, trace=context.trace)
        self._keeper.pulses.tell((context.principal.tenant, run_id))

    async def decide(
        self, context: Context, run_id: str, path: str, decision: Decision, *, result: Any, note: str
    ) -> Run:
        """Record the outcome of an effect whose outcome is unknown. Raises ``NotFound``, ``Conflict``."""
        run = await decisions.decide(
            self._stores, context.principal, run_id, path, decision, result=result, note=note, trace=context.trace
        )
        self._keeper.queued()
        return run

    async def fork(
        self,
        context: Context,
        run_id: str,
        *,
        after: int | None = None,
        path: str | None = None,
        outcome: Any = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Run:
        """A new run that begins with steps of this one: those up to the number ``after``, or those before the step at
        ``path``, which gets another ``outcome``. Raises ``NotFound``, ``Conflict`` for a step that is not done."""
        run, steps = await self.get(context.principal, run_id)
        by_path = {each.path: each for each in steps}
        most = max((each.number or 0 for each in steps), default=0)
        edited = None
        if path is not None:
            found = by_path.get(path)
            if found is None:
                raise NotFound(f"{run_id} has no step {path!r}", param="step")
            if found.number is None:
                raise Conflict(f"the step {path} of {run_id} has no outcome yet", param="step")
            edited = dataclasses.replace(
                found, outcome=outcome_text(outcome), decided_by=context.principal.key_id, ended_at=time.time()
            )
            after = found.number - 1
        kept = forked(by_path, most if after is None else min(after, most), edited)
        new = NewRun(
            run.agent,
            run.request,
            version=run.version,
            trace_id=context.trace.trace_id,
            deadline=time.time() + self._settings.timeout_s,
            metadata=run.metadata if metadata is None else metadata,
            forked_from=run_id,
            steps=kept,
        )
        return await self._queued(context, new)

    async def replay(self, context: Context, run_id: str) -> Replayed:
        """Play a run again from its records: no model and no tool is called. Raises ``NotFound``, ``UnknownModel``,
        and ``Unsupported`` for an application that is no agent."""
        run, steps = await self.get(context.principal, run_id)
        responder = (await self._registry.find(run.agent, context.principal)).responder
        if not isinstance(responder, AgentPlayer):
            raise Unsupported(f"{run.agent} is not an agent and cannot be replayed", param="run_id")
        by_path = {each.path: each for each in steps}
        history = RecordedHistory(run_id, run.version, responder.version, by_path)
        said, events, problem = RunEvents(run.agent), [], None
        try:
            found = await history.outcome(Step(INPUT, "input", run.agent, None), _never)
            request, state = reached(run.request, found)
            history.origin = found.get("origin", run_id)
            async for event in responder.play(request, context, history, state):
                said.add(event)
                events.append(event)
        except (Stopped, MainspringError) as error:
            problem = error_body(error)
        digest = said.sha256()
        return Replayed(
            run,
            tuple(events),
            digest,
            problem is None and digest == run.events_sha256,
            len(history.reached),
            tuple(sorted(set(by_path) - history.reached)),
            problem,
        )

    async def _queued(self, context: Context, new: NewRun) -> Run:
        run, _ = await self._keeper.runs.create(context.principal, new)
        self._keeper.queued()
        return run


async def _never(_: str) -> Any:
    raise AssertionError("a replay performs nothing")
