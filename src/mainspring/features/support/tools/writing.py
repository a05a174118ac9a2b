"""Tools that change something: each checks the policy first, and acts once for each key of a call."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from mainspring.agents.tools.base import ToolContext
from mainspring.features.support.shop import policy, warranty
from mainspring.features.support.shop.model import Ledger, Order, Shop, Ticket
from mainspring.features.support.shop.policy import PRICES, RETURNS, SHIPPING, day, pounds
from mainspring.features.support.tools.base import Refusal, Result, against, customer_of, item_of, order_of, told
from mainspring.features.support.tools.reading import Reason

Problem = Literal["late", "lost", "damaged", "not_received", "wrong_item"]
_REVIEWED_RETURNS = 8
_MATCHES = 3
_DEAR_PARCEL, _CHEAP_ITEM, _SIGNED = 150.0, 35.0, 90.0


class Writing:
    """Over ``shop``. What is checked before a write is checked again within its transaction."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    async def cancel_order(self, order_number: str, context: ToolContext, reason: str = "") -> Result:
        """Cancel an order, within 35 minutes after it was placed; a pre-order until the day before dispatch.

        Args:
            order_number: the order's number
            reason: why, in the customer's words
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)

        def work(ledger: Ledger) -> Result:
            current = _current(ledger, order)
            verdict = policy.may_change(current, self.shop.now(), cancel=True)
            if not verdict.allowed:
                raise against(verdict, "too_late")
            before = current.state
            current.state = "cancelled"
            current.more |= {"cancelled": self.shop.now().isoformat(timespec="minutes"), "reason": reason[:200]}
            ledger.save(current)
            back = f"{pounds(current.total)} goes back the way you paid"
            if before == "pre_order":
                back = f"Your deposit of {pounds(float(current.more.get('deposit', 0)))} is returned in full"
            return told(f"Order {current.number} is cancelled. {back}.", order_number=current.number, state="cancelled")

        return await self.shop.effect(context.key, work)

    async def change_address(
        self, order_number: str, street: str, city: str, postcode: str, context: ToolContext
    ) -> Result:
        """Change the address to which an order is delivered, within 35 minutes after it was placed.

        Args:
            order_number: the order's number
            street: street and house number
            city: town
            postcode: postcode
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)

        def work(ledger: Ledger) -> Result:
            current = _current(ledger, order)
            verdict = policy.may_change(current, self.shop.now(), cancel=False)
            if not verdict.allowed:
                raise against(verdict, "too_late")
            if current.delivery == "collect":
                raise Refusal("This order is collected in a shop, so it has no address.", reason="collected")
            current.more["address"] = {"street": street, "city": city, "postcode": postcode.upper()}
            ledger.save(current)
            return told(f"Order {current.number} goes to {street}, {city}, {postcode.upper()} now.", changed=True)

        return await self.shop.effect(context.key, work)

    async def start_return(
        self, order_number: str, item: str, context: ToolContext, reason: Reason = "unwanted", used: bool = False
    ) -> Result:
        """Open a return: the customer gets a return code and a label. Refunds above 250 pounds need
        approved_return instead.

        Args:
            order_number: the order's number
            item: the item's article number or name
            reason: why it goes back
            used: whether it has been used
        """
        return await self._return(order_number, item, context, reason, used=used, approved=False)

    async def approved_return(
        self, order_number: str, item: str, context: ToolContext, reason: Reason = "unwanted", used: bool = False
    ) -> Result:
        """Open a return with a refund above 250 pounds, once a person has approved it.

        Args:
            order_number: the order's number
            item: the item's article number or name
            reason: why it goes back
            used: whether it has been used
        """
        return await self._return(order_number, item, context, reason, used=used, approved=True)

    async def _return(
        self, number: str, item: str, context: ToolContext, reason: Reason, *, used: bool, approved: bool
    ) -> Result:
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, number)
        sku = item_of(order, item).sku

        def work(ledger: Ledger) -> Result:
            current, now = _current(ledger, order), self.shop.now()
            found = current.item(sku)
            assert found is not None
            verdict = policy.may_return(current, found, customer, now, reason, used=used)
            if not verdict.allowed:
                raise against(verdict, "policy")
            if verdict.approval and not approved:
                raise Refusal("A colleague must approve this refund first.", reason="needs_approval", source=RETURNS)
            if ledger.count("return", customer.id, 90) >= _REVIEWED_RETURNS:
                raise Refusal("A colleague looks at further returns of this account.", reason="review", source=RETURNS)
            rma = ledger.number("RMA", 7)
            valid = now.date() + dt.timedelta(days=15)
            row = {"rma": rma, "sku": sku, "reason": reason, "opened": now.date().isoformat(), "status": "sent_label"}
            current.returns.append({**row, "valid_until": valid.isoformat(), "refund": verdict.refund})
            ledger.save(current)
            ledger.ticket(Ticket(rma, customer.id, "return", f"Return of {found.name}", reason, "open", now))
            way = "as store credit" if verdict.trial else "the way you paid"
            said = f"Your return code is {rma}, valid until {day(valid)}. "
            said += "The label is free." if not verdict.label else f"The label costs {pounds(verdict.label)}."
            said += f" You get {pounds(verdict.refund)} back {way} once we have inspected the {found.name}."
            return told(said, rma=rma, refund=verdict.refund)

        return await self.shop.effect(context.key, work)

    async def exchange_size(self, order_number: str, item: str, size: str, context: ToolContext) -> Result:
        """Exchange an item of clothing for another size.

        Args:
            order_number: the order's number
            item: the item's article number or name
            size: the size that the customer wants
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)
        product = await self.shop.product(found.sku)
        sizes = product.sizes if product else ()
        wanted = size.strip().upper()

        def work(ledger: Ledger) -> Result:
            current = _current(ledger, order)
            verdict = policy.may_exchange(current, found, customer, self.shop.now(), sizes)
            if not verdict.allowed:
                raise against(verdict, "policy")
            if wanted not in sizes or wanted == found.size:
                offered = ", ".join(each for each in sizes if each != found.size)
                raise Refusal(f"The {found.name} comes in {offered}, and yours is {found.size}.", reason="no_such_size")
            rma = ledger.number("RMA", 7)
            current.more["exchanged"] = True
            row = {"rma": rma, "sku": found.sku, "reason": "exchange", "status": "sent_label", "size": wanted}
            valid = self.shop.now().date() + dt.timedelta(days=15)
            current.returns.append(
                {**row, "opened": self.shop.now().date().isoformat(), "valid_until": valid.isoformat()}
            )
            ledger.save(current)
            said = (
                f"Your {found.name} is exchanged for size {wanted}, "
                f"free of charge. Send yours back with the code {rma}."
            )
            return told(said, rma=rma, size=wanted)

        return await self.shop.effect(context.key, work)

    async def claim_warranty(
        self, order_number: str, item: str, part: str, context: ToolContext, fault: str = ""
    ) -> Result:
        """Make a warranty claim.

        Args:
            order_number: the order's number
            item: the item's article number or name
            part: the part, or the fault, in the customer's words
            fault: what is wrong
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)

        def work(ledger: Ledger) -> Result:
            verdict = warranty.covered(order, found, part, fault or part, self.shop.now())
            if not verdict.allowed:
                raise against(verdict, "policy")
            number = ledger.number("W-", 5)
            subject = f"Warranty: {found.name} of {order.number}"
            details = f"{part}. {fault}"[:1000]
            ledger.ticket(Ticket(number, customer.id, "claim", subject, details, "open", self.shop.now()))
            said = (
                f"Your claim {number} is with us. {verdict.why} We answer within 3 working days: with a spare part, a "
            )
            said += (
                "request to send it in, a replacement, or a refusal with "
                "reasons. Please keep a photo or a short video ready."
            )
            return told(said, claim=number)

        return await self.shop.effect(context.key, work)

    async def report_parcel(
        self, order_number: str, problem: Problem, context: ToolContext, details: str = ""
    ) -> Result:
        """Report a parcel that is late, lost, damaged, wrong, or said to be delivered.

        Args:
            order_number: the order's number
            problem: what is wrong
            details: more about it, in the customer's words
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        now = self.shop.now()

        def work(ledger: Ledger) -> Result:
            current = _current(ledger, order)
            if problem == "damaged":
                said = _damaged(current, now)
            elif problem == "wrong_item":
                said = "I am sorry. Send it back with a free label; the right item leaves as soon as it is on its way."
            elif problem == "not_received":
                said = _not_received(current, now)
            else:
                said = _lost(current, now, ledger, policy.lost_after(current, customer), uk=customer.uk)
            number = ledger.number("P-", 5)
            subject = f"Parcel of {current.number}: {problem.replace('_', ' ')}"
            ledger.ticket(Ticket(number, customer.id, "parcel", subject, details[:1000], "open", now))
            return told(f"{said} The number of your report is {number}.", report=number)

        return await self.shop.effect(context.key, work)

    async def request_price_match(
        self, order_number: str, item: str, price: float, url: str, context: ToolContext
    ) -> Result:
        """Ask for the difference to another shop's price. A colleague checks the offer.

        Args:
            order_number: the order's number
            item: the item's article number or name
            price: the other shop's price in pounds, with delivery
            url: the address of the other offer
        """
        customer = await customer_of(self.shop, context)
        order = await order_of(self.shop, customer, order_number)
        found = item_of(order, item)
        now = self.shop.now()

        def work(ledger: Ledger) -> Result:
            verdict = policy.may_match(order, found, now, price)
            if not verdict.allowed:
                raise against(verdict, "policy")
            gap = verdict.refund
            if ledger.count("price_match", customer.id, 30) >= _MATCHES:
                raise Refusal("Up to three items are matched per month.", reason="policy", source=PRICES)
            number = ledger.number("M-", 5)
            subject = f"Price match: {found.name} of {order.number}"
            details = f"{pounds(price)} at {url}"[:1000]
            ledger.ticket(Ticket(number, customer.id, "price_match", subject, details, "open", now))
            said = (
                f"Your request {number} is with us. A colleague checks the offer, on weekdays normally within 3 hours. "
            )
            said += f"If it fits, we refund {pounds(gap)} to you, or {pounds(gap * 1.05)} as store credit."
            return told(said, request=number, difference=gap)

        return await self.shop.effect(context.key, work)


def _current(ledger: Ledger, order: Order) -> Order:
    """The order as it is within the transaction."""
    found = ledger.order(order.number)
    assert found is not None
    return found


def _damaged(order: Order, now: dt.datetime) -> str:
    if order.delivered is None:
        raise Refusal(f"Order {order.number} has not been delivered yet.", reason="policy", source=RETURNS)
    if (now.date() - order.delivered).days > 5:
        why = (
            "Transit damage must be reported within 5 days of "
            f"delivery, and it was delivered on {day(order.delivered)}."
        )
        raise Refusal(f"{why} A fault is a case for the warranty.", reason="policy", source=RETURNS)
    said = "I am sorry that it arrived damaged. Please send three photographs: the outside of the box, the packing "
    said += "material, and the damaged part."
    if sum(each.total for each in order.items) < _CHEAP_ITEM:
        return f"{said} A replacement leaves at once; you need not send anything back."
    return f"{said} Then we send a replacement or a free label."


def _not_received(order: Order, now: dt.datetime) -> str:
    if order.delivered is None:
        raise Refusal(
            f"The tracking of order {order.number} does not say delivered yet.", reason="policy", source=SHIPPING
        )
    if (now.date() - order.delivered).days > 12:
        raise Refusal("Please tell us within 12 days of the delivery; this is over.", reason="policy", source=SHIPPING)
    left = order.shipment.get("left_with")
    said = f"The carrier says that it was left with: {left}. Please look there first. " if left else ""
    said += "Please also ask your neighbours and look in your safe place. We have opened a search."
    if order.total > _SIGNED:
        said += f" Above {pounds(_SIGNED)} we need a signed statement from you; the form is on its way by e-mail."
    return said


def _lost(order: Order, now: dt.datetime, ledger: Ledger, after: dt.date | None, *, uk: bool) -> str:
    if order.delivered is not None:
        raise Refusal(f"Order {order.number} was delivered on {day(order.delivered)}.", reason="delivered")
    if after is None:
        raise Refusal(f"Order {order.number} has not left our warehouse yet.", reason="policy", source=SHIPPING)
    if order.shipment.get("status") == "searching":
        raise Refusal(f"We are searching for order {order.number} already.", reason="open", source=SHIPPING)
    if order.shipment.get("status") == "at_pickup_point":
        point = order.shipment["pickup_point"]
        raise Refusal(f"Order {order.number} waits for you at {point}.", reason="pickup", source=SHIPPING)
    if now.date() <= after:
        why = f"A parcel can be reported as lost after {day(after)}; until then it may still come."
        raise Refusal(why, reason="policy", source=SHIPPING)
    order.more["shipment"] = {**order.shipment, "status": "searching"}
    ledger.save(order)
    said = f"We have opened a search for order {order.number} with the carrier."
    if uk and order.total < _DEAR_PARCEL and not ledger.count("parcel", order.customer, 365):
        return f"{said} You need not wait for it: a replacement leaves now."
    return f"{said} It takes up to {'7' if uk else '20'} working days."
