"""The caller, trace, deadline and allowance of a request."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import IntEnum
from typing import Any

from mainspring.core.types.events import Usage
from mainspring.core.types.records import EventRecord
from mainspring.core.types.requests import Message


class Priority(IntEnum):
    """Classes of urgency: waiting requests of a higher class get an engine first."""

    BATCH = -2
    BACKGROUND = -1
    INTERACTIVE = 0

    @classmethod
    def of(cls, number: int) -> Priority:
        """The class of ``Context.priority``; values out of range get the nearest class."""
        return cls(max(cls.BATCH, min(cls.INTERACTIVE, number)))


@dataclass(frozen=True, slots=True)
class TraceParent:
    """W3C trace context: 32 and 16 lower-case hexadecimal digits; ``state`` is the caller's ``tracestate``."""

    trace_id: str
    span_id: str
    sampled: bool = True
    state: str = ""

    @classmethod
    def new(cls) -> TraceParent:
        return cls(os.urandom(16).hex(), os.urandom(8).hex())

    def headers(self) -> dict[str, str]:
        """The headers for another service: the only part of a caller's headers that is passed on."""
        headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"}
        return headers | {"tracestate": self.state} if self.state else headers


class Arrival:
    """The times at which a request arrived and at which its owner was known, in Unix nanoseconds; read once."""

    __slots__ = ("_times",)

    def __init__(self, began_ns: int, known_ns: int) -> None:
        self._times: tuple[int, int] | None = (began_ns, known_ns)

    def take(self) -> tuple[int, int] | None:
        """Both; None from the second time on."""
        times, self._times = self._times, None
        return times


@dataclass(frozen=True, slots=True)
class Reach:
    """The limits of a caller; each is empty if there is none. ``models`` are permitted names, ``collections`` names of
    visible collections, ``regions`` permitted regions."""

    models: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    regions: frozenset[str] = frozenset()

    def beyond(self, other: Reach) -> list[str]:
        """The names of the limits that are laxer than those of ``other``."""
        names = ("models", "collections", "regions")
        pairs = [(name, getattr(self, name), getattr(other, name)) for name in names]
        return [name for name, ours, theirs in pairs if theirs and (not ours or ours - theirs)]


TOKEN = "oidc_"  # noqa: S105 - no secret
"""The prefix of the ``key_id`` of callers with a token of an identity provider."""
CONFINED = "\x1fonly\x1f"
"""How a group begins that is none: it says which collections its holder is confined to. It is one of the groups because
everything is stored for a set of groups: what a confined caller stores (sessions, cached answers, uploads, batches) is
only for callers with the same confinement. No group of a person's begins like this."""


def confined(groups: frozenset[str], collections: frozenset[str]) -> frozenset[str]:
    """``groups``, confined to ``collections`` (none: unchanged)."""
    return groups | {CONFINED + "\x1f".join(sorted(collections))} if collections else groups


def confinement(groups: frozenset[str]) -> frozenset[str]:
    """The collections that ``groups`` are confined to; empty if they are not."""
    found = [group.removeprefix(CONFINED).split("\x1f") for group in groups if group.startswith(CONFINED)]
    return frozenset(name for names in found for name in names)


def real(groups: Iterable[str]) -> frozenset[str]:
    """``groups`` without the one for confinement, for display."""
    return frozenset(group for group in groups if not group.startswith(CONFINED))


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller: the gateway determines it, and it is part of every key in every store. ``tier`` names the key's rate
    limits; ``consent`` says whether its requests may be used for learning if they do not say; ``lineage`` names further
    keys whose budgets count its spending. ``identity`` of a key that replaced another one is the first key of that
    chain."""

    tenant: str
    key_id: str
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    tier: str = ""
    consent: bool = False
    reach: Reach = Reach()
    lineage: tuple[str, ...] = ()
    identity: str = ""

    @property
    def person(self) -> str:
        """The identity that survives the replacement of a key: the owner of personal data."""
        return self.identity or self.key_id

    @property
    def own_keys(self) -> frozenset[str]:
        """This key and the keys that it has replaced: all their requests are the caller's own."""
        replaced = self.lineage[self.lineage.index(self.identity) :] if self.identity in self.lineage else ()
        return frozenset((self.key_id, *replaced))


class Waiting(list[EventRecord]):
    """Facts that wait to be written down; ``all`` are also those that were."""

    def __init__(self) -> None:
        super().__init__()
        self._taken: list[EventRecord] = []

    def clear(self) -> None:
        self._taken += self
        super().clear()

    @property
    def all(self) -> tuple[EventRecord, ...]:
        """Every record so far, written or not."""
        return (*self._taken, *self)


@dataclass(slots=True)
class Allowance:
    """The remaining allowance of a request and all its inner calls, and their spending. Child contexts share it.

    ``tokens``, ``steps`` (model calls) and ``money`` (nano-US-dollars) are the remaining amounts; None: no limit.
    ``Reserve`` sets them from the budgets, with ``reservation``, the reserved amount, and ``capped``: a budget limits
    the tokens more than the caller did. ``Bound`` reserves the maximum usage of a call, ``Admit`` counts the steps,
    ``Meter`` adds to ``spent``. ``session_tokens`` is the amount that ``Session`` reserved of the session's budget.
    ``rate`` is the providers' rate for the work (``batch``; empty: the standard rate).
    """

    tokens: int | None = None
    steps: int | None = None
    _: KW_ONLY
    money: int | None = None
    rate: str = ""
    spent: Usage = field(default_factory=Usage)
    reservation: str = ""
    capped: bool = False
    session_tokens: int = 0

    def spend(self, usage: Usage) -> None:
        self.spent = self.spent + usage
        if self.tokens is not None:
            self.tokens -= usage.total_tokens
        if self.money is not None:
            self.money -= usage.cost_nanousd

    def hold(self, tokens: int, money: int) -> None:
        """Reserve the maximum of a call while it runs; a negative amount: it has ended."""
        if self.tokens is not None:
            self.tokens -= tokens
        if self.money is not None:
            self.money -= money

    def fork(self) -> Allowance:
        """A separate account for shared work, with the remaining amounts and no spending."""
        return Allowance(self.tokens, self.steps, money=self.money, rate=self.rate, capped=self.capped)


@dataclass(slots=True)
class Settlement:
    """The records of a request, written when it ends. Child contexts share it; ``Record`` names and settles it.

    ``application`` is the requested name, ``answer_id`` identifies the answer and its records. ``records`` are facts
    waiting for the settling commit: any layer may add some. ``turn`` are the messages that the request adds to its
    session (set by ``Session``): they settle in the same commit, followed by the answer. ``shown`` is the part of the
    request that the stored answer repeats (set by the gateway). ``planned_id`` is the id that was promised for the
    answer beforehand, if any.
    """

    application: str = ""
    answer_id: str = ""
    records: Waiting = field(default_factory=Waiting)
    turn: tuple[Message, ...] = ()
    shown: Mapping[str, Any] = field(default_factory=dict)
    planned_id: str = ""

    def fork(self) -> Settlement:
        """A new settlement for work that several requests share: it has the same answer, and nothing to write yet."""
        return Settlement(self.application, self.answer_id)


@dataclass(slots=True)
class Privacy:
    """Values that guards took out of a request. ``private``: the shown text contains values that must not be stored;
    ``put_back`` restores them in a JSON text with placeholders. Child contexts share it; ``GuardInput`` sets it."""

    private: bool = False
    put_back: Callable[[str], str] = str


@dataclass(frozen=True, slots=True)
class Routed:
    """The decision of a router that a call belongs to, and the model that it chose for the answer (empty: the call only
    helped to decide)."""

    id: str
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """The caller, trace, deadline and allowance of a request. Frozen; carries no services.

    The state of a request that layers change is in ``allowance``, ``settlement`` and ``privacy``, which every step and
    every inner call share.

    ``deadline`` is a ``time.monotonic()`` value, ``priority`` one of ``Priority``. ``batch`` marks a line of a batch
    job: it has its own price, and nobody waits for it. ``arrival`` is for the layer that starts the request's trace;
    ``regions`` are the accepted ones (empty: any). ``policy`` names the guard policy that applies to every request
    (empty: the requested application's). ``elsewhere`` says that another model will answer if this call fails, so that
    it is not retried. ``replay`` is the answer whose request is replayed: the result is not user traffic. ``routed``
    marks the calls of a router.
    """

    principal: Principal
    trace: TraceParent = field(default_factory=TraceParent.new)
    deadline: float | None = None
    priority: int = 0
    allowance: Allowance = field(default_factory=Allowance)
    settlement: Settlement = field(default_factory=Settlement)
    privacy: Privacy = field(default_factory=Privacy)
    depth: int = 0
    policy: str = ""
    consent: bool = False
    retention: str = "default"
    regions: frozenset[str] = frozenset()
    idempotency_key: str | None = None
    arms: Mapping[str, str] = field(default_factory=dict)
    batch: bool = False
    arrival: Arrival | None = None
    replay: str = ""
    routed: Routed | None = None
    elsewhere: bool = False

    def under(self, trace: TraceParent) -> Context:
        """The same context below another span."""
        # Written out: ``replace`` takes three times as long, and every step of a request calls this.
        return Context(
            self.principal,
            trace,
            self.deadline,
            self.priority,
            self.allowance,
            self.settlement,
            self.privacy,
            self.depth,
            self.policy,
            self.consent,
            self.retention,
            self.regions,
            self.idempotency_key,
            self.arms,
            self.batch,
            replay=self.replay,
            routed=self.routed,
            elsewhere=self.elsewhere,
        )

    def spending(self, allowance: Allowance) -> Context:
        """The same context with another allowance."""
        # Written out, as above: every call of a tool by an agent calls this.
        return Context(
            self.principal,
            self.trace,
            self.deadline,
            self.priority,
            allowance,
            self.settlement,
            self.privacy,
            self.depth,
            self.policy,
            self.consent,
            self.retention,
            self.regions,
            self.idempotency_key,
            self.arms,
            self.batch,
            self.arrival,
            self.replay,
            self.routed,
            self.elsewhere,
        )

    def forked(self, **changes: Any) -> Context:
        """The context of shared work, with spending, facts and hidden values of its own."""
        return self.apart(self.allowance.fork(), self.settlement.fork(), **changes)

    def apart(self, allowance: Allowance, settlement: Settlement, **changes: Any) -> Context:
        """The context of separate work: its spending, notes and hidden values are not this request's."""
        return dataclasses.replace(self, allowance=allowance, settlement=settlement, privacy=Privacy(), **changes)

    def nested(self) -> Context:
        """The context of an inner call: same allowance, one level deeper."""
        return dataclasses.replace(self, depth=self.depth + 1)

    def remaining(self) -> float | None:
        """Seconds until the deadline; None without one."""
        return None if self.deadline is None else self.deadline - time.monotonic()
