"""What all tools of the shop share: who the customer is, results with their words, and refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mainspring.agents.tools.base import ToolContext, ToolPolicy
from mainspring.features.support.shop.model import Customer, Item, Order, Shop
from mainspring.features.support.shop.policy import Verdict

CUSTOMER = "customer"
"""The key of the session's state under which the identified customer's id stands; only ``identify_customer`` sets
it."""
# Results hold words of customers, sellers and workshops: notes, names of products, faults, subjects of tickets. So none
# is trusted but that of the identification, which has the customer's own first name at most.
IDENTIFIES = ToolPolicy(trusted=True, timeout_s=10)
READS = ToolPolicy(timeout_s=10)
WRITES = ToolPolicy(effect="keyed", timeout_s=10)
Result = dict[str, Any]


class Refusal(Exception):
    """Why a tool does nothing, as its result."""

    def __init__(self, said: str, *, reason: str, source: str = "") -> None:
        super().__init__(said)
        self.result = refused(said, reason=reason, source=source)


def told(said: str, **facts: Any) -> Result:
    """A result with its words for the customer."""
    return {"say": said, **facts}


def refused(said: str, *, reason: str, source: str = "", **facts: Any) -> Result:
    """A refusal: its words, its ``reason`` as a code, and the document where the rule stands."""
    words = f"{said} ({source})" if source else said
    return {"say": words, "refused": True, "reason": reason, "source": source, **facts}


def against(verdict: Verdict, reason: str) -> Refusal:
    """The refusal of a policy."""
    return Refusal(verdict.why, reason=reason, source=verdict.source)


async def customer_of(shop: Shop, context: ToolContext) -> Customer:
    """The identified customer. Raises ``Refusal``: nobody was identified."""
    known = context.state.get(CUSTOMER)
    found = await shop.customer(str(known)) if known else None
    if found is None:
        raise Refusal("I need to check who you are first.", reason="not_identified")
    return found


async def order_of(shop: Shop, customer: Customer, number: str) -> Order:
    """The customer's order. Raises ``Refusal``, in the same words for one of a stranger and one that is not there."""
    found = await shop.order(customer.id, number_of(number))
    if found is None:
        raise Refusal(f"I find no order {number_of(number)} of yours.", reason="no_such_order")
    return found


def number_of(text: str) -> str:
    """``LS-20417`` of what people write for it."""
    digits = re.sub(r"\D", "", text)
    return f"LS-{digits}" if digits else text.strip().upper()


def item_of(order: Order, named: str) -> Item:
    """The item that is called so: by its article number, or by words of its name. Raises ``Refusal``."""
    wanted = named.strip().lower()
    exact = [each for each in order.items if wanted in (each.sku.lower(), each.name.lower())]
    words = set(re.findall(r"[a-z0-9]+", wanted))
    scored = [(len(words & set(re.findall(r"[a-z0-9]+", each.name.lower()))), each) for each in order.items]
    best = max((score for score, _ in scored), default=0)
    near = [each for score, each in scored if score == best and best]
    for found in (exact, near, order.items if len(order.items) == 1 and not wanted else []):
        if len(found) == 1:
            return found[0]
    names = ", ".join(each.name for each in order.items)
    raise Refusal(f"Order {order.number} has: {names}. Which of these do you mean?", reason="no_such_item")


def normal(postcode: str) -> str:
    """A postcode without spaces, in capitals."""
    return re.sub(r"\s+", "", postcode).upper()


def masked_email(email: str) -> str:
    """``a***@post.example``."""
    name, _, host = email.partition("@")
    return f"{name[:1]}***@{host}"


def is_refused(result: Any) -> bool:
    return isinstance(result, Mapping) and bool(result.get("refused"))
