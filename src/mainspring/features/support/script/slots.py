"""The slots of the shop's tasks: which order, which item, and what else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.features.support.dialogue.script import Known, Option, Slot
from mainspring.features.support.script import readers
from mainspring.features.support.shop.policy import day


def order(*states: str, ask: str = "Which order is it about?") -> Slot:
    """An order of the customer, one in ``states`` if there is one."""
    return Slot(
        "order_number",
        ask,
        read=readers.order_number,
        source="list_orders",
        options=_orders(frozenset(states)),
        entity=True,
        mentions=readers.products,
    )


def item(ask: str = "Which item is it about?", *, categories: frozenset[str] = frozenset()) -> Slot:
    """An item of the order."""
    return Slot(
        "item", ask, source="get_order", given=("order_number",), options=_items(categories), mentions=readers.products
    )


def _orders(states: frozenset[str]) -> Callable[[Any, Known], Sequence[Option]]:
    def options(result: Any, _: Known) -> Sequence[Option]:
        found = result.get("orders", ()) if isinstance(result, Mapping) else ()
        return [
            Option(
                each["order_number"],
                f"{each['order_number']} of {day(dt.date.fromisoformat(each['placed']))}: {', '.join(each['items'])}",
                each["state"],
                fits=not states or each["state"] in states,
            )
            for each in found
        ]

    return options


def _items(categories: frozenset[str]) -> Callable[[Any, Known], Sequence[Option]]:
    def options(result: Any, _: Known) -> Sequence[Option]:
        found = result.get("items", ()) if isinstance(result, Mapping) else ()
        return [
            Option(
                each["sku"],
                each["label"],
                f"{each['category']} {each['name']}",
                fits=not categories or each["category"] in categories,
            )
            for each in found
        ]

    return options


USED = Slot("used", "Has it been used?", read=readers.yes_used)
REASON = Slot("reason", "Why do you want to return it?", read=readers.reason, default="unwanted")
"""The most common reason is taken where none is given; the label is free for others."""
FAULT = Slot("part", "What is wrong with it?", read=readers.fault, free=True)
SIZE = Slot("size", "Which size would you like?", read=readers.size)
CARD = Slot("card_number", "What is the number of the gift card (16 digits)?", read=readers.card)
TICKET = Slot("ticket_number", "What is the number of the ticket?", read=readers.ticket)
PRICE = Slot("price", "What does it cost there, with delivery?", read=readers.price)
URL = Slot("url", "Please send me the address (link) of the other offer.", read=readers.url, free=True, late=True)
ADDRESS = Slot("address", "What is the new address? Please write street, town and postcode.", read=readers.address)
PROBLEM = Slot(
    "problem",
    "What is wrong: is it late, lost, damaged, the wrong item, or said to be delivered?",
    read=readers.problem,
)
DETAILS = Slot("details", "What should I tell my colleagues?", read=readers.details, free=True)
ABOUT = Slot("order_number", "", read=readers.order_number, entity=True, default="")
"""The order that a request may be about."""
