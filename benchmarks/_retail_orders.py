"""Plans for whole orders of the retail shop: cancelling, other payment, other addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

from _retail_plan import Plan, Segment, World, add_call, listed, method_of, names_any, numbers_in, speaks_of
from _retail_reading import named
from _retail_rows import Data

_GENERIC = re.compile(r"\border(?:s)?\b", re.I)


def plan_cancelling(segment: Segment, said: str, world: World, made: Plan) -> None:
    pending = [each for each in world.orders if each["status"] == "pending"]
    numbers = numbers_in(segment.text)
    chosen = [each for each in world.orders if each["order_id"] in numbers]
    single_item = re.match(r"rem|tak|dro", segment.text, re.I)
    if single_item and not _with_items(segment, chosen or pending, world, made, single=True):
        return
    if not chosen:
        chosen = _with_items(segment, pending, world, made)
        single = bool(made.problems) and not chosen and names_any(segment, world)
        several = re.search(r"\b(?:all|both|every|each|orders)\b", segment.text, re.I)
        told = [each for each in pending if each["order_id"] in numbers_in(said)]
        if not chosen and not single and several:
            chosen = pending
        elif not chosen and not single and (_GENERIC.search(segment.text) or not names_any(segment, world)):
            chosen = told[-1:] or _spoken_of(said, pending, world) or (pending if len(pending) == 1 else [])
    reason = "ordered by mistake" if re.search(r"mistake|accident", said, re.I) else ""
    if re.search(r"no longer|don't need|do not need|changed? (?:my|your) mind", said, re.I) or not reason:
        reason = reason or "no longer needed"
    for order in chosen:
        if order["status"] != "pending":
            made.problems.append(f"Order {order['order_id']} cannot be cancelled, because it is {order['status']}.")
            continue
        total = sum(each["amount"] for each in order["payment_history"])
        add_call(
            made,
            "cancel_pending_order",
            {"order_id": order["order_id"], "reason": reason},
            f"cancel order {order['order_id']} ({listed(order['items'])}), refund ${total:.2f}",
            total,
        )


def _with_items(
    segment: Segment, pending: Sequence[Data], world: World, made: Plan, *, single: bool = False
) -> list[Data]:
    """The orders of which a part names the items. Single items of an order cannot be cancelled."""
    found = [each for each in pending if any(speaks_of(segment.text, item, world) for item in each["items"])]
    for order in found:
        named_all = all(speaks_of(segment.text, item, world) for item in order["items"])
        if not named_all and (single or not _GENERIC.search(segment.text)):
            made.problems.append(
                f"It is not possible to cancel single items of order {order['order_id']}, only the whole order."
            )
            return []
    return found[:1] if not re.search(r"\b(?:all|both|orders)\b", segment.text, re.I) else found


def _spoken_of(said: str, pending: Sequence[Data], world: World) -> list[Data]:
    """The order whose items the conversation names."""
    names = world.names(pending)
    scores = [len([item for item in each["items"] if named(item["name"], said, names) >= 0]) for each in pending]
    most = max(scores, default=0)
    return [pending[scores.index(most)]] if most else []


def plan_payment(segment: Segment, world: World, payment: str, made: Plan) -> None:
    numbers = numbers_in(segment.text)
    for order in world.orders:
        if order["status"].startswith("pending") and (not numbers or order["order_id"] in numbers):
            method = method_of(world.user, payment or segment.text, "")
            if method and method != order["payment_history"][0]["payment_method_id"]:
                arguments = {"order_id": order["order_id"], "payment_method_id": method}
                add_call(
                    made, "modify_pending_order_payment", arguments, f"pay order {order['order_id']} with {method}", 0
                )


def plan_addresses(segment: Segment, said: str, world: World, address: Data | None, made: Plan) -> None:
    numbers = numbers_in(segment.text) or numbers_in(said)
    if re.search(r"\bback\b|\boriginal\b", segment.text, re.I):
        address = dict(world.first_address)
    elif re.search(r"\bto (?:my|the) (?:default|home|profile|account|user|usual)\b", segment.text, re.I):
        address = dict(world.user["address"])
    if address is None:
        made.asks = made.asks or "What is the full new address: street, city, state and zip code?"
        return
    mine = re.search(r"\b(?:all|both|user|profile|account|(?:my|default|home) (?:\w+ )?address)\b", segment.text, re.I)
    both = bool(mine) and not re.search(r"\bto (?:my|the) (?:default|home|profile)", segment.text, re.I)
    place = ", ".join(address[each] for each in ("address1", "address2", "city", "state", "zip") if address[each])
    chosen = [each for each in world.orders if each["order_id"] in numbers]
    if not chosen and re.search(r"\borders?\b", segment.text, re.I):
        chosen = [each for each in world.orders if each["status"].startswith("pending")]
        chosen = chosen if re.search(r"\ball|orders\b", segment.text, re.I) else chosen[:1]
    if (both or not chosen) and address != world.user["address"]:
        arguments = {"user_id": world.user["user_id"], **address}
        add_call(made, "modify_user_address", arguments, f"change your default address to {place}", 0)
    for order in chosen:
        if not order["status"].startswith("pending"):
            made.problems.append(
                f"The address of order {order['order_id']} cannot be changed: it is {order['status']}."
            )
        elif order["address"] != address:
            arguments = {"order_id": order["order_id"], **address}
            add_call(made, "modify_pending_order_address", arguments, f"send order {order['order_id']} to {place}", 0)
