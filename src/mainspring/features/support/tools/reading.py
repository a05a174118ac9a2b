"""Tools that look up: who the customer is, their orders, parcels, returns, repairs and gift cards."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from mainspring.agents.tools.base import ToolContext
from mainspring.features.support.shop import policy, warranty
from mainspring.features.support.shop.model import Customer, GiftCard, Order, Shop
from mainspring.features.support.shop.policy import day, pounds
from mainspring.features.support.tools.base import (
    CUSTOMER,
    Refusal,
    Result,
    customer_of,
    item_of,
    normal,
    number_of,
    order_of,
    refused,
    told,
)

_ATTEMPTS, _WRONG_CARDS = 3, 5
"""Attempts at identification in a conversation, and of wrong gift cards."""
_OF_ONE = 5
"""Failed attempts at one e-mail address or order in an hour, over all conversations."""
STATES = {
    "placed": "has been placed and will be packed soon",
    "packing": "is being packed",
    "checking": "is being checked, which takes up to 8 working hours",
    "pre_order": "is a pre-order",
    "shipped": "is on its way",
    "ready_to_collect": "is ready to be collected",
    "delivered": "was delivered",
    "returned": "was returned",
    "cancelled": "was cancelled",
}
_REPAIRS = {
    "waiting": "is waiting for a free bench",
    "on_the_bench": "is on the bench",
    "ready": "is ready to be collected. Please bring your yellow ticket",
    "waiting_for_customer": "is waiting for your answer to our estimate",
    "collected": "was collected",
}
Reason = Literal["unwanted", "faulty", "damaged", "wrong_item"]


class Reading:
    """Over ``shop``."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def identify_customer(
        self, postcode: str, context: ToolContext, email: str = "", order_number: str = ""
    ) -> Result:
        """Identify the customer for this conversation, by postcode and e-mail address or order number.

        Args:
            postcode: the postcode of the customer's address
            email: the customer's e-mail address
            order_number: the number of one of the customer's orders
        """
        state, who = context.state, (email.strip().lower() or number_of(order_number))
        failed = int(state.get("identity_failed", 0))
        if failed >= _ATTEMPTS or await self.shop.attempts(who, failed=False) >= _OF_ONE:
            said = "I could not identify you, so I cannot try again here. A colleague can help you."
            return refused(said, reason="locked", verified=False)
        found = await (self.shop.by_email(email) if email else self.shop.by_order(number_of(order_number)))
        if found is None or normal(found.postcode) != normal(postcode):
            state["identity_failed"] = failed + 1
            await self.shop.attempts(who, failed=True)
            said = "These details do not fit together. Please check your e-mail address or order number, and postcode."
            return refused(said, reason="no_match", verified=False, attempts_left=_ATTEMPTS - failed - 1)
        # One conversation is with one customer: another one begins another conversation.
        known = state.get(CUSTOMER)
        if known and known != found.id:
            return refused("I can help one customer in a conversation only.", reason="another_customer", verified=False)
        state[CUSTOMER] = found.id
        return told(f"Thank you, {found.name.split()[0]}.", verified=True)

    async def list_orders(self, context: ToolContext, status: str = "") -> Result:
        """List the customer's orders, newest first.

        Args:
            status: only orders in this state, such as shipped or delivered
        """
        customer = await customer_of(self.shop, context)
        found = await self.shop.orders(customer.id)
        wanted = status.strip().lower().replace(" ", "_")
        found = [each for each in found if not wanted or each.state == wanted]
        if not found:
            return told("I find no such orders of yours.", orders=[])
        orders = [
            {
                "order_number": each.number,
                "placed": each.placed.date().isoformat(),
                "state": each.state,
                "items": [item.name for item in each.items],
                "total": each.total,
                "repair": any(True for _ in each.returns),
            }
            for each in found
        ]
        lines = [
            f"- {each.number}, {day(each.placed.date())}: {', '.join(item.label for item in each.items)}; "
            f"{STATES.get(each.state, each.state)}"
            for each in found[:8]
        ]
        more = f"\n- and {len(found) - 8} older ones" if len(found) > 8 else ""
        return told("Your orders:\n" + "\n".join(lines) + more, orders=orders)

    async def get_order(self, order_number: str, context: ToolContext) -> Result:
        """Look up one order: items, prices, state, payment, returns.

        Args:
            order_number: the order's number, such as LS-20417
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        items = ", ".join(f"{each.label} ({pounds(each.total)})" for each in order.items)
        said = f"Order {order.number} of {day(order.placed.date())} {STATES.get(order.state, order.state)}: {items}. "
        said += (
            f"Delivery {pounds(order.charge)}, total {pounds(order.total)}, paid by {order.payment.replace('_', ' ')}."
        )
        if order.delivered is not None and order.channel != "shop":
            said += f" It was delivered on {day(order.delivered)}."
        if order.more.get("note"):
            said += f" Note: {order.more['note']}."
        for each in order.returns:
            said += f" Return {each['rma']}: {each['status'].replace('_', ' ')}."
        return told(
            said,
            order_number=order.number,
            state=order.state,
            total=order.total,
            back=policy.way_back(order),
            deposit=float(order.more.get("deposit", 0)) if order.state == "pre_order" else 0.0,
            items=[
                {
                    "sku": each.sku,
                    "name": each.name,
                    "label": each.label,
                    "quantity": each.quantity,
                    "price": each.price,
                    "category": each.category,
                    "size": each.size,
                }
                for each in order.items
            ],
        )

    async def track_shipment(self, order_number: str, context: ToolContext) -> Result:
        """Say where the parcel of an order is and when it is expected.

        Args:
            order_number: the order's number, such as LS-20417
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        said = _tracked(order, customer, self.shop.now())
        lost = _LOST in said
        return told(said, order_number=order.number, state=order.state, reportable=lost)

    async def refund_status(self, order_number: str, context: ToolContext) -> Result:
        """Say what became of a return or a refund of an order.

        Args:
            order_number: the order's number, such as LS-20417
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        if order.state == "cancelled":
            said = (
                f"Order {order.number} was cancelled. The money goes back the way it was paid, in 3 to 5 working days."
            )
            return told(said, order_number=order.number)
        if not order.returns:
            there = order.state == "delivered"
            said = f"There is no return for order {order.number}{' yet: I can open one' if there else ''}."
            return told(said, order_number=order.number, returnable=there)
        lines = [_returned(each, order) for each in order.returns]
        return told(" ".join(lines), order_number=order.number, returns=order.returns)

    async def repair_status(self, context: ToolContext, repair_number: str = "", order_number: str = "") -> Result:
        """Say where a repair stands.

        Args:
            repair_number: the number on the yellow ticket, such as R-3101
            order_number: the number of the order with which the item was bought
        """
        customer = await customer_of(self.shop, context)
        found = await self.shop.repairs(customer.id)
        if repair_number:
            found = [each for each in found if each.number == repair_number.strip().upper()]
        elif order_number:
            found = [each for each in found if each.order == number_of(order_number)]
        if not found:
            return told("I find no such repair of yours.", repairs=[])
        lines = []
        for each in found:
            product = await self.shop.product(each.sku)
            name = product.name if product else each.sku
            cost = "It is free under the warranty." if each.covered else f"It costs {pounds(each.cost)}."
            by = f" We expect it to be done by {day(each.estimate)}." if each.estimate else ""
            lines.append(f"Repair {each.number} ({name}, {each.fault}) {_REPAIRS[each.status]}.{by} {cost}")
        return told(" ".join(lines), repairs=[each.number for each in found])

    async def check_return(
        self,
        order_number: str,
        item: str,
        context: ToolContext,
        reason: Reason = "unwanted",
        used: bool = False,
    ) -> Result:
        """Say whether an item may be returned, until when, and what is refunded. It changes nothing.

        Args:
            order_number: the order's number
            item: the item's article number or name
            reason: why it goes back
            used: whether it has been used
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)
        verdict = policy.may_return(order, found, customer, self.shop.now(), reason, used=used)
        if not verdict.allowed:
            return refused(verdict.why, reason="policy", source=verdict.source)
        way = "as store credit" if verdict.trial else policy.way_back(order)
        label = f", after {pounds(verdict.label)} for the label" if verdict.label else ""
        terms = f"{pounds(verdict.refund)} back {way}{label}"
        said, why = f"{verdict.why} You would get {terms}.", verdict.why
        if verdict.approval:
            approve = f" A colleague must approve refunds above {pounds(policy.APPROVAL_ABOVE)}."
            said, why = said + approve, why + approve
        facts = {"refund": verdict.refund, "approval": verdict.approval, "source": verdict.source}
        return told(said, why=why, terms=terms, name=found.name, **facts)

    async def check_warranty(
        self, order_number: str, item: str, part: str, context: ToolContext, fault: str = ""
    ) -> Result:
        """Say whether a part of a product is under warranty, and until when. It changes nothing.

        Args:
            order_number: the order's number
            item: the item's article number or name
            part: the part, or the fault, in the customer's words
            fault: what is wrong
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)
        if warranty.unclear(found, f"{part} {fault}"):
            named = ", ".join(warranty.parts(found))
            return refused(f"Which part of the {found.name} is it: {named}?", reason="no_part", missing="part")
        verdict = warranty.covered(order, found, part, fault or part, self.shop.now())
        if not verdict.allowed:
            return refused(verdict.why, reason="policy", source=verdict.source)
        why = f"{verdict.why} ({verdict.source})"
        return told(why, why=why, source=verdict.source, name=found.name)

    async def check_price_match(self, order_number: str, item: str, price: float, context: ToolContext) -> Result:
        """Say whether the policy of price matching allows to refund the difference to another shop's price.

        Args:
            order_number: the order's number
            item: the item's article number or name
            price: the other shop's price in pounds, with delivery
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)
        verdict = policy.may_match(order, found, self.shop.now(), price)
        if not verdict.allowed:
            return refused(verdict.why, reason="policy", source=verdict.source)
        return told(verdict.why, why=verdict.why, difference=verdict.refund, name=found.name)

    async def check_gift_card(self, card_number: str, context: ToolContext) -> Result:
        """Say the balance of a gift card, and until when it is valid.

        Args:
            card_number: its 16 digits, or the code of a voucher that begins with LV
        """
        wrong = int(context.state.get("cards_failed", 0))
        if wrong >= _WRONG_CARDS:
            return refused("I cannot look up further gift cards in this conversation.", reason="locked")
        number = "".join(each for each in card_number.upper() if each.isalnum())
        found = await self.shop.gift_card(number)
        if found is None:
            context.state["cards_failed"] = wrong + 1
            return refused("I find no gift card with this number. Please check its 16 digits.", reason="no_such_card")
        return told(_card(found, self.shop.now().date()))


_LOST = "You can report it as lost now."


def _tracked(order: Order, customer: Customer, now: dt.datetime) -> str:
    parcel, number = order.shipment, order.number
    if order.state == "ready_to_collect":
        return (
            f"Order {number} is ready in our shop at {order.more['collect_at']}, "
            f"until {_of(order.more['collect_until'])}."
        )
    if order.state == "pre_order":
        return f"Order {number} is a pre-order. It leaves on {_of(order.more['dispatch'])}."
    if order.state == "cancelled":
        return f"Order {number} was cancelled."
    if not parcel:
        note = f" ({order.more['note']})" if order.more.get("note") else ""
        return f"Order {number} {STATES.get(order.state, order.state)}{note}. It has not left our warehouse yet."
    by = f"with {parcel['carrier']}, tracking number {parcel['tracking']}"
    if parcel["status"] == "delivered":
        left = f" It was left with: {parcel['left_with']}." if parcel.get("left_with") else ""
        return f"Order {number} was delivered on {_of(parcel['delivered'])} {by}.{left}"
    if parcel["status"] == "at_pickup_point":
        return (
            f"The carrier has tried {parcel['attempts']} times. Order {number} waits for you at "
            f"{parcel['pickup_point']}, for 9 days after the last attempt, {by}."
        )
    if parcel["status"] == "searching":
        return (
            f"We have opened a search for order {number} with "
            f"{parcel['carrier']}. It takes up to 7 working days in the UK."
        )
    expected = parcel.get("expected") or []
    when = f"expected on {_of(expected[0])}" if len(set(expected)) == 1 else ""
    if len(set(expected)) > 1:
        when = f"expected between {_of(expected[0])} and {_of(expected[1])}"
    doing = "is out for delivery today" if parcel["status"] == "out_for_delivery" else "is on its way"
    said = f"Order {number} left on {_of(parcel['shipped'])} and {doing} {by}. It is {when}."
    if expected and now.date() > dt.date.fromisoformat(str(expected[1])):
        after = policy.lost_after(order, customer)
        late = after is not None and now.date() > after
        said += " It is late." + (f" {_LOST}" if late else "")
        if not late and after is not None:
            said += f" If it has not come by {day(after)}, you can report it as lost."
    return said


def _of(date: object) -> str:
    return day(dt.date.fromisoformat(str(date)))


def _returned(row: dict[str, object], order: Order) -> str:
    item = order.item(str(row["sku"]))
    name = item.name if item else str(row["sku"])
    said = f"Return {row['rma']} ({name}): "
    match row["status"]:
        case "sent_label":
            return said + (
                "we have sent you the label, and wait for the parcel. "
                f"The code is valid until {_of(row['valid_until'])}."
            )
        case "arrived":
            return said + f"it arrived on {_of(row['arrived'])}. We inspect returns within 4 working days."
        case "inspected":
            refund = pounds(float(str(row["refund"])))
            return said + f"it was inspected on {_of(row['inspected'])}. {refund} goes out within 3 to 5 working days."
        case "refunded":
            refund = pounds(float(str(row["refund"])))
            return said + f"{refund} was paid back to your {row['paid_to']} on {_of(row['paid_on'])}."
        case "refused":
            return said + f"it was refused on {_of(row['inspected'])}: {row['refusal']}."
        case _:
            return said + f"{str(row['status']).replace('_', ' ')}."


def _card(card: GiftCard, today: dt.date) -> str:
    sign = "€" if card.currency == "EUR" else "£"
    if card.blocked:
        return "This gift card is blocked. A colleague can tell you why."
    if card.activated is None:
        return "This gift card has not been activated yet. Please take it back to the shop with the receipt."
    months = 8 if card.kind == "voucher" else 60 if card.country == "IE" else 36
    start = card.last_used or card.activated
    year, month = divmod(start.month - 1 + months, 12)
    until = dt.date(start.year + year, month + 1, min(start.day, 28))
    if today > until:
        said = f"This gift card lapsed on {day(until)} with {sign}{card.balance:.2f} on it."
        if (today - until).days <= 90 and card.kind != "voucher":
            return said + " Customer Care may restore it once within 90 days: shall I pass this on?"
        return said
    return f"There is {sign}{card.balance:.2f} on this gift card. It is valid until {day(until)}."


__all__ = ["Reading", "Refusal"]
