"""What a plan is made of: a customer's orders as tools have told them, what a shop does, and the calls for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mainspring.features.support.plans.variants import named


@dataclass(frozen=True, slots=True)
class OwnedItem:
    """A line of an order. ``product`` is the key of its variants; ``options`` are those that it has, by name."""

    id: str
    name: str
    price: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)
    product: str = ""

    @property
    def label(self) -> str:
        told = ", ".join(map(str, self.options.values()))
        return f"{self.name} ({told})" if told else self.name


@dataclass(frozen=True, slots=True)
class Offered:
    """A variant of a product that the shop lists."""

    id: str
    options: Mapping[str, str]
    price: float = 0.0
    available: bool = True


@dataclass(frozen=True, slots=True)
class OwnedOrder:
    """An order. ``paid_with`` is its payment method, ``paid`` the sum; ``facts`` is what else a customer may learn of
    it."""

    id: str
    state: str
    items: tuple[OwnedItem, ...]
    paid_with: str = ""
    paid: float = 0.0
    address: Mapping[str, str] | None = None
    facts: str = ""


@dataclass(frozen=True, slots=True)
class Wallet:
    """A payment method. ``balance`` bounds it (None: nothing does)."""

    kind: str
    balance: float | None = None


@dataclass(frozen=True, slots=True)
class World:
    """What is known of one customer: ``variants`` by product, ``methods`` by their ids."""

    customer: str
    orders: tuple[OwnedOrder, ...]
    variants: Mapping[str, Sequence[Offered]] = field(default_factory=dict)
    methods: Mapping[str, Wallet] = field(default_factory=dict)
    address: Mapping[str, str] = field(default_factory=dict)

    def names(self, orders: Sequence[OwnedOrder] | None = None) -> list[str]:
        """The products of these orders (None: of all)."""
        among = self.orders if orders is None else orders
        return sorted({item.name for order in among for item in order.items})


@dataclass(frozen=True, slots=True)
class OrderLine:
    """An item of an order that something is done to; ``new`` is the variant that comes in its place."""

    order: OwnedOrder
    item: OwnedItem
    new: Offered | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """Something to be done. ``kind`` is ``cancel``, ``return``, ``exchange`` (of what was delivered), ``modify`` (of
    what was not), ``address`` (``order`` None: the customer's own) or ``pay``."""

    kind: str
    order: OwnedOrder | None = None
    lines: tuple[OrderLine, ...] = ()
    method: str = ""
    address: Mapping[str, str] | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call for a deed: ``told`` is it in words, ``money`` what comes back (positive) or is to be paid."""

    tool: str
    arguments: Mapping[str, Any]
    told: str
    money: float = 0.0
    deed: Deed = field(default_factory=lambda: Deed(""))


@dataclass(frozen=True, slots=True)
class Terms:
    """What a shop does, as data: in which states of an order each kind of deed is possible, how numbers of orders and
    of items are written, and the ``calls`` for a deed. ``refund_to`` are kinds of payment methods that take a refund
    beside the original one. ``whole``: single items of an order cannot be cancelled. ``reasons`` are those for which an
    order is cancelled, each with the words for it; the first is taken if none is given."""

    states: Mapping[str, frozenset[str]]
    number: re.Pattern[str]
    calls: Callable[[Deed, World], Sequence[PlannedCall]]
    item: re.Pattern[str] | None = None
    refund_to: frozenset[str] = frozenset()
    whole: bool = True
    reasons: Sequence[tuple[str, str]] = ()

    def able(self, kind: str, order: OwnedOrder) -> bool:
        return order.state in self.states.get(kind, frozenset())


@dataclass(slots=True)
class Plan:
    """``calls`` are the writes, ``problems`` what cannot be done, ``asks`` what must be known first."""

    calls: list[PlannedCall] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    asks: str = ""

    def problem(self, text: str) -> None:
        if text not in self.problems:
            self.problems.append(text)

    @property
    def money(self) -> float:
        return round(sum(each.money for each in self.calls), 2)


@dataclass(slots=True)
class Segment:
    """A part of what was said with one verb. ``more`` is what later sentences said of a product, by its name."""

    kind: str
    text: str
    more: dict[str, str] = field(default_factory=dict)

    def speaks_of(self, item: OwnedItem, world: World) -> bool:
        return named(item.name, self.text, world.names()) >= 0

    def names_any(self, world: World) -> bool:
        return any(named(name, self.text, world.names()) >= 0 for name in world.names())


def numbers(text: str, terms: Terms) -> set[str]:
    """The numbers of orders in ``text``, as the shop writes them."""
    return {each.group(0) for each in terms.number.finditer(text)}
