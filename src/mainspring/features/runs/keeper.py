"""Keeps the runs of this process: plays agents over their histories, and settles what became of each run.

A run that somebody waits for holds a lease of its own. One in the background has the lease that its worker lends.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

import orjson

import mainspring.stores.sql.ids as ids
from mainspring.agents.errors import Cancelled, Diverged, Paused, Stopped, Waiting
from mainspring.agents.history import NoHistory
from mainspring.agents.runs import RUN, Play
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
from mainspring.core.path import Answer
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Progress,
    Reasoning,
    Text,
    ToolCallDelta,
    Usage,
)
from mainspring.features.runs.history import DurableHistory, Signal
from mainspring.features.runs.settings import RunsSettings
from mainspring.features.runs.steps import RunSteps
from mainspring.features.runs.store import NewRun, Run, Runs, written
from mainspring.stores.sql.jobs import Job, Jobs
from mainspring.stores.sql.worker import Lease
from mainspring.stores.work.approvals import Approvals

_log = logging.getLogger(__name__)


class EventDigest:
    """The SHA-256 of what an agent said: its events, whatever the pieces that they came in. Progress and usage, which
    are of this time alone, do not count."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()
        self._kind: tuple[Any, ...] = ()
        self._text = ""
        self.count = 0

    def add(self, event: Event) -> None:
        """Take one more event in."""
        match event:
            case Progress() | Usage():
                return
            case Text() | Reasoning():
                self._piece((type(event).__name__, event.choice, getattr(event, "grounds", "")), event.text)
            case ToolCallDelta():
                if event.id is not None:
                    self._flush()
                self._piece(("ToolCallDelta", event.choice, event.index), event.arguments)
                self._kind += (event.id, event.name) if event.id is not None else ()
            case _:
                self._flush()
                self._take([type(event).__name__, dataclasses.asdict(event)])

    def hex(self) -> str:
        """The digest of all events so far."""
        self._flush()
        return self._sum.hexdigest()

    def _piece(self, kind: tuple[Any, ...], text: str) -> None:
        if self._kind[: len(kind)] != kind:
            self._flush()
            self._kind = kind
        self._text += text

    def _flush(self) -> None:
        if self._kind:
            self._take([*self._kind, self._text])
        self._kind, self._text = (), ""

    def _take(self, value: Any) -> None:
        self.count += 1
        self._sum.update(orjson.dumps(value, option=orjson.OPT_SORT_KEYS, default=str) + b"\n")


@dataclasses.dataclass(slots=True)
class OpenRun:
    """A run that this process works on."""

    run: Run
    job: Job
    history: DurableHistory
    keeping: asyncio.Task[None] | None = None


class Keeper:
    """A ``RunKeeper`` over the database."""

    def __init__(
        self, runs: Runs, steps: RunSteps, jobs: Jobs, approvals: Approvals, settings: RunsSettings
    ) -> None:
        self.runs = runs
        self.steps = steps
        self._jobs = jobs
        self._approvals = approvals
        self._settings = settings
        self._open: dict[tuple[str, str], OpenRun] = {}
        self._lent: dict[tuple[str, str], Lease] = {}

    async def kept_run(
        self, agent: str, version: str, request: ChatRequest, context: Context, play: Play
    ) -> AsyncGenerator[Event, None]:
        """See ``RunKeeper``."""
        if not request.store:
            async for event in _closed(play(NoHistory())):
                yield event
            return
        opened = await self._begin(agent, version, request, context)
        place = opened.run.tenant, opened.run.id
        self._open[place] = opened
        digest, answer, over = EventDigest(), Answer(Head(agent)), False
        try:
            async for event in _closed(play(opened.history)):
                digest.add(event)
                answer.add(event)
                if isinstance(event, Finish) and not over:
                    # What is acknowledged is durable before it is sent.
                    over = True
                    await self._completed(opened, answer, digest)
                yield event
            if not over:
                await self._completed(opened, answer, digest)
        except (asyncio.CancelledError, GeneratorExit):
            await asyncio.shield(self._left(opened))
            raise
        except MainspringError as error:
            await self._stopped(opened, error)
            raise
        except Exception as error:
            await self._stopped(opened, MainspringError(f"its agent failed: {type(error).__name__}"))
            raise
        finally:
            self._open.pop(place, None)
            if opened.keeping is not None:
                opened.keeping.cancel()

    def opened(self, tenant: str, run_id: str) -> OpenRun | None:
        """The run if this process works on it."""
        return self._open.get((tenant, run_id))

    def lend(self, lease: Lease) -> Callable[[], None]:
        """Have the run of a leased job played under its lease; returns what takes it back."""
        place = lease.job.tenant, lease.job.id
        self._lent[place] = lease
        return lambda: self._lent.pop(place, None) and None

    async def heard(self, lease: Lease) -> None:
        """Wait until a run should stop, and tell it."""
        waits = [asyncio.ensure_future(each.wait()) for each in (lease.cancelled, lease.lost)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
        job = lease.job
        if lease.lost.is_set():
            wish = "lost"
        else:
            wish = (await self.runs.of(job.tenant, job.id)).wanted or "cancel"
        if (found := self.opened(job.tenant, job.id)) is not None:
            found.history.signal.stop(wish)  # type: ignore[arg-type]

    async def _begin(self, agent: str, version: str, request: ChatRequest, context: Context) -> OpenRun:
        named = request.options.get(RUN)
        if named is not None and not isinstance(named, str):
            raise InvalidRequest("options.run is the id of a run", param=f"options.{RUN}")
        principal = context.principal
        lent = self._lent.get((principal.tenant, named)) if named else None
        keeping = None
        if lent is not None:
            job = lent.job
            run = await self.runs.of(principal.tenant, job.id)
        elif named:
            run, job = await self.runs.take(principal, named, ids.new("lease_"))
        else:
            new = NewRun(agent, _own(request, context), version, context.trace.trace_id)
            run, job = await self.runs.create(principal, new, ids.new("lease_"))
        if lent is None:
            keeping = asyncio.create_task(self._keep(Lease(job)), name=f"run {job.id}")
        then = run.version
        found = await self.runs.begin(job, {"trace_id": context.trace.trace_id, "version": then or version})
        if found is None:
            raise Cancelled(f"another process has taken over {job.id}")
        kept = await self.steps.all(job.tenant, job.id)
        history = DurableHistory(
            job,
            kept,
            self.steps,
            self._approvals,
            context,
            self._settings,
            agent=agent,
            versions=(then or version, version),
            signal=Signal(),
        )
        return OpenRun(found, job, history, keeping)

    async def _completed(self, opened: OpenRun, answer: Answer, digest: EventDigest) -> None:
        first = answer.choices[0] if answer.choices else None
        output = {"text": answer.text, "finish_reason": first.finish if first else None}
        await self.runs.end(opened.job, "completed", output=output, events_sha256=digest.hex())

    async def _stopped(self, opened: OpenRun, error: MainspringError) -> None:
        """Settle a run whose agent raised ``error``."""
        if opened.history.signal.wish == "lost":
            return
        if not opened.run.attended and may_pass(error):
            # Its job is done again when its lease has passed.
            return
        state = state_of(error)
        with suppress(StoreError):
            await self.runs.end(opened.job, state, error=None if state == "paused" else told(error))  # type: ignore[arg-type]

    async def _left(self, opened: OpenRun) -> None:
        """Settle a run whose caller is gone, or whose process ends."""
        wish = opened.history.signal.wish
        with suppress(StoreError):
            if wish in ("cancel", "pause"):
                await self.runs.end(opened.job, "cancelled" if wish == "cancel" else "paused")
            elif opened.run.attended:
                await self.runs.end(opened.job, "interrupted")
            else:
                await self.runs.back(opened.job)

    async def _keep(self, lease: Lease) -> None:
        """Extend the lease of a run that somebody waits for, and hear of wishes for it."""
        job, hearing = lease.job, asyncio.create_task(self.heard(lease))
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


def may_pass(error: MainspringError) -> bool:
    """Whether the run may go on by itself later."""
    if isinstance(error, BudgetExceeded | DeadlineExceeded):
        return False
    return isinstance(error, RateLimited | Overloaded | EngineDied | StoreError)


def state_of(error: MainspringError) -> str:
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


def told(error: MainspringError) -> Mapping[str, Any]:
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
    messages = request.messages
    if request.prompt is not None and request.prompt.asked:
        messages = request.prompt.asked
    elif request.session_id is not None and context.settlement.turn:
        messages = context.settlement.turn
    prompt = request.prompt
    if prompt is not None:
        prompt = dataclasses.replace(prompt, rendered=(), asked=())
    return dataclasses.replace(request, messages=messages, prompt=prompt)


async def _closed(events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
    """``events``, which are closed when this is."""
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


__all__ = ["EventDigest", "Keeper", "OpenRun", "may_pass", "state_of", "told", "written"]
