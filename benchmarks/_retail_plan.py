"""What a plan for the retail shop consists of, and what its parts share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from _retail_reading import named
from _retail_rows import Data

_NUMBER = re.compile(r"#?W\d{7}")


@dataclass(slots=True)
class Line:
    """An item of an order that something is done to; ``new`` is the variant that comes in its place."""

    order: Data
    item: Data
    new: Data | None = None


@dataclass(slots=True)
class Plan:
    """``calls`` are the writes by tool and order, ``problems`` what cannot be done, ``lines`` the words for the writes,
    ``money`` what comes back (positive) or is to be paid."""

    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    money: list[float] = field(default_factory=list)
    asks: str = ""


@dataclass(slots=True)
class World:
    """What the tools have told of one customer: the user, the orders and the products of their items."""

    user: Data
    orders: list[Data]
    products: Mapping[str, Data]
    first_address: Data

    def names(self, orders: Sequence[Data] | None = None) -> list[str]:
        """The products of these orders (None: of all)."""
        among = self.orders if orders is None else orders
        return sorted({item["name"] for order in among for item in order["items"]})


@dataclass(slots=True)
class Segment:
    """A part of what was said with one verb."""

    kind: str
    text: str
    more: dict[str, str] = field(default_factory=dict)
    """What later sentences said of a product, by its name."""


def numbers_in(text: str) -> set[str]:
    return {"#" + each.lstrip("#") for each in _NUMBER.findall(text)}


def listed(items: Sequence[Data]) -> str:
    return ", ".join(f"{each['name']} ({', '.join(map(str, each['options'].values()))})" for each in items)


def add_call(made: Plan, tool: str, arguments: dict[str, Any], line: str, money: float) -> None:
    if (tool, arguments) not in made.calls:
        made.calls.append((tool, arguments))
        made.lines.append(line)
        made.money.append(money)


def speaks_of(text: str, item: Data, world: World) -> bool:
    return named(item["name"], text, world.names()) >= 0


def names_any(segment: Segment, world: World) -> bool:
    return any(named(name, segment.text, world.names()) >= 0 for name in world.names())


def method_of(user: Data, payment: str, original: str) -> str:
    """The payment method that was asked for; the ``original`` one if none was."""
    for word, source in (("paypal", "paypal"), ("gift", "gift_card"), ("credit", "credit_card")):
        if word in payment.lower():
            found = [key for key, each in user["payment_methods"].items() if each["source"] == source]
            if found:
                return str(found[0])
    return original
