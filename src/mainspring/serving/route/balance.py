"""Balances one model over several replicas: a call that fails before its first token goes to another one."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import mainspring.serving.admit.token_estimate as estimate
import mainspring.serving.route.replica_choice as choice
from mainspring.core.errors import (
    DeadlineExceeded,
    EngineError,
    MainspringError,
    ModelError,
    Overloaded,
    RateLimited,
    UnknownModel,
    UpstreamError,
)
from mainspring.core.settings.serving.routing import BalanceSettings
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    Request,
    Responder,
    Response,
    Usage,
)
from mainspring.engines.chat.output_lengths import OutputLengths
from mainspring.serving.ring.record import error_code
from mainspring.serving.route.hedge import meter_lost, race
from mainspring.serving.route.replica_state import Arm, Replica
from mainspring.serving.route.residency import Residency
from mainspring.serving.route.retry_budget import Budget
from mainspring.telemetry.routing_metrics import ArmMetrics

MOVABLE = (EngineError, ModelError, Overloaded, RateLimited, UnknownModel, DeadlineExceeded)
"""Errors after which another replica may succeed."""

SLOWER, SLOWER_BY_S = 4.0, 0.1
"""A replica is avoided if its first tokens take longer than those of the quickest replica by this factor and by this
many seconds."""

Clock = Callable[[], float]


@dataclass(slots=True)
class _Begun:
    """A call assigned to ``arm``, with its ``tokens``, ``at`` a time."""

    arm: Arm
    tokens: int
    at: float
    probe: bool
    runs: bool = False

    def leave(self) -> None:
        self.arm.tokens -= self.tokens
        self.arm.running -= 1

    def drop(self) -> None:
        """Its task has ended; one that was cancelled before its first step leaves only this."""
        if not self.runs:
            self.runs = True
            self.leave()
            self.arm.breaker.left(probe=self.probe)


class Balance:
    """A responder over ``replicas``, each with an admission and an engine of its own.

    Returning is the commit point: before it a failure moves the call on, as long as the ``budget`` of further attempts
    lasts (a refusal that costs nothing, as of a full queue, needs none). ``side`` meters what a second attempt spent
    in vain.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        model: str,
        settings: BalanceSettings,
        metrics: ArmMetrics,
        budget: Budget,
        *,
        side: Callable[[Responder], Responder] | None = None,
        default_output_tokens: int = 512,
        choose: choice.Choose | None = None,
        clock: Clock = time.monotonic,
        residency: Residency | None = None,
    ) -> None:
        self.model = model
        self._residency = residency or Residency()
        self.arms = [Arm(replica, settings) for replica in replicas]
        self._settings = settings
        self._metrics = metrics
        self._budget = budget
        self._hedges = Budget(settings.hedge_share, 10, full=False)
        self._side = side
        self._default_output = default_output_tokens
        self._lengths = OutputLengths()
        self._choose = choose or choice_of(settings)
        self._clock = clock
        self._given = 0

    def fingerprint(self, request: Request, context: Context) -> str | None:
        """That of all replicas; None if they differ."""
        found = {arm.replica.responder.fingerprint(request, context) for arm in self.arms}
        return found.pop() if len(found) == 1 else None

    async def respond(self, request: Request, context: Context) -> Response:
        self._budget.deposit()
        self._hedges.deposit()
        likely = self._lengths.expected((context.principal.tenant,), None)
        tokens = estimate.request_tokens(request, self._default_output, most=likely)
        blocks = choice.block_keys(_beginning(request)) if self._settings.policy == "prefix" else []
        # A replica outside of the accepted regions counts as tried: no attempt and no hedge goes there.
        tried = [arm for arm in self.arms if not self._residency.permits(arm.replica.region, context)]
        failure: MainspringError | None = None
        while (arm := self.pick(tokens, blocks, tried)) is not None:
            tried.append(arm)
            try:
                if self._settings.hedge_share and self._side is not None:
                    return await self._hedged(arm, tokens, blocks, tried, request, context)
                return await self._attempt(arm, tokens, blocks, request, context)
            except MOVABLE as error:
                failure = error
                if not self._may_move(error, context):
                    raise
                self._metrics.moved(self.model, error.code)
        raise failure or self._none_left()

    def pick(self, tokens: int, blocks: Sequence[int], tried: Sequence[Arm]) -> Arm | None:
        """The replica for a call, or None. A replica waiting for its probe gets the call; one that is not ready only if
        no other can answer; one with an open breaker never."""
        now = self._clock()
        states = [(arm, arm.state(now)) for arm in self.arms if arm not in tried]
        if probe := next((arm for arm, state in states if state == "half_open"), None):
            return probe
        arms = [arm for arm, state in states if state == "ready"]
        # An engine that restarts keeps its callers waiting until it is back: better than none.
        arms = arms or [arm for arm, state in states if state == "starting"]
        arms = self._quick(arms, now)
        if len(arms) < 2:
            return arms[0] if arms else None
        return arms[self._choose([arm.snapshot(now, blocks) for arm in arms], tokens, blocks)]

    def _quick(self, arms: list[Arm], now: float) -> list[Arm]:
        """``arms`` without those that take much longer to their first token than others do with their calls."""
        usual = {arm.name: arm.usual_s(now) for arm in arms}
        known = [seconds * (arm.running + 1) for arm in arms if (seconds := usual[arm.name]) is not None]
        if not known:
            return arms
        most = max(SLOWER * min(known), min(known) + SLOWER_BY_S)
        return [arm for arm in arms if (usual[arm.name] or 0.0) <= most]

    async def _attempt(
        self, arm: Arm, tokens: int, blocks: Sequence[int], request: Request, context: Context
    ) -> Response:
        return await self._run(self._begin(arm, tokens, blocks), request, context)

    def _begin(self, arm: Arm, tokens: int, blocks: Sequence[int]) -> _Begun:
        """Count a call of ``arm``, in the same step that chose it, so that the next choice sees it."""
        began = self._clock()
        arm.tokens += tokens
        arm.running += 1
        arm.served += 1
        self._given += 1
        arm.last = self._given
        arm.known.add(blocks)
        return _Begun(arm, tokens, began, arm.breaker.begin(began))

    def _start(
        self, arm: Arm, tokens: int, blocks: Sequence[int], request: Request, context: Context
    ) -> asyncio.Task[Response]:
        begun = self._begin(arm, tokens, blocks)
        task = asyncio.create_task(self._run(begun, request, context))
        task.add_done_callback(lambda _: begun.drop())
        return task

    async def _run(self, begun: _Begun, request: Request, context: Context) -> Response:
        arm, probe = begun.arm, begun.probe
        begun.runs = True
        try:
            response = await self._patiently(arm, request, context)
        except BaseException as error:
            begun.leave()
            self._note(arm, error, context, begun.at, probe=probe)
            raise
        now = self._clock()
        arm.breaker.answered(probe=probe)
        arm.note_first(now, now - begun.at)
        self._metrics.attempt(self.model, arm.name, "", now - begun.at)
        response.with_head(replica=arm.name)
        if response.ending is not None:
            response.ending.watch(partial(self._learn, context.principal.tenant, estimate.sequences(request)))

        async def close() -> None:
            begun.leave()

        if arm.replica.local:
            # Its death in mid-stream is seen by ``ready``: nothing needs to watch every token.
            arm.breaker.succeeded(now)
            return response.on_close(close)
        return response.through(partial(self._watched, arm), on_close=close)

    def _learn(self, tenant: str, width: int, usage: Usage | None) -> None:
        if usage is not None and usage.completion_tokens:
            self._lengths.learn((tenant,), usage.completion_tokens // width)

    async def _patiently(self, arm: Arm, request: Request, context: Context) -> Response:
        patience = arm.replica.patience_s
        limit = asyncio.timeout(patience)
        try:
            async with limit:
                return await arm.replica.responder.respond(request, context)
        except TimeoutError:
            if not limit.expired():
                raise
            raise UpstreamError(
                f"{arm.name} of {self.model} did not begin to answer within {patience:g} s", retry_after=1.0
            ) from None

    async def _watched(self, arm: Arm, events: AsyncIterator[Event]) -> AsyncGenerator[Event, None]:
        try:
            async for event in events:
                yield event
        except MainspringError as error:
            arm.failures += 1
            arm.breaker.failed(self._clock(), probe=False)
            self._metrics.attempt(self.model, arm.name, error.code, None)
            raise
        arm.breaker.succeeded(self._clock())

    def _note(self, arm: Arm, error: BaseException, context: Context, began: float, *, probe: bool) -> None:
        """The verdict on a replica from an end before the first token."""
        now = self._clock()
        self._metrics.attempt(self.model, arm.name, error_code(error), None)
        match error:
            case DeadlineExceeded() if _over(context):
                # The caller's patience says nothing about the replica.
                arm.breaker.left(probe=probe)
            case EngineError() | ModelError() | DeadlineExceeded() | UnknownModel():
                arm.failures += 1
                arm.known.clear()
                arm.breaker.failed(now, probe=probe)
            case RateLimited(param=None) | Overloaded() if not arm.replica.local:
                # It is alive and says when to try again.
                arm.breaker.left(probe=probe)
                arm.paused_until = max(arm.paused_until, now + (error.retry_after or 1.0))
            case asyncio.CancelledError():
                arm.breaker.left(probe=probe)
                # It would have taken longer still: without this, only the quick ones would ever count.
                if now - began > arm.expected_s(now):
                    arm.note_first(now, now - began)
            case _:
                arm.breaker.left(probe=probe)

    def _may_move(self, error: MainspringError, context: Context) -> bool:
        if _over(context) or (isinstance(error, RateLimited) and error.param is not None):
            return False
        return isinstance(error, Overloaded | RateLimited) or self._budget.spend()

    async def _hedged(
        self,
        arm: Arm,
        tokens: int,
        blocks: Sequence[int],
        tried: list[Arm],
        request: Request,
        context: Context,
    ) -> Response:
        """An attempt, and a second one elsewhere if the first takes longer than most."""
        # That of the quickest: a replica that always is slow is not usual.
        known = (each.first_quantile(self._settings.hedge_quantile) for each in self.arms)
        usual = min((seconds for seconds in known if seconds is not None), default=None)
        if usual is None:
            return await self._attempt(arm, tokens, blocks, request, context)

        def second() -> asyncio.Task[Response] | None:
            other = self.pick(tokens, blocks, tried)
            if other is None or other.state(self._clock()) != "ready" or not self._hedges.spend():
                return None
            tried.append(other)
            return self._start(other, tokens, blocks, request, context)

        first = self._start(arm, tokens, blocks, request, context)
        after = max(usual, self._settings.hedge_minimum_s)
        response, outcome = await race(first, second, after, partial(self._lost, request, context))
        if outcome:
            self._metrics.hedged(self.model, outcome)
        return response

    async def _lost(self, request: Request, context: Context) -> None:
        """Meter the attempt that was stopped: its prompt may have been read, and paid for."""
        assert self._side is not None
        await meter_lost(self._side, self.model, request, context)

    def _none_left(self) -> MainspringError:
        """The reason why no replica can be called."""
        now = self._clock()
        views = [(arm, arm.state(now)) for arm in self.arms]
        waits = [max(arm.paused_until - now, arm.breaker.reopens_in(now)) for arm in self.arms]
        soonest = max(0.05, min((wait for wait in waits if wait > 0), default=1.0))
        said = ", ".join(f"{arm.name} {state}" for arm, state in views)
        states = {state for _, state in views}
        if states <= {"draining", "drained"}:
            remedy = f"`mainspring replicas undrain {self.model} NAME` lets one take requests again"
            return Overloaded(f"every replica of {self.model} is drained", remedy=remedy, retry_after=10.0)
        if states & {"open", "half_open"}:
            return UpstreamError(
                f"no replica of {self.model} can answer ({said})", remedy="Try again shortly", retry_after=soonest
            )
        if "paused" in states and "full" not in states:
            return RateLimited(f"every replica of {self.model} is rate-limited ({said})", retry_after=max(1.0, soonest))
        return Overloaded(f"every replica of {self.model} is full", remedy="Try again shortly", retry_after=1.0)


def choice_of(settings: BalanceSettings) -> choice.Choose:
    """The policy that ``settings`` name."""
    match settings.policy:
        case "prefix":
            return choice.prefix(settings.slack)
        case "latency":
            return choice.latency
        case "weighted":
            return choice.weighted(random.Random())
        case _:
            return choice.least_tokens


def _over(context: Context) -> bool:
    remaining = context.remaining()
    return remaining is not None and remaining <= 0


def _beginning(request: Request) -> str:
    """The part of a prompt's text whose blocks are compared."""
    if isinstance(request, CompletionRequest):
        return request.prompt or request.suffix
    if not isinstance(request, ChatRequest):
        return ""
    most, length, parts = choice.BLOCK * choice.MAX_BLOCKS, 0, []
    # Most templates put tools before the messages.
    parts = [f"{tool.name}{tool.description}{tool.parameters}" for tool in request.tools]
    for message in request.messages:
        parts.append(f"\0{message.role}\0{message.content}")
        length += len(message.content)
        if length >= most:
            break
    return "".join(parts)
