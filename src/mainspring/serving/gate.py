"""The gate before one engine: it lets in as many as the engine can run, has the others wait their turn, and refuses
at once those whose turn would come too late.

How long somebody would wait is computed from the work that is before them and the rate at which the engine was
measured to serve. A burst may wait ``max_wait_s``; but a line that does not empty for ``burst_s`` adds to everybody's
latency and nothing to what is served, so while it stands, and until nobody had to be refused for a while, only as
much may wait as keeps the engine busy (``standing_wait`` of the time that a request takes to serve). That is the
controlled delay of Maurer, "Fail at Scale" (ACM Queue 13:8, 2015), with the bound on the predicted wait, so that who
is refused is refused at once. Each tenant has such a line of its own (as flows have in RFC 8290): whose line does not
stand is not refused for that of the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn, Protocol

from mainspring.errors import DeadlineExceeded, EngineDied, Overloaded
from mainspring.serving.fair import FairQueue, Ticket
from mainspring.serving.rate import ServiceRate
from mainspring.settings.queueing import AdmissionSettings
from mainspring.types import Context, Priority, Usage

Outcome = Literal["admitted", "refused", "displaced", "expired", "left"]
INPUT_COST = 0.5
"""What a token that is read costs of one that is written (VTC's weights: 1 and 2)."""
LEAST_RETRY_S, MOST_RETRY_S = 1.0, 60.0
LEAST_STANDING_S = 0.1
LEARNT = 0.1
CALM = 5.0
"""So many times ``burst_s`` must pass without a refusal until a burst may wait again."""
OTHERS = 2.0
"""So many times what may stand in line may wait in all when those whose own line does not stand are counted in."""
PURGE_ABOVE = 1024


class Waits(Protocol):
    """What the gate tells of each request: its class, how long it waited (seconds), and how that ended."""

    def queued(self, model: str, priority: str, seconds: float, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Work:
    """What a request asks of an engine, estimated: tokens to read, the most to write in each of ``width``
    sequences."""

    prompt: int
    output: int
    width: int = 1


@dataclass(eq=False, slots=True)
class Place:
    """A request's place in the engine. ``leave`` gives it back, once."""

    _gate: Gate
    _ticket: Ticket
    work: Work
    waited_s: float
    _began: float
    _area: float
    _left: bool = False

    def leave(self, usage: Usage | None) -> None:
        """The engine is done with it, or it is given up; ``usage`` is what it really took, None where unknown."""
        if not self._left:
            self._left = True
            self._gate._leave(self, usage)


class _Expected:
    """How much of what requests may take they take, learnt from those that have ended."""

    def __init__(self) -> None:
        self.prompt = 1.0
        self.output = 1.0

    def cost(self, work: Work) -> float:
        return INPUT_COST * work.prompt * self.prompt + work.output * work.width * self.output

    def learn(self, work: Work, usage: Usage) -> None:
        if work.prompt and usage.prompt_tokens:
            self.prompt += LEARNT * (usage.prompt_tokens / work.prompt - self.prompt)
        if work.output:
            share = min(1.0, usage.completion_tokens / (work.output * work.width))
            self.output += LEARNT * (share - self.output)


class _Line:
    """Whether a line stands: it has not been empty for longer than a burst lasts, or somebody had to be refused a
    short while ago."""

    def __init__(self, burst_s: float) -> None:
        self._burst_s = burst_s
        self._since = 0.0
        self.count = 0
        self.refused_at = float("-inf")

    def join(self, now: float) -> None:
        if not self.count:
            self._since = now
        self.count += 1

    def stands(self, now: float) -> bool:
        long = self.count > 0 and now - self._since > self._burst_s
        return long or now - self.refused_at < CALM * self._burst_s


class Gate:
    """Admission to an engine of ``sequences`` slots and ``kv_tokens`` of cache. Belongs to one event loop.

    ``ahead`` are let in beyond the slots, into the engine's own line: a slot that becomes free is taken in the engine's
    next step, where who is told of it only then would miss that step.
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
        waits: Waits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.model = model
        self.sequences = sequences
        self._ahead = ahead
        self.kv_tokens = kv_tokens
        self.running = 0
        self.reserved = 0
        self._settings = settings
        self._max_waiting = max_waiting
        self._waits = waits
        self._clock = clock
        self._line = FairQueue(clock, weigh=self._weigh, age_s=settings.age_s)
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._rate = ServiceRate(sequences)
        self._expected = _Expected()
        self._area, self._area_at = 0.0, clock()
        self._promised = clock()
        self._all = _Line(settings.burst_s)
        self._tenants: dict[str, _Line] = {}
        self._closed = False

    def enter(self, work: Work, context: Context) -> Place | None:
        """A place in the engine where there is one free and nobody waits; None: ``wait`` for it."""
        ticket = self._ticket(work, context)
        if len(self._line) or not self._fits(ticket):
            return None
        self._line.begin(ticket)
        self._take(ticket)
        self._tell(ticket, "admitted")
        return Place(self, ticket, work, 0.0, ticket.arrived, self._area)

    async def wait(self, work: Work, context: Context) -> Place:
        """A place in the engine, once it is this request's turn.

        Raises ``Overloaded`` at once, with ``retry_after``, where that would take too long or the line is full (and
        later where somebody with a better right needs the room), ``DeadlineExceeded``, ``EngineDied`` at the end.
        """
        ticket = self._ticket(work, context)
        if self._closed:
            raise self._ended()
        self._check(ticket, context)
        self._make_room(ticket)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns[ticket] = turn
        self._line.push(ticket)
        for line in self._lines(ticket):
            line.join(ticket.arrived)
        self._let_in()
        outcome: Outcome = "left"
        try:
            async with asyncio.timeout(context.remaining()):
                await turn
            outcome = "admitted"
        except TimeoutError:
            outcome = "expired"
            late = f"no place in {self.model} became free before the deadline"
            remedy = "Try again later, or allow more time"
            raise DeadlineExceeded(late, remedy=remedy, retry_after=LEAST_RETRY_S) from None
        except Overloaded:
            outcome = "displaced"
            raise
        finally:
            if outcome != "admitted":
                self._give_up(ticket, turn)
            self._tell(ticket, outcome)
        now = self._clock()
        return Place(self, ticket, work, now - ticket.arrived, now, self._area_now())

    @property
    def busy(self) -> bool:
        """Whether somebody waits: who comes now has to."""
        return len(self._line) > 0

    def refuse_what_is_too_late(self, work: Work, context: Context) -> None:
        """Raise ``Overloaded`` where ``wait`` would at once because of the wait, and count it. For an early look:
        nobody joins the line, nobody is displaced."""
        self._check(self._ticket(work, context), context)

    def close(self) -> None:
        """Nobody is let in any more; who waits is told."""
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

    def _ticket(self, work: Work, context: Context) -> Ticket:
        principal = context.principal
        # What exceeds the engine is for the engine to refuse, in its own words: here it only must not wait for ever.
        return Ticket(
            principal.tenant,
            principal.key_id,
            Priority.BATCH if context.batch else Priority.of(context.priority),
            self._expected.cost(work),
            min(work.width, self.sequences),
            min(round(work.prompt * self._expected.prompt) + work.output * work.width, self.kv_tokens),
            self._clock(),
        )

    def _weigh(self, tenant: str) -> float:
        return self._settings.shares.get(tenant, 1.0)

    def _fits(self, ticket: Ticket) -> bool:
        places = self.sequences + self._ahead
        room = self.running + ticket.width <= places and self.reserved + ticket.tokens <= self.kv_tokens
        return room and not self._closed

    def _take(self, ticket: Ticket) -> None:
        self._area_now()
        self.running += ticket.width
        self.reserved += ticket.tokens

    def _give_back(self, ticket: Ticket) -> None:
        self._area_now()
        self.running -= ticket.width
        self.reserved -= ticket.tokens

    def _let_in(self) -> None:
        while (ticket := self._line.pop(self._fits)) is not None:
            self._take(ticket)
            self._part(ticket)
            turn = self._turns.pop(ticket)
            if turn.done():
                self._undo(ticket)
            else:
                turn.set_result(None)

    def _undo(self, ticket: Ticket) -> None:
        """It was let in, and its caller left in the same moment."""
        self._line.settle(ticket, 0.0)
        self._give_back(ticket)

    def _withdraw(self, ticket: Ticket) -> None:
        self._line.remove(ticket)
        self._part(ticket)

    def _lines(self, ticket: Ticket) -> list[_Line]:
        """The lines that it stands in: everybody's and its tenant's. Those of lower classes keep nobody waiting."""
        if ticket.priority is not Priority.INTERACTIVE:
            return []
        if ticket.tenant not in self._tenants:
            if len(self._tenants) >= PURGE_ABOVE:
                now = self._clock()
                self._tenants = {name: line for name, line in self._tenants.items() if line.stands(now) or line.count}
            self._tenants[ticket.tenant] = _Line(self._settings.burst_s)
        return [self._all, self._tenants[ticket.tenant]]

    def _part(self, ticket: Ticket) -> None:
        for line in self._lines(ticket):
            line.count -= 1

    def _give_up(self, ticket: Ticket, turn: asyncio.Future[None]) -> None:
        if self._turns.pop(ticket, None) is not None:
            self._withdraw(ticket)
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            self._undo(ticket)
        self._let_in()

    def _leave(self, place: Place, usage: Usage | None) -> None:
        ticket, duration = place._ticket, self._clock() - place._began
        if usage is not None:
            spent = INPUT_COST * (usage.prompt_tokens - usage.cached_tokens) + usage.completion_tokens
            self._line.settle(ticket, spent)
            if usage.completion_tokens:
                self._expected.learn(place.work, usage)
                if duration > 0:
                    self._rate.observe(spent, duration, (self._area_now() - place._area) / duration)
        self._give_back(ticket)
        self._let_in()

    def _area_now(self) -> float:
        """The integral of ``running`` over time: between two moments it gives the average."""
        now = self._clock()
        self._area += self.running * (now - self._area_at)
        self._area_at = now
        return self._area

    def _tell(self, ticket: Ticket, outcome: Outcome) -> None:
        if self._waits is not None:
            waited = self._clock() - ticket.arrived
            self._waits.queued(self.model, ticket.priority.name.lower(), waited, outcome)

    # --- who is refused ---------------------------------------------------------------------------------------

    def _bound(self, ticket: Ticket) -> float:
        """The longest wait, in seconds, that somebody is let in for."""
        settings, now = self._settings, self._clock()
        if ticket.priority is Priority.BATCH:
            return float("inf")
        if ticket.priority is Priority.BACKGROUND:
            return settings.background_wait_s
        if not self._all.stands(now):
            return settings.max_wait_s
        tight = min(settings.max_wait_s, max(LEAST_STANDING_S, settings.standing_wait * self._rate.duration_s))
        theirs = self._tenants.get(ticket.tenant)
        if (theirs is None or not theirs.stands(now)) and self._whole(ticket) <= OTHERS * tight:
            # The line is the others', who ask for more than their part.
            return settings.max_wait_s
        return tight

    def _whole(self, ticket: Ticket) -> float:
        """Seconds of work in the line of that class and the higher ones."""
        return self._line.queued(ticket.priority) / self._rate.per_second(ticket.cost)

    def _predicted(self, ticket: Ticket) -> float:
        rate = self._rate.per_second(ticket.cost)
        # Half of what is next has been served on average.
        return (self._line.ahead(ticket) + ticket.cost / 2) / rate

    def _check(self, ticket: Ticket, context: Context) -> None:
        if not self._rate.measured:
            return
        wait, bound = self._predicted(ticket), self._bound(ticket)
        remaining = context.remaining()
        if remaining is not None and wait >= remaining:
            self._refuse(ticket, wait - remaining, f"the wait of {wait:.1f} s would outlast the deadline")
        if wait > bound:
            self._refuse(ticket, wait - bound, f"the wait of {wait:.1f} s exceeds the {bound:.1f} s that are allowed")

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
        for line in self._lines(ticket):
            # A line that does not stand is no cause: it is refused for that of the others.
            if line is self._all or line.stands(ticket.arrived):
                line.refused_at = ticket.arrived
        self._tell(ticket, "refused")
        raise self._refusal(ticket, until, why)

    def _refusal(self, ticket: Ticket, until: float, why: str) -> Overloaded:
        """Until there is room, and then one after the other: all at once they would only be refused again."""
        now = self._clock()
        share = self._rate.per_second(ticket.cost) * self._line.part(ticket)
        turn = max(now + until, self._promised) + ticket.cost / share
        self._promised = min(turn, now + MOST_RETRY_S)
        wait = min(MOST_RETRY_S, max(LEAST_RETRY_S, turn - now))
        return Overloaded(
            f"{self.model} is overloaded: {why}", remedy=f"Try again in {wait:.0f} s", retry_after=round(wait, 1)
        )
