"""The policies of the shop: what is allowed of an order at a moment, until when, and on what terms.

Each rule names the document of the handbook where it stands. Money is in pounds.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from mainspring.features.support.shop.model import Customer, Item, Order

RETURNS, WARRANTY = "returns-and-refunds.pdf", "warranty.pdf"
SHIPPING, GIFT_CARDS, PRICES = "shipping-and-delivery.html", "gift-cards.md", "price-matching.md"
CHANGE_MINUTES = 35
APPROVAL_ABOVE = 250.0
"""A refund above this needs the approval of a person (returns policy, section 4)."""
MATCH_DAYS, MATCH_SHARE = 18, 0.25
_WINDOWS = {
    "gear": (45, 30, 40),
    "stove": (28, 21, 28),
    "soft": (45, 30, 40),
    "coffee": (14, 14, 10),
    "sale": (20, 20, 0),
}
"""Days to return by what was bought: online in the UK, online elsewhere, in a shop (0: exchange only)."""
_ROWS = {"grinder": "gear", "press": "gear", "dripper": "gear", "stove": "stove", "clothing": "soft", "bag": "soft"}
_EXCLUDED = {
    "fuel": "Fuel canisters and fire starters cannot be returned by post. Please bring them to one of our shops.",
    "made_to_order": "Made-to-order leather sleeves cannot be returned unless they are faulty.",
    "hygiene": "Bite valves and straws cannot be returned once the hygiene seal is broken.",
    "gift_card": "Gift cards cannot be returned.",
}
_TRIAL_NIGHTS, _TRIAL_LEAST = 60, 40.0
_LABEL_UK, _LABEL_EU = 2.95, 5.40
_EU = frozenset({"IE", "SE", "DE", "FR", "NL"})
FAULTY = frozenset({"faulty", "damaged", "wrong_item"})
_LONGEST = {"UK": (3, 1), "UK-HI": (6, 2), "UK-NI": (6, 2), "IE": (5, 2), "NL": (5, 2), "NO": (10, 4), "CH": (10, 4)}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something is allowed, ``why`` in words for the customer, and the ``source`` where the rule stands."""

    allowed: bool
    why: str
    source: str
    until: dt.date | None = None
    refund: float = 0.0
    label: float = 0.0
    trial: bool = False
    earlier: float = 0.0
    """Refunds of the order that returns before have opened."""

    @property
    def approval(self) -> bool:
        """Whether a person must approve: splitting a return does not avoid it."""
        return self.allowed and self.refund + self.earlier > APPROVAL_ABOVE


def day(date: dt.date) -> str:
    """``31 January 2026``."""
    return f"{date.day} {date:%B %Y}"


def pounds(amount: float) -> str:
    return f"£{amount:.2f}"


def way_back(order: Order) -> str:
    """How money goes back to the customer: ``to your card``."""
    ways = {"bank_transfer": "to your bank account", "cash": "in cash"}
    return ways.get(order.payment, f"to your {order.payment.replace('_', ' ')}")


def may_change(order: Order, now: dt.datetime, *, cancel: bool) -> Verdict:
    """Whether an order can be cancelled, or its address be changed."""
    doing = "cancelled" if cancel else "changed"
    if order.state == "cancelled":
        return Verdict(False, f"Order {order.number} has been cancelled already.", SHIPPING)
    if cancel and order.state == "pre_order":
        dispatch = dt.date.fromisoformat(str(order.more.get("dispatch")))
        if now.date() < dispatch:
            return Verdict(True, "Pre-orders can be cancelled until the day before dispatch.", SHIPPING)
    left = CHANGE_MINUTES - (now - order.placed).total_seconds() / 60
    if order.state in ("placed", "checking", "pre_order") and left >= 0:
        return Verdict(True, f"Orders can be {doing} for {CHANGE_MINUTES} minutes after they were placed.", SHIPPING)
    rule = f"An order can be {doing} only for {CHANGE_MINUTES} minutes after it was placed"
    if order.state in ("shipped", "delivered", "returned", "ready_to_collect"):
        state = {"shipped": "on its way", "ready_to_collect": "ready to be collected"}.get(order.state, order.state)
        then = " You can send it back once it has arrived." if cancel and order.state == "shipped" else ""
        return Verdict(False, f"{rule}, and order {order.number} is already {state}.{then}", SHIPPING)
    then = " You can send it back once it has arrived." if cancel else ""
    return Verdict(False, f"{rule}. Order {order.number} is with the packers now.{then}", SHIPPING)


def window(order: Order, item: Item, customer: Customer) -> tuple[int, dt.date | None]:
    """The days in which an item may go back, and the last of them (None: it has not arrived)."""
    row = "sale" if item.sale else _ROWS.get(item.category, "coffee" if item.category == "coffee" else "gear")
    column = 2 if order.channel == "shop" else 0 if customer.uk else 1
    days = _WINDOWS[row][column]
    if order.delivered is None:
        return days, None
    last = order.delivered + dt.timedelta(days=days)
    placed = order.placed.date()
    festive = dt.date(placed.year, 11, 1) <= placed <= dt.date(placed.year, 12, 24)
    if festive and item.category != "coffee":
        last = max(last, dt.date(placed.year + 1, 1, 31))
    return days, last


def may_return(order: Order, item: Item, customer: Customer, now: dt.datetime, reason: str, *, used: bool) -> Verdict:
    """As ``_may_return``, with what was refunded of the order before."""
    verdict = _may_return(order, item, customer, now, reason, used=used)
    return replace(verdict, earlier=sum(float(each.get("refund") or 0) for each in order.returns))


def _may_return(order: Order, item: Item, customer: Customer, now: dt.datetime, reason: str, *, used: bool) -> Verdict:
    """Whether an item may go back: its state, the window, and the condition; with the refund after deductions."""
    opened = [each for each in order.returns if each.get("sku") == item.sku and each.get("status") != "refused"]
    if opened:
        code = f" Its code is {opened[0]['rma']}." if opened[0].get("rma") else ""
        return Verdict(False, f"A return of the {item.name} has been opened already.{code}", RETURNS)
    if order.state not in ("delivered", "collected", "returned") or order.delivered is None:
        return Verdict(False, f"Order {order.number} has not been delivered, so nothing can go back yet.", RETURNS)
    refund, label = refund_of(order, item, customer, reason)
    if reason in FAULTY and reason != "faulty":
        if (now.date() - order.delivered).days > 5 and reason == "damaged":
            return Verdict(False, "Transit damage must be reported within 5 days of delivery.", RETURNS)
        return Verdict(True, "The label is free, since the fault is ours.", RETURNS, None, refund, label)
    days, last = window(order, item, customer)
    assert last is not None
    if reason == "faulty":
        if now.date() > last:
            why = f"The return window ended on {day(last)}. A fault that appears later is a case for the warranty."
            return Verdict(False, why, RETURNS, last)
        return Verdict(True, "The label is free, since the product is faulty.", RETURNS, last, refund, label)
    if item.category in _EXCLUDED:
        return Verdict(False, _EXCLUDED[item.category], RETURNS)
    if item.engraved:
        return Verdict(False, "Engraved goods cannot be returned unless they are faulty.", RETURNS)
    if used:
        return _used(order, item, customer, now)
    if days == 0:
        return Verdict(False, "Sale items bought in a shop can be exchanged only.", RETURNS)
    if now.date() > last:
        why = f"The return window for the {item.name} was {days} days and ended on {day(last)}."
        return Verdict(False, why, RETURNS, last)
    return Verdict(True, f"The {item.name} can be returned until {day(last)}.", RETURNS, last, refund, label)


def _used(order: Order, item: Item, customer: Customer, now: dt.datetime) -> Verdict:
    assert order.delivered is not None
    if item.category == "coffee":
        return Verdict(False, "Opened coffee is not refundable.", RETURNS)
    if not customer.trail_club:
        why = "Used items cannot be returned under the ordinary window. Only members of the Trail Club may try one out."
        return Verdict(False, why, RETURNS)
    last = order.delivered + dt.timedelta(days=_TRIAL_NIGHTS)
    if item.price < _TRIAL_LEAST or item.sale:
        return Verdict(False, "The Trail Trial is for products of at least £40 that are not on clearance.", RETURNS)
    if now.date() > last:
        return Verdict(False, f"The Trail Trial of {_TRIAL_NIGHTS} nights ended on {day(last)}.", RETURNS, last)
    why = f"As a member of the Trail Club you can return it used until {day(last)}, for store credit."
    label = 0.0 if order.channel == "shop" else _label(customer)
    return Verdict(True, why, RETURNS, last, max(0.0, item.price - label), label, trial=True)


def refund_of(order: Order, item: Item, customer: Customer, reason: str) -> tuple[float, float]:
    """The refund of an item after the price of the label, and that price."""
    label = 0.0 if reason in FAULTY or order.channel == "shop" else _label(customer)
    amount = item.total
    if len(order.items) == 1 and order.delivery == "standard":
        amount += order.charge
    return round(max(0.0, amount - label), 2), label


def _label(customer: Customer) -> float:
    if customer.uk:
        return _LABEL_UK
    return _LABEL_EU if customer.country in _EU else 0.0


def may_exchange(order: Order, item: Item, customer: Customer, now: dt.datetime, sizes: tuple[str, ...]) -> Verdict:
    """Whether an item may be exchanged for another size."""
    if not sizes:
        return Verdict(False, f"The {item.name} comes in one size. Return it and place a new order.", RETURNS)
    if not customer.uk:
        return Verdict(False, "Exchanges of size are for the UK. Return it and place a new order.", RETURNS)
    if order.more.get("exchanged"):
        return Verdict(False, "An exchange of size is free once per order, and this order has had its one.", RETURNS)
    if order.state != "delivered" or order.delivered is None:
        return Verdict(False, f"Order {order.number} has not been delivered yet.", RETURNS)
    _, last = window(order, item, customer)
    if last is None or now.date() > last:
        ended = f" and ended on {day(last)}" if last else ""
        return Verdict(False, f"The return window is over{ended}.", RETURNS, last)
    return Verdict(True, f"Exchanges for another size are free. Offered: {', '.join(sizes)}.", RETURNS, last)


def may_match(order: Order, item: Item, now: dt.datetime, price: float) -> Verdict:
    """Whether the difference to another shop's price is refunded; it is the ``refund``."""
    days = (now.date() - order.placed.date()).days
    if item.category in ("gift_card", "fuel") or item.engraved:
        return Verdict(False, "We do not match prices of this kind of product.", PRICES)
    if days > MATCH_DAYS:
        why = (
            f"We match prices within {MATCH_DAYS} days of purchase, "
            f"and order {order.number} was placed {days} days ago."
        )
        return Verdict(False, why, PRICES)
    gap = round(item.price - price, 2)
    if gap <= 0:
        return Verdict(False, f"You paid {pounds(item.price)}, which is not more.", PRICES)
    if gap > MATCH_SHARE * item.price:
        why = f"The difference of {pounds(gap)} is more than 25% of our price, so we do not match it."
        return Verdict(False, why, PRICES)
    why = (
        f"You bought it {days} days ago, within the {MATCH_DAYS} "
        f"days of a price match; the difference is {pounds(gap)}."
    )
    return Verdict(True, why, PRICES, refund=gap)


def working_days(start: dt.date, days: int) -> dt.date:
    """The day that is so many working days after ``start``."""
    found = start
    while days > 0:
        found += dt.timedelta(days=1)
        days -= found.weekday() < 5
    return found


def lost_after(order: Order, customer: Customer) -> dt.date | None:
    """The day after which a parcel may be reported as lost; None: it has not left."""
    shipped = order.shipment.get("shipped")
    if not shipped:
        return None
    standard, express = _LONGEST.get(customer.country, (9, 3) if customer.country in _EU else (16, 5))
    longest = express if order.delivery == "express" else standard
    return working_days(dt.date.fromisoformat(str(shipped)), longest + (3 if customer.uk else 8))
