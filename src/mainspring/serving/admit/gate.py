"""The gate before one engine: it admits as many requests as the engine can run, lets the others wait, and refuses at
once those whose turn would come too late.

Running requests are bounded as well as waiting ones: some slots are reserved for tenants below their share
(``engines.openvino.slots``), so that no tenant waits for the end of another tenant's work. The wait is computed from
the running requests, their progress and pace, and the requests that wait before (``forecast``).

A burst may wait ``max_wait_s``. A queue that does not empty for ``burst_s`` adds latency for everybody and no
throughput: while it stands, and until there has been no refusal for a while, only as much may wait as keeps the engine
busy (``standing_wait`` of the service time of a request). This is the controlled delay of Maurer, "Fail at Scale" (ACM
Queue 13:8, 2015), with the bound applied to the predicted wait, so that refusals are immediate. Each tenant has a queue
of its own (like flows in RFC 8290): a tenant whose queue is not standing is not refused because of the others'.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from mainspring.core.errors import DeadlineExceeded, EngineDied, Overloaded
from mainspring.core.settings.serving.queueing import AdmissionSettings
from mainspring.core.types import Context, Priority, Usage
from mainspring.engines.openvino.slots import SlotCapacity
from mainspring.serving.admit.controlled_delay import StandingQueue
from mainspring.serving.admit.expected_usage import INPUT_COST, Expectations, Work
from mainspring.serving.admit.fair_queue import FairQueue, Ticket
from mainspring.serving.admit.forecast import Run, predicted
from mainspring.serving.admit.service_rate import FIRST_DURATION_S, ServiceRate
from mainspring.telemetry.metrics import Metrics

Outcome = Literal["admitted", "refused", "displaced", "overdue", "expired", "left"]
LEAST_RETRY_S, MOST_RETRY_S = 1.0, 60.0
LEAST_STANDING_S = 0.1
OTHERS = 2.0
"""The total that may wait, as a multiple of a standing queue's limit, if tenants without a standing queue are
included."""
PURGE_ABOVE = 1024


@dataclass(eq=False, slots=True)
class Place:
    """A request's place in the engine, given back once. ``predicted_s`` is the wait that was expected."""

    _gate: Gate
    _ticket: Ticket
    _run: Run
    work: Work
    waited_s: float = 0.0
    predicted_s: float = 0.0
    _left: bool = False

    def follow(self, written: Callable[[], int]) -> None:
        """``written`` returns the number of tokens that the engine has written; the wait of other requests is computed
        from it."""
        self._run.written = written

    def leave(self, usage: Usage | None) -> None:
        """The engine has finished the request, or the caller gave up; ``usage`` is its actual usage, None if
        unknown."""
        if not self._left:
            self._left = True
            self._gate._leave(self, usage)


class Gate:
    """Admission to an engine of ``sequences`` slots and ``kv_tokens`` of cache. Belongs to one event loop.

    The engine has ``spare`` slots more, for tenants below their share.

    ``ahead`` requests are admitted beyond the slots: a free slot is taken in the engine's next step, which a request
    that is only then admitted would miss.
    """

    def __init__(
        self,
        model: str,
        sequences: int,
        kv_tokens: int,
        settings: AdmissionSettings,
        *,
        max_waiting: int,
        ahead: int = 0,
        spare: int = 0,
        waits: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.sequences = sequences
        self.kv_tokens = kv_tokens
        self._room = SlotCapacity(sequences + ahead, kv_tokens, spare=spare, weigh=self._weigh)
        self._running: dict[Ticket, Run] = {}
        self._settings = settings
        self._max_waiting = max_waiting
        self._waits = waits
        self._clock = clock
        self._line = FairQueue(clock, weigh=self._weigh, age_s=settings.age_s)
        self._turns: dict[Ticket, asyncio.Future[Run]] = {}
        self._rate = ServiceRate(sequences)
        self._expected = Expectations()
        self._area, self._area_at = 0.0, clock()
        self._promised = clock()
        self._all = StandingQueue(settings.burst_s)
        self._tenants: dict[str, StandingQueue] = {}
        self._closed = False

    def enter(self, work: Work, context: Context) -> Place | None:
        """A place in the engine if one is free and no request waits; None: call ``wait`` for it."""
        work, ticket = self._ticket(work, context)
        if len(self._line) or not self._fits(ticket):
            return None
        self._line.begin(ticket)
        run = self._take(ticket)
        self._tell(ticket, "admitted")
        return Place(self, ticket, run, work)

    async def wait(self, work: Work, context: Context) -> Place:
        """A place in the engine, once it is this request's turn.

        Raises ``Overloaded`` with ``retry_after`` at once if the wait would be too long or the queue is full (and later
        if a request with priority needs the place, or the wait became too long); also ``DeadlineExceeded``, and
        ``EngineDied`` at shutdown.
        """
        work, ticket = self._ticket(work, context)
        if self._closed:
            raise self._ended()
        expected = self._check(ticket, context)
        self._make_room(ticket)
        turn: asyncio.Future[Run] = asyncio.get_running_loop().create_future()
        self._turns[ticket] = turn
        self._line.push(ticket)
        for line in self._lines(ticket):
            line.join(ticket.arrived)
        self._let_in()
        outcome: Outcome = "left"
        try:
            run = await self._turn(ticket, turn, context)
            outcome = "admitted"
        except DeadlineExceeded:
            outcome = "expired"
            raise
        except Overloaded:
            # A displaced request is in no list any more.
            outcome = "overdue" if ticket in self._turns else "displaced"
            raise
        finally:
            if outcome != "admitted":
                self._give_up(ticket, turn)
            self._tell(ticket, outcome)
        return Place(self, ticket, run, work, run.began - ticket.arrived, expected)

    async def _turn(self, ticket: Ticket, turn: asyncio.Future[Run], context: Context) -> Run:
        remaining, most = context.remaining(), self._longest(ticket)
        try:
            async with asyncio.timeout(min((each for each in (remaining, most) if each is not None), default=None)):
                return await turn
        except TimeoutError:
            if most is not None and (remaining is None or remaining > most):
                self._note_refusal(ticket)
                raise self._refusal(ticket, LEAST_RETRY_S, f"no place became free in {most:g} s") from None
            late = f"no place in {self.model} became free before the deadline"
            remedy = "Try again later, or allow more time"
            raise DeadlineExceeded(late, remedy=remedy, retry_after=LEAST_RETRY_S) from None

    @property
    def running(self) -> int:
        """Sequences that run."""
        return self._room.slots

    @property
    def reserved(self) -> int:
        """The tokens of cache that they may need at most."""
        return self._room.tokens

    @property
    def busy(self) -> bool:
        """Whether requests are waiting, so that a newcomer must wait too."""
        return len(self._line) > 0

    def refuse_what_is_too_late(self, work: Work, context: Context) -> None:
        """Raise ``Overloaded`` if ``wait`` would raise it at once because of the expected wait, and count the refusal.
        An early check: it joins no queue and displaces no request."""
        self._check(self._ticket(work, context)[1], context)

    def close(self) -> None:
        """Admit no further requests; waiting requests get an error."""
        self._closed = True
        for turn in list(self._turns.values()):
            if not turn.done():
                turn.set_exception(self._ended())

    def _ended(self) -> EngineDied:
        return EngineDied(f"the engine of {self.model} was closed")

    def statistics(self) -> dict[str, float]:
        """Gauges for metrics."""
        counts = {f"queued_{priority.name.lower()}": float(self._line.count(priority)) for priority in Priority}
        rate = self._rate.per_second(1.0) if self._rate.measured else 0.0
        return {
            **counts,
            "admitted": self.running,
            "service_rate": rate,
            "standing": float(self._all.stands(self._clock())),
        }

    # --- who may run ------------------------------------------------------------------------------------------

    def _ticket(self, asked: Work, context: Context) -> tuple[Work, Ticket]:
        """The work that is expected, and its ticket."""
        principal = context.principal
        work = self._expected.within(principal.tenant, asked)
        expected = self._expected.of(principal.tenant)
        # A request beyond the engine's capacity is left for the engine to refuse: here it must not wait for ever.
        return work, Ticket(
            principal.tenant,
            principal.key_id,
            Priority.BATCH if context.batch else Priority.of(context.priority),
            expected.cost(work),
            min(work.width, self.sequences),
            min(self._expected.tokens(principal.tenant, work), self.kv_tokens),
            self._clock(),
            asked.most,
            work.reads,
        )

    def _weigh(self, tenant: str) -> float:
        return self._settings.shares.get(tenant, 1.0)

    def _fits(self, ticket: Ticket) -> bool:
        return self._room.fits(ticket.tenant, ticket.width, ticket.tokens) and not self._closed

    def _passes(self, ticket: Ticket, blocked: Ticket) -> bool:
        """Whether ``ticket`` uses no room that ``blocked`` waits for, but only room reserved for others."""
        below = self._room.below
        return below(ticket.tenant, ticket.width, ticket.tokens) and not below(
            blocked.tenant, blocked.width, blocked.tokens
        )

    def _take(self, ticket: Ticket) -> Run:
        area = self._area_now()
        self._room.take(ticket.tenant, ticket.width, ticket.tokens)
        run = self._running[ticket] = Run(self._clock(), area)
        return run

    def _give_back(self, ticket: Ticket) -> None:
        self._area_now()
        del self._running[ticket]
        self._room.give(ticket.tenant, ticket.width, ticket.tokens)

    def _let_in(self) -> None:
        while (ticket := self._line.pop(self._fits, self._passes)) is not None:
            run = self._take(ticket)
            self._part(ticket)
            turn = self._turns.pop(ticket)
            if turn.done():
                self._undo(ticket)
            else:
                turn.set_result(run)

    def _undo(self, ticket: Ticket) -> None:
        """Undo the admission of a request whose caller left at the same moment."""
        self._line.settle(ticket, 0.0)
        self._give_back(ticket)

    def _withdraw(self, ticket: Ticket) -> None:
        self._line.remove(ticket)
        self._part(ticket)

    def _lines(self, ticket: Ticket) -> list[StandingQueue]:
        """The queues of a request: the common one and its tenant's. Requests of lower classes have none, since they
        delay no others."""
        if ticket.priority is not Priority.INTERACTIVE:
            return []
        if ticket.tenant not in self._tenants:
            if len(self._tenants) >= PURGE_ABOVE:
                now = self._clock()
                self._tenants = {name: line for name, line in self._tenants.items() if line.stands(now) or line.count}
            self._tenants[ticket.tenant] = StandingQueue(self._settings.burst_s)
        return [self._all, self._tenants[ticket.tenant]]

    def _part(self, ticket: Ticket) -> None:
        for line in self._lines(ticket):
            line.count -= 1

    def _give_up(self, ticket: Ticket, turn: asyncio.Future[Run]) -> None:
        if self._turns.pop(ticket, None) is not None:
            self._withdraw(ticket)
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self._undo(ticket)
        self._let_in()

    def _leave(self, place: Place, usage: Usage | None) -> None:
        ticket, run = place._ticket, place._run
        duration = self._clock() - run.began
        if usage is not None:
            spent = INPUT_COST * (usage.prompt_tokens - usage.cached_tokens) + usage.completion_tokens
            self._line.settle(ticket, spent)
            if usage.completion_tokens:
                self._expected.learn(ticket.tenant, place.work, usage)
                if duration > 0:
                    self._rate.observe(spent, duration, (self._area_now() - run.area) / duration)
        self._give_back(ticket)
        self._let_in()

    def _area_now(self) -> float:
        """The integral of ``running`` over time."""
        now = self._clock()
        self._area += self._room.slots * (now - self._area_at)
        self._area_at = now
        return self._area

    def _tell(self, ticket: Ticket, outcome: Outcome) -> None:
        if self._waits is not None:
            waited = self._clock() - ticket.arrived
            self._waits.queued(self.model, ticket.priority.name.lower(), waited, outcome)

    # --- who is refused ---------------------------------------------------------------------------------------

    def _longest(self, ticket: Ticket) -> float | None:
        """The longest permitted wait for that class in seconds; None: unlimited."""
        if ticket.priority is Priority.BATCH:
            return None
        interactive = ticket.priority is Priority.INTERACTIVE
        return self._settings.max_wait_s if interactive else self._settings.background_wait_s

    def _bound(self, ticket: Ticket) -> float | None:
        """The longest wait, in seconds, with which a request is admitted; None: unlimited."""
        settings, now, longest = self._settings, self._clock(), self._longest(ticket)
        if longest is None or ticket.priority is not Priority.INTERACTIVE:
            return longest
        if not self._rate.measured or not self._all.stands(now):
            return longest
        tight = min(longest, max(LEAST_STANDING_S, settings.standing_wait * self._rate.duration_s))
        theirs = self._tenants.get(ticket.tenant)
        whole = self._line.queued(ticket.priority) / self._rate.per_second(ticket.cost)
        if (theirs is None or not theirs.stands(now)) and whole <= OTHERS * tight:
            # The queue belongs to tenants that ask for more than their share.
            return longest
        return tight

    def _check(self, ticket: Ticket, context: Context) -> float:
        """The expected wait; raises ``Overloaded`` if that is too long."""
        bound, remaining = self._bound(ticket), context.remaining()
        if remaining is None and bound is None:
            return 0.0
        before = self._line.before(ticket)
        wait = predicted(self._room, self._running, self._rate, before, ticket, self._clock())
        if not self._knows():
            return wait
        if remaining is not None and wait >= remaining:
            self._refuse(ticket, wait - remaining, f"the wait of {wait:.1f} s would outlast the deadline")
        if bound is not None and wait > bound:
            self._refuse(ticket, wait - bound, f"the wait of {wait:.1f} s exceeds the {bound:.1f} s that are allowed")
        return wait

    def _knows(self) -> bool:
        """Whether the wait is more than a guess: a request has ended, or one runs for long."""
        guessed = self._clock() - FIRST_DURATION_S
        return self._rate.measured or any(run.began < guessed for run in self._running.values())

    def _make_room(self, ticket: Ticket) -> None:
        count = self._line.count(ticket.priority)
        if count < self._max_waiting:
            return
        other = self._line.newest_of_longest(ticket) if count else None
        each = self._line.ahead(ticket) / count if count else ticket.cost
        until = max(each, 1.0) / self._rate.per_second(ticket.cost)
        why = f"{count} requests wait already"
        if other is None:
            self._refuse(ticket, until, why)
        turn = self._turns.pop(other)
        self._withdraw(other)
        if not turn.done():
            turn.set_exception(self._refusal(other, until, f"{why}, most of them of this tenant"))

    def _refuse(self, ticket: Ticket, until: float, why: str) -> NoReturn:
        self._note_refusal(ticket)
        self._tell(ticket, "refused")
        raise self._refusal(ticket, until, why)

    def _note_refusal(self, ticket: Ticket) -> None:
        now = self._clock()
        for line in self._lines(ticket):
            # A queue that is not standing is not the cause: the request is refused because of the other queue.
            if line is self._all or line.stands(now):
                line.refused_at = now

    def _refusal(self, ticket: Ticket, until: float, why: str) -> Overloaded:
        """The error, with the time to try again. The times of several requests are staggered: if they returned
        together, they would be refused again."""
        now = self._clock()
        share = self._rate.per_second(ticket.cost) * self._line.part(ticket)
        turn = max(now + until, self._promised) + ticket.cost / share
        self._promised = min(turn, now + MOST_RETRY_S)
        wait = min(MOST_RETRY_S, max(LEAST_RETRY_S, turn - now))
        return Overloaded(
            f"{self.model} is overloaded: {why}", remedy=f"Try again in {wait:.0f} s", retry_after=round(wait, 1)
        )
