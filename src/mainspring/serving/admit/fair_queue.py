"""The order of waiting requests: priority classes, within a class fair shares of tenants, within a tenant of its keys.

Fairness is counted in tokens, as in the virtual token counter of Sheng et al., "Fairness in Serving Large Language
Models" (OSDI 2024). Each tenant has a counter of its started work, divided by its weight, and the waiting tenant with
the lowest counter goes next. A tenant that starts to wait is lifted to the lowest counter of the waiting ones, so that
an idle tenant gains no credit. Work is estimated at its start and corrected to the actual work.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mainspring.core.types import Priority

Weigh = Callable[[str], float]
LEAST_COST = 1.0
PURGE_ABOVE = 1024
MOST_OVERTAKEN = 16
"""How often smaller requests may overtake one that does not fit yet."""


@dataclass(eq=False, slots=True)
class Ticket:
    """One request in the line. ``cost`` is its expected work, ``most`` its maximum, ``reads`` the part of it for the
    prompt; ``width`` the number of concurrent sequences, ``tokens`` the maximum of KV tokens; ``arrived`` is on the
    gate's clock."""

    tenant: str
    key: str
    priority: Priority
    cost: float
    width: int
    tokens: int
    arrived: float
    most: float = float("inf")
    reads: float = 0.0
    overtaken: int = 0


Passes = Callable[[Ticket, Ticket], bool]


def _never(_ticket: Ticket, _blocked: Ticket) -> bool:
    return False


@dataclass(eq=False, slots=True)
class _Lane:
    """The waiting requests of one name. ``counter`` is the work begun for it, over its weight."""

    weight: float
    counter: float = 0.0
    queued: float = 0.0
    line: deque[Ticket] = field(default_factory=deque)
    keys: _Shares | None = None

    @property
    def waits(self) -> bool:
        return bool(self.line) or (self.keys is not None and self.keys.waits)

    def order(self, path: tuple[str, ...], last: Ticket | None) -> Iterator[Ticket]:
        """Its tickets in their turns; see ``_Shares.order``."""
        if path or self.keys is not None:
            yield from _keys(self).order(path, last)
            return
        yield from self.line
        if last is not None:
            yield last


class _Shares:
    """Lanes that share one resource by weight."""

    def __init__(self, weigh: Weigh) -> None:
        self._weigh = weigh
        self._clock = 0.0
        self.lanes: dict[str, _Lane] = {}
        self.active: dict[str, _Lane] = {}

    @property
    def waits(self) -> bool:
        return bool(self.active)

    def join(self, name: str) -> _Lane:
        """The lane of ``name``, about to wait."""
        lane = self._lane(name)
        if name not in self.active:
            self._advance()
            lane.counter = max(lane.counter, self._clock)
            self.active[name] = lane
        return lane

    def leave(self, name: str) -> None:
        """Call it when a request leaves the lane of ``name``."""
        lane = self.active.get(name)
        if lane is not None and not lane.waits:
            self._advance()
            del self.active[name]

    def begin(self, name: str, cost: float) -> None:
        """Work of ``cost`` begins for ``name``."""
        lane = self._lane(name)
        lane.counter = max(lane.counter, self._clock)
        # While no request waits, usage delays no other tenant, so it must not become a debt.
        self._advance() if self.active else self._turn_to(lane.counter)
        lane.counter += cost / lane.weight

    def settle(self, name: str, difference: float) -> None:
        """The work of ``name`` was larger by this much than the estimate at its start."""
        lane = self._lane(name)
        lane.counter += difference / lane.weight

    def in_turn(self) -> list[tuple[str, _Lane]]:
        """The lanes with waiting requests, the next one first."""
        return sorted(self.active.items(), key=lambda named: named[1].counter)

    def order(self, path: tuple[str, ...] = (), last: Ticket | None = None) -> Iterator[Ticket]:
        """The waiting requests in order if no others arrive, including ``last`` as if it had joined the lane at
        ``path``."""
        lanes = dict(self.active)
        floor = max(self._clock, min((lane.counter for lane in lanes.values()), default=self._clock))
        if path and path[0] not in lanes:
            known = self.lanes.get(path[0])
            lanes[path[0]] = known or _Lane(self._weigh(path[0]), floor)
        heads: list[tuple[float, int, float, Ticket, Iterator[Ticket]]] = []
        for number, (name, lane) in enumerate(lanes.items()):
            mine = bool(path) and name == path[0]
            tickets = lane.order(path[1:] if mine else (), last if mine else None)
            counter = lane.counter if name in self.active else max(lane.counter, floor)
            if (first := next(tickets, None)) is not None:
                heads.append((counter, number, lane.weight, first, tickets))
        heapq.heapify(heads)
        while heads:
            counter, number, weight, ticket, tickets = heads[0]
            yield ticket
            following = next(tickets, None)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, (counter + ticket.cost / weight, number, weight, following, tickets))

    def part(self, name: str) -> float:
        """The share of ``name`` among the requests that wait now."""
        mine = self._weigh(name)
        return mine / (mine + sum(lane.weight for other, lane in self.active.items() if other != name))

    def _lane(self, name: str) -> _Lane:
        lane = self.lanes.get(name)
        if lane is None:
            if len(self.lanes) >= PURGE_ABOVE:
                self._purge()
            lane = self.lanes[name] = _Lane(self._weigh(name), self._clock)
        return lane

    def _advance(self) -> None:
        if self.active:
            self._turn_to(min(lane.counter for lane in self.active.values()))

    def _turn_to(self, counter: float) -> None:
        # Never backwards: newcomers must not precede tenants that have been served.
        self._clock = max(self._clock, counter)

    def _purge(self) -> None:
        self.lanes = {
            name: lane for name, lane in self.lanes.items() if name in self.active or lane.counter > self._clock
        }


class FairQueue:
    """Everybody who waits for one engine. ``weigh`` gives a tenant's weight (keys of a tenant are equal).

    The highest class goes first. A request that has waited in a lower class for ``age_s`` seconds goes first once in
    ``aged_every`` turns, so that nothing starves and the higher class loses at most that share.
    """

    def __init__(
        self, clock: Callable[[], float], *, weigh: Weigh = lambda _: 1.0, age_s: float = 30.0, aged_every: int = 10
    ) -> None:
        self._clock = clock
        self._weigh = weigh
        self._age_s = age_s
        self._aged_every = aged_every
        self._turns = 0
        self._classes = {priority: _Shares(weigh) for priority in sorted(Priority, reverse=True)}
        self._counts = dict.fromkeys(Priority, 0)
        self._queued = dict.fromkeys(Priority, 0.0)

    def __len__(self) -> int:
        return sum(self._counts.values())

    def count(self, priority: Priority) -> int:
        """How many of that class wait."""
        return self._counts[priority]

    def queued(self, priority: Priority) -> float:
        """The work that waits in that class and the higher ones."""
        return sum(self._queued[each] for each in Priority if each >= priority)

    def push(self, ticket: Ticket) -> None:
        """Let ``ticket`` wait."""
        ticket.cost = max(LEAST_COST, ticket.cost)
        lane = self._classes[ticket.priority].join(ticket.tenant)
        key = _keys(lane).join(ticket.key)
        key.line.append(ticket)
        self._note(ticket, lane, key, 1)

    def pop(self, fits: Callable[[Ticket], bool], passes: Passes = _never) -> Ticket | None:
        """The next ticket, which has then started; None if nobody waits or the next one does not fit.

        ``passes`` tells whether its first ticket takes no room that the second, which waits for room, could have: it
        passes that one however often that was overtaken.
        """
        for shares, aged in self._order():
            chosen, blocked = _choose(shares, fits, passes)
            if chosen is not None:
                if blocked is not None and not passes(chosen, blocked):
                    blocked.overtaken += 1
                self._turns = 0 if aged else self._turns + 1
                self._drop(chosen)
                self.begin(chosen)
                return chosen
            if blocked is None or not aged or blocked.overtaken >= MOST_OVERTAKEN:
                # Requests of a lower class would take the room that the higher one waits for.
                return None
            blocked.overtaken += 1
        return None

    def begin(self, ticket: Ticket) -> None:
        """Count ``ticket`` as started; ``pop`` does so, and a request that never waited is counted by this call."""
        ticket.cost = max(LEAST_COST, ticket.cost)
        shares = self._classes[ticket.priority]
        shares.begin(ticket.tenant, ticket.cost)
        _keys(shares.lanes[ticket.tenant]).begin(ticket.key, ticket.cost)

    def settle(self, ticket: Ticket, cost: float) -> None:
        """Replace the expected work of a started ticket by its actual work."""
        cost = max(LEAST_COST, cost)
        shares = self._classes[ticket.priority]
        shares.settle(ticket.tenant, cost - ticket.cost)
        _keys(shares.lanes[ticket.tenant]).settle(ticket.key, cost - ticket.cost)
        ticket.cost = cost

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out of the line. ``ValueError`` when it does not wait."""
        self._drop(ticket)

    def ahead(self, ticket: Ticket) -> float:
        """The work before ``ticket`` if it joined now and no others arrived: as if its tenant and key had their share
        of the engine for themselves, but never more than all waiting work before it."""
        total = self.queued(ticket.priority)
        above = total - self._queued[ticket.priority]
        shares = self._classes[ticket.priority]
        part = shares.part(ticket.tenant)
        lane = shares.active.get(ticket.tenant)
        if lane is None:
            return above
        key = _keys(lane).active.get(ticket.key)
        mine = key.queued / _keys(lane).part(ticket.key) if key is not None else 0.0
        return min(total, above + min(lane.queued, mine) / part)

    def before(self, ticket: Ticket) -> Iterator[Ticket]:
        """The requests before ``ticket`` if it joined now and no others arrived, in order."""
        for priority, shares in self._classes.items():
            if priority > ticket.priority:
                yield from shares.order()
        for each in self._classes[ticket.priority].order((ticket.tenant, ticket.key), ticket):
            if each is ticket:
                return
            yield each

    def part(self, ticket: Ticket) -> float:
        """The share of the engine that the tenant of ``ticket`` has while it waits."""
        return self._classes[ticket.priority].part(ticket.tenant)

    def newest_of_longest(self, ticket: Ticket) -> Ticket | None:
        """The request that makes room for ``ticket`` when the queue of its class is full: the last request of the
        tenant with the most waiting work by weight, if that work is more than the newcomer's tenant would have."""
        shares = self._classes[ticket.priority]
        if not shares.active:
            return None
        mine = shares.active.get(ticket.tenant)
        asked = ((mine.queued if mine else 0.0) + ticket.cost) / self._weigh(ticket.tenant)
        lane = max(shares.active.values(), key=lambda each: each.queued / each.weight)
        if lane is mine or lane.queued / lane.weight <= asked:
            return None
        return max(_keys(lane).active.values(), key=lambda key: key.queued).line[-1]

    def _order(self) -> Iterator[tuple[_Shares, bool]]:
        """The classes whose turn it may be, the first first, and whether one jumps the line by its age."""
        waiting = [shares for shares in self._classes.values() if shares.waits]
        aged = next((shares for shares in waiting[1:] if self._is_old(shares)), None)
        if aged is None:
            self._turns = 0
        elif self._turns + 1 >= self._aged_every:
            yield aged, True
        if waiting:
            yield waiting[0], False

    def _is_old(self, shares: _Shares) -> bool:
        due = self._clock() - self._age_s
        lines = (key.line for lane in shares.active.values() for key in _keys(lane).active.values())
        return any(line[0].arrived <= due for line in lines)

    def _drop(self, ticket: Ticket) -> None:
        shares = self._classes[ticket.priority]
        lane = shares.active.get(ticket.tenant)
        key = _keys(lane).active.get(ticket.key) if lane else None
        if lane is None or key is None:
            raise ValueError("the ticket does not wait")
        key.line.remove(ticket)
        _keys(lane).leave(ticket.key)
        shares.leave(ticket.tenant)
        self._note(ticket, lane, key, -1)

    def _note(self, ticket: Ticket, lane: _Lane, key: _Lane, sign: int) -> None:
        # An empty line holds exactly nothing: sums of floats would leave a rest.
        for each in (lane, key):
            each.queued = each.queued + sign * ticket.cost if each.waits else 0.0
        self._counts[ticket.priority] += sign
        rest = self._queued[ticket.priority] + sign * ticket.cost
        self._queued[ticket.priority] = rest if self._counts[ticket.priority] else 0.0


def _keys(lane: _Lane) -> _Shares:
    """The keys of a tenant's lane, which share it equally."""
    if lane.keys is None:
        lane.keys = _Shares(lambda _: 1.0)
    return lane.keys


def _choose(shares: _Shares, fits: Callable[[Ticket], bool], passes: Passes) -> tuple[Ticket | None, Ticket | None]:
    """The next request that fits, and the first one before it that does not."""
    blocked: Ticket | None = None
    for _, lane in shares.in_turn():
        for _, key in _keys(lane).in_turn():
            ticket = key.line[0]
            if not fits(ticket):
                blocked = blocked or ticket
            elif blocked is None or blocked.overtaken < MOST_OVERTAKEN or passes(ticket, blocked):
                return ticket, blocked
    return None, blocked
