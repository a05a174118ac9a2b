"""tau2's retail policy and tools, as the support agent's plans want to know a shop."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from _retail_rows import Data
from mainspring.features.support.plans.tape import Tape, ToolRefused
from mainspring.features.support.plans.variants import named
from mainspring.features.support.plans.world import (
    Deed,
    Offered,
    OwnedItem,
    OwnedOrder,
    PlannedCall,
    Terms,
    Wallet,
    World,
)

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_ZIP = re.compile(r"\b\d{5}\b")
_ID = re.compile(r"\b([a-z]+)_([a-z]+)_\d{3,5}\b")
_NAME = re.compile(r"(?:\bI am|\bI'm|\b[Nn]ame is|\bcalled|\bname:?|^)\s+([A-Z][\w'-]+)\s+([A-Z][\w'-]+)")
_ADDRESS = re.compile(
    r"(?P<address1>\d+ [A-Z][\w' ]+?)(?:,\s*(?P<address2>(?:Suite|Apt|Unit|Apartment)\.? ?\w+))?,\s*(?:in )?"
    r"(?P<city>[A-Z][\w ]+?),?\s+(?:(?P<state>[A-Z]{2}),?\s+)?(?:(?:USA|zip|zipcode)\W*)*(?P<zip>\d{5})"
)
_ASKS = re.compile(
    r"\?|\b(?:how many|how much|know|tell me|which|what|check|total|price|status|balance|track\w*)\b", re.I
)
_STOCK = re.compile(r"how many|options|available|stock|variant|price|cheapest")
_STATES = {
    "denver": "CO", "jacksonville": "FL", "columbus": "OH", "dallas": "TX", "new york": "NY", "san diego": "CA",
    "san francisco": "CA", "phoenix": "AZ", "charlotte": "NC", "austin": "TX", "philadelphia": "PA", "san jose": "CA",
    "los angeles": "CA", "fort worth": "TX", "san antonio": "TX", "washington": "DC", "seattle": "WA",
    "indianapolis": "IN", "chicago": "IL", "houston": "TX",
}  # fmt: skip
_LINES = ("address1", "address2", "city", "state", "zip")


class RetailShop:
    """Implements ``PlannedShop`` over the retail tools."""

    who = "What is your e-mail address? If you do not remember it: your full name and your zip code, please."

    def __init__(self) -> None:
        pending, delivered = frozenset({"pending"}), frozenset({"delivered"})
        modified = frozenset({"pending", "pending (item modified)"})
        self.terms = Terms(
            {"cancel": pending, "modify": pending, "address": modified, "pay": modified,
             "return": delivered, "exchange": delivered},
            re.compile(r"#W\d{7}"),
            calls,
            re.compile(r"\b\d{10}\b"),
            frozenset({"gift_card"}),
            reasons=(("no longer needed", "no longer|need"), ("ordered by mistake", "mistake|accident")),
        )  # fmt: skip

    def identify(self, said: str, tape: Tape) -> str:
        tries: list[tuple[str, dict[str, str]]] = [
            ("find_user_id_by_email", {"email": each.rstrip(".")}) for each in _EMAIL.findall(said)
        ]
        names = [*_NAME.findall(said), *(tuple(map(str.title, each)) for each in _ID.findall(said))]
        for first, last in names:
            for code in _ZIP.findall(said):
                arguments = {"first_name": first, "last_name": last, "zip": code}
                tries.append(("find_user_id_by_name_zip", arguments))
        for name, arguments in tries:
            try:
                return str(tape.read(name, **arguments))
            except ToolRefused:
                continue
        return ""

    def load(self, customer: str, tape: Tape) -> World:
        user = tape.read("get_user_details", user_id=customer)
        orders = tape.read_all([("get_order_details", {"order_id": each}) for each in user["orders"]])
        kinds = sorted({item["product_id"] for order in orders for item in order["items"]})
        products = tape.read_all([("get_product_details", {"product_id": each}) for each in kinds])
        variants = {
            each["product_id"]: [
                Offered(one["item_id"], one["options"], one["price"], one["available"])
                for one in each["variants"].values()
            ]
            for each in products
        }
        methods = {key: Wallet(each["source"], each.get("balance")) for key, each in user["payment_methods"].items()}
        return World(customer, tuple(map(_order, orders)), variants, methods, user["address"])

    def address(self, said: str, world: World) -> Mapping[str, str] | None:
        found = list(_ADDRESS.finditer(said))
        if not found:
            return None
        read = found[-1]
        city = read["city"].strip()
        known = {
            each["city"]: each["state"] for each in (world.address, *(o.address or {} for o in world.orders)) if each
        }
        return {
            "address1": read["address1"],
            "address2": read["address2"] or "",
            "city": city,
            "state": read["state"] or known.get(city) or _STATES.get(city.lower(), ""),
            "country": "USA",
            "zip": read["zip"],
        }

    def facts(self, said: str, world: World, tape: Tape) -> Sequence[str]:
        if not _ASKS.search(said):
            return []
        told = []
        kinds = tape.read("list_all_product_types")
        for name, key in kinds.items():
            if named(name, said, kinds) >= 0 and _STOCK.search(said):
                product = tape.read("get_product_details", product_id=key)
                there = [each for each in product["variants"].values() if each["available"]]
                told.append(f"There are {len(there)} {name} options available.")
        if re.search(r"balance|gift ?card", said, re.I):
            cards = {key: each.balance for key, each in world.methods.items() if each.balance is not None}
            told += [f"The balance of {key} is ${balance:.2f}." for key, balance in cards.items()]
        names = world.names()
        about = [
            each
            for each in world.orders
            if each.id in said or any(named(item.name, said, names) >= 0 for item in each.items)
        ]
        return [*told, *(each.facts for each in about or world.orders)]

    def hand_over(self, summary: str, tape: Tape) -> str:
        tape.act("transfer_to_human_agents", summary=summary)
        return "YOU ARE BEING TRANSFERRED TO A HUMAN AGENT. PLEASE HOLD ON."


def _order(raw: Data) -> OwnedOrder:
    items = tuple(
        OwnedItem(each["item_id"], each["name"], each["price"], each["options"], each["product_id"])
        for each in raw["items"]
    )
    listed = "; ".join(
        f"{each.name} ({', '.join(f'{name} {value}' for name, value in each.options.items())}), ${each.price}"
        for each in items
    )
    tracking = ", ".join(each for found in raw["fulfillments"] for each in found["tracking_id"])
    total = sum(each.price for each in items)
    facts = f"Order {raw['order_id']} is {raw['status']}: {listed}; ${total:.2f}; tracking {tracking or 'none yet'}."
    paid = round(sum(each["amount"] for each in raw["payment_history"]), 2)
    method = raw["payment_history"][0]["payment_method_id"]
    return OwnedOrder(raw["order_id"], raw["status"], items, method, paid, raw["address"], facts)


def calls(deed: Deed, world: World) -> Sequence[PlannedCall]:
    """The one call for a deed."""
    order = deed.order
    if deed.kind == "address":
        assert deed.address is not None
        place = ", ".join(deed.address[each] for each in _LINES if deed.address[each])
        if order is None:
            arguments: dict[str, Any] = {"user_id": world.customer, **deed.address}
            return [PlannedCall("modify_user_address", arguments, f"change your default address to {place}")]
        arguments = {"order_id": order.id, **deed.address}
        return [PlannedCall("modify_pending_order_address", arguments, f"send order {order.id} to {place}")]
    assert order is not None
    if deed.kind == "cancel":
        told = f"cancel order {order.id} ({', '.join(each.label for each in order.items)}), {deed.reason}, "
        arguments = {"order_id": order.id, "reason": deed.reason}
        return [PlannedCall("cancel_pending_order", arguments, f"{told}refund ${order.paid:.2f}", order.paid, deed)]
    arguments = {"order_id": order.id, "payment_method_id": deed.method}
    if deed.kind == "pay":
        return [PlannedCall("modify_pending_order_payment", arguments, f"pay order {order.id} with {deed.method}")]
    arguments["item_ids"] = [each.item.id for each in deed.lines]
    if deed.kind == "return":
        money = round(sum(each.item.price for each in deed.lines), 2)
        told = f"return {', '.join(each.item.label for each in deed.lines)} of order {order.id}, refund ${money:.2f}"
        return [PlannedCall("return_delivered_order_items", arguments, f"{told} to {deed.method}", money, deed)]
    pairs = [(each.item, each.new) for each in deed.lines if each.new is not None]
    arguments["new_item_ids"] = [new.id for _, new in pairs]
    money = round(sum(old.price - new.price for old, new in pairs), 2)
    swaps = "; ".join(f"{old.label} for one ({', '.join(map(str, new.options.values()))})" for old, new in pairs)
    told = f"{deed.kind} in order {order.id} {swaps}, difference ${-money:.2f} with {deed.method}"
    tool = "exchange_delivered_order_items" if deed.kind == "exchange" else "modify_pending_order_items"
    return [PlannedCall(tool, arguments, told, money, deed)]
