"""Predicts the wait of a request for its place in an engine, by simulating the running and waiting requests.

Each running request is assumed to continue at its own pace so far, or at the engine's average; when one ends, waiting
requests start in order if they fit, as the gate would admit them.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mainspring.engines.openvino.slots import SlotCapacity
from mainspring.serving.admit.fair_queue import MOST_OVERTAKEN, Ticket
from mainspring.serving.admit.service_rate import FIRST_DURATION_S, ServiceRate

TELLING = 8
"""Tokens that a sequence must write before its own pace counts."""


@dataclass(eq=False, slots=True)
class Run:
    """One that runs: since when, the area of the gate then, and how many tokens it has written."""

    began: float
    area: float
    written: Callable[[], int] | None = None


@dataclass(frozen=True, slots=True)
class RunRemainder:
    """A running request and its expected remaining seconds."""

    ticket: Ticket
    seconds: float


def predicted(
    room: SlotCapacity,
    runs: Mapping[Ticket, Run],
    rate: ServiceRate,
    before: Iterator[Ticket],
    ticket: Ticket,
    now: float,
) -> float:
    """Seconds until ``ticket`` would begin behind those ``before`` it. Without any history, a running request is
    assumed to take as long again as it has, and at least ``FIRST_DURATION_S``."""
    written = {each: run.written() if run.written else 0 for each, run in runs.items()}
    speeds = [
        each_written / (now - runs[each].began) / each.width
        for each, each_written in written.items()
        if each_written >= TELLING and now > runs[each].began
    ]
    speed = sum(speeds) / len(speeds) if speeds else rate.per_second(1.0) / max(1, room.slots) if rate.measured else 0.0

    def left_s(each: Ticket) -> float:
        lasted = now - runs[each].began
        if not speed:
            return max(FIRST_DURATION_S - lasted, lasted)
        if written[each] >= TELLING and lasted > 0:
            done, fast = each.reads + written[each], written[each] / lasted
        else:
            fast = speed * each.width
            done = fast * lasted
        return remaining_work(each.cost, each.most, done) / fast

    def lasts(each: Ticket) -> float:
        return each.cost / (speed * each.width) if speed else rate.duration_s

    return wait(room.copy(), [RunRemainder(each, left_s(each)) for each in runs], before, ticket, lasts)


def remaining_work(expected: float, most: float, done: float) -> float:
    """The remaining work of a request after ``done``. One that took more than was expected is taken to have as much
    before it as behind it, within ``most``."""
    return expected - done if expected > done else max(0.0, min(most - done, done))


def wait(
    room: SlotCapacity,
    running: Iterable[RunRemainder],
    before: Iterator[Ticket],
    ticket: Ticket,
    lasts: Callable[[Ticket], float],
) -> float:
    """Seconds until ``ticket`` begins, behind those ``before`` it. ``lasts`` are the seconds that a ticket takes once
    it runs. ``room`` is used up."""
    ends = [(each.seconds, number, each.ticket) for number, each in enumerate(running)]
    heapq.heapify(ends)
    line, now, number = _Line(before, ticket), 0.0, len(ends)
    while True:
        while (each := line.next(room)) is not None:
            if each is ticket:
                return now
            room.take(each.tenant, each.width, each.tokens)
            heapq.heappush(ends, (now + lasts(each), number, each))
            number += 1
        if not ends:
            return now
        now, _, over = heapq.heappop(ends)
        room.give(over.tenant, over.width, over.tokens)


class _Line:
    """The waiting requests, in the order in which ``FairQueue`` would start them."""

    def __init__(self, before: Iterator[Ticket], ticket: Ticket) -> None:
        self._coming = before
        self._ticket = ticket
        self._over = False
        self._stuck: dict[str, deque[Ticket]] = {}
        self._passed = 0

    def next(self, room: SlotCapacity) -> Ticket | None:
        """The requests that start now; None: none until another ends."""
        for tenant, tickets in self._stuck.items():
            if self._fits(room, tickets[0]):
                ticket = tickets.popleft()
                del self._stuck[tenant]
                self._passed = 0
                if tickets:
                    # Tenants take turns.
                    self._stuck[tenant] = tickets
                return ticket
        while not self._over:
            ticket = next(self._coming, self._ticket)
            self._over = ticket is self._ticket
            if ticket.tenant not in self._stuck and self._fits(room, ticket):
                return ticket
            self._stuck.setdefault(ticket.tenant, deque()).append(ticket)
        return None

    def _fits(self, room: SlotCapacity, ticket: Ticket) -> bool:
        if not room.fits(ticket.tenant, ticket.width, ticket.tokens):
            return False
        first = next(iter(self._stuck.values()), None)
        if first is None or first[0] is ticket or room.below(ticket.tenant, ticket.width, ticket.tokens):
            return True
        self._passed += 1
        return self._passed <= MOST_OVERTAKEN
