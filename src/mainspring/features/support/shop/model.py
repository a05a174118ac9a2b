"""Customers, orders and what belongs to them, and the protocol of a shop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Customer:
    """``country`` is ISO 3166, with ``UK``, ``UK-HI`` (Highlands and islands) and ``UK-NI`` for the United Kingdom."""

    id: str
    name: str
    email: str
    phone: str
    street: str
    city: str
    postcode: str
    country: str
    trail_club: bool = False

    @property
    def uk(self) -> bool:
        return self.country.startswith("UK")


@dataclass(frozen=True, slots=True)
class Product:
    """Prices are in pounds."""

    sku: str
    name: str
    category: str
    price: float
    sizes: tuple[str, ...] = ()


@dataclass(slots=True)
class Item:
    """A line of an order. ``price`` is in pounds for one piece."""

    sku: str
    quantity: int
    price: float
    name: str = ""
    category: str = ""
    size: str = ""
    sale: bool = False
    engraved: str = ""
    serial: str = ""
    registered: dt.date | None = None

    @property
    def total(self) -> float:
        return round(self.quantity * self.price, 2)

    @property
    def label(self) -> str:
        size = f", size {self.size}" if self.size else ""
        return f"{self.quantity} x {self.name}{size}" if self.quantity > 1 else f"{self.name}{size}"


@dataclass(slots=True)
class Order:
    """``more`` are the further fields of the order as they are kept: its shipment, returns, notes."""

    number: str
    customer: str
    placed: dt.datetime
    state: str
    channel: str
    delivery: str
    payment: str
    charge: float
    items: list[Item]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return round(sum(each.total for each in self.items) + self.charge, 2)

    @property
    def shipment(self) -> Mapping[str, Any]:
        return self.more.get("shipment") or {}

    @property
    def returns(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.more.setdefault("returns", [])
        return found

    @property
    def delivered(self) -> dt.date | None:
        """The day of delivery; of a purchase in a shop the day of the receipt."""
        if self.channel == "shop":
            return self.placed.date()
        found = self.shipment.get("delivered")
        return dt.date.fromisoformat(str(found)) if found else None

    def item(self, sku: str) -> Item | None:
        return next((each for each in self.items if each.sku == sku), None)


@dataclass(frozen=True, slots=True)
class GiftCard:
    """``balance`` is in ``currency``."""

    number: str
    kind: str
    currency: str
    balance: float
    activated: dt.date | None
    last_used: dt.date | None
    country: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Repair:
    number: str
    order: str
    sku: str
    fault: str
    received: dt.date
    status: str
    estimate: dt.date | None
    cost: float
    covered: bool


@dataclass(frozen=True, slots=True)
class Ticket:
    """``kind`` is ``ticket``, ``escalation``, ``claim``, ``parcel`` or ``price_match``."""

    number: str
    customer: str
    kind: str
    subject: str
    details: str
    status: str
    at: dt.datetime


class Ledger(Protocol):
    """What one effect may change, in one transaction."""

    def order(self, number: str) -> Order | None: ...

    def save(self, order: Order) -> None: ...

    def number(self, prefix: str, digits: int) -> str:
        """A number that no other return, claim or ticket has."""
        ...

    def ticket(self, ticket: Ticket) -> None: ...

    def count(self, kind: str, customer: str, days: int) -> int:
        """How many tickets of that kind the customer has had in the latest days."""
        ...


@runtime_checkable
class Shop(Protocol):
    """A shop. An order is found with its customer alone."""

    def now(self) -> dt.datetime: ...

    async def customer(self, customer_id: str) -> Customer | None: ...

    async def by_email(self, email: str) -> Customer | None: ...

    async def by_order(self, number: str) -> Customer | None: ...

    async def orders(self, customer_id: str) -> list[Order]:
        """Newest first."""
        ...

    async def order(self, customer_id: str, number: str) -> Order | None: ...

    async def product(self, sku: str) -> Product | None: ...

    async def gift_card(self, number: str) -> GiftCard | None: ...

    async def repairs(self, customer_id: str) -> list[Repair]: ...

    async def find_ticket(self, customer_id: str, number: str) -> Ticket | None: ...

    async def effect(self, key: str, work: Callable[[Ledger], dict[str, Any]]) -> dict[str, Any]:
        """What ``work`` returns; the same without calling it again for a ``key`` that was there before."""
        ...

    async def attempts(self, who: str, *, failed: bool) -> int:
        """How many attempts at identification have failed for ``who`` in the latest hour, this one included."""
        ...
