"""The script of the shop's agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.features.support.dialogue.script import Identity, Known, Script, Task
from mainspring.features.support.dialogue.words import Words
from mainspring.features.support.script import examples, patterns, readers, slots
from mainspring.features.support.shop.policy import pounds

_PARCELS = {
    "not_received": "is marked as delivered but has not reached you",
    "wrong_item": "held the wrong item",
    "late": "is late",
    "lost": "is lost",
    "damaged": "arrived damaged",
}


def _asked(check: Any, doing: str) -> str:
    """The question for a yes: what is known (``why``), then one sentence that says what will be done."""
    why = str(_facts(check).get("why", ""))
    return f"{why} Shall I {doing}? Please answer yes or no.".strip()


def _facts(check: Any) -> Mapping[str, Any]:
    return check if isinstance(check, Mapping) else {}


def _cancel(known: Known, check: Any) -> str:
    return _asked(None, f"cancel order {known['order_number']}{_back(_facts(check))}")


def _back(order: Mapping[str, Any]) -> str:
    """What a customer gets back for a whole order."""
    if order.get("deposit"):
        return f" and return your deposit of {pounds(order['deposit'])}"
    if order.get("state") == "pre_order" or not order.get("total"):
        return ""
    return f" and return {pounds(order['total'])} {order['back']}"


def _address(known: Known, _: Any) -> str:
    new = known["address"]
    where = f"{new['street']}, {new['city']}, {new['postcode']}"
    return _asked(None, f"have order {known['order_number']} delivered to {where}")


def _return(known: Known, check: Any) -> str:
    found = _facts(check)
    terms = f", for {found['terms']}" if found.get("terms") else ""
    return _asked(check, f"open a return of the {_item(known, check)}{terms}")


def _exchange(known: Known, check: Any) -> str:
    return _asked(None, f"exchange the {_item(known, check)} for size {known['size']}")


def _claim(known: Known, check: Any) -> str:
    return _asked(check, f"make a warranty claim for the {_item(known, check)}")


def _report(known: Known, _: Any) -> str:
    said = _PARCELS.get(known["problem"], f"has a problem ({known['problem']})")
    return _asked(None, f"report that the parcel of order {known['order_number']} {said}")


def _match(known: Known, check: Any) -> str:
    gain = _facts(check).get("difference")
    back = f", which returns {pounds(gain)} to you" if gain else ""
    return _asked(check, f"ask for the price of {pounds(known['price'])} for the {_item(known, check)}{back}")


def _item(known: Known, check: Any) -> str:
    """The item by the name that a check has told, or that it has in the order that one has told; and its order."""
    found = _facts(check)
    of: Mapping[str, Any] = next((each for each in found.get("items", ()) if each["sku"] == known["item"]), {})
    return f"{found.get('name') or of.get('name') or known['item']} of order {known['order_number']}"


def _late(result: Any) -> tuple[str, Mapping[str, Any]] | None:
    """A parcel that can be reported as lost is offered to be reported."""
    if not isinstance(result, Mapping) or not result.get("reportable"):
        return None
    return "report_parcel", {"order_number": result["order_number"], "problem": "late"}


def _none_yet(result: Any) -> tuple[str, Mapping[str, Any]] | None:
    """Who asks for the refund of an order that is there, and of which nothing came back, wants to return something."""
    if not isinstance(result, Mapping) or not result.get("returnable"):
        return None
    return "start_return", {"order_number": result["order_number"]}


_PRICED = r"\bwhat (?:does|do|would|is)\b[^.?!]{0,30}\b(?:cost|price|charge)|\bhow much (?:is|does|do|would) an?\b"
_PACKED = ("placed", "packing", "pre_order", "checking")
_THERE = ("delivered", "returned")
TASKS = (
    Task(
        "create_ticket",
        "leave a request for people",
        examples.LEAVE,
        patterns.LEAVE_RULES,
        slots=(slots.DETAILS, slots.ABOUT),
        identity=False,
        fixed={"subject": ""},
    ),
    Task(
        "track_shipment",
        "track a parcel",
        examples.TRACK,
        patterns.TRACK_RULES,
        slots=(slots.order("shipped", "ready_to_collect", "packing", "placed"),),
        follow=_late,
    ),
    Task("list_orders", "list orders", examples.LIST, patterns.LIST_RULES),
    Task("get_order", "details of an order", examples.DETAILS, slots=(slots.order(),)),
    Task(
        "refund_status",
        "status of a refund",
        examples.REFUND,
        patterns.REFUND_RULES,
        slots=(slots.order("returned", "cancelled"),),
        follow=_none_yet,
    ),
    Task(
        "repair_status",
        "status of a repair",
        examples.REPAIR,
        patterns.REPAIR_RULES,
        never=f"{_PRICED}|{patterns.NO_REPAIR}",
    ),
    Task(
        "cancel_order",
        "cancel an order",
        examples.CANCEL,
        patterns.CANCEL_RULES,
        slots=(slots.order(*_PACKED, ask="Which order shall I cancel?"),),
        check="get_order",
        confirm=_cancel,
    ),
    Task(
        "change_address",
        "change the address of an order",
        examples.ADDRESS,
        patterns.ADDRESS_RULES,
        slots=(slots.order(*_PACKED), slots.ADDRESS),
        confirm=_address,
    ),
    Task(
        "start_return",
        "return an item",
        examples.RETURN,
        patterns.RETURN_RULES,
        never=patterns.NO_RETURN,
        slots=(
            slots.order(*_THERE, ask="Which order is the item from?"),
            slots.item("Which item shall go back?"),
            slots.REASON,
            slots.USED,
        ),
        check="check_return",
        confirm=_return,
        approved="approved_return",
    ),
    Task(
        "exchange_size",
        "exchange for another size",
        examples.EXCHANGE,
        patterns.EXCHANGE_RULES,
        never=r"\b(?:return|send back|money back)\b(?![^.?!]*\b(?:exchange|swap)\b)",
        slots=(slots.order(*_THERE), slots.item("Which item?", categories=frozenset({"clothing"})), slots.SIZE),
        check="get_order",
        checked=("order_number",),
        confirm=_exchange,
    ),
    Task(
        "claim_warranty",
        "make a warranty claim",
        examples.CLAIM,
        patterns.CLAIM_RULES,
        never=_PRICED,
        slots=(slots.order(*_THERE, ask="Which order was it bought with?"), slots.item(), slots.FAULT),
        check="check_warranty",
        confirm=_claim,
    ),
    Task(
        "report_parcel",
        "report a parcel",
        examples.REPORT,
        patterns.REPORT_RULES,
        slots=(slots.order("shipped", "delivered"), slots.PROBLEM),
        confirm=_report,
    ),
    Task(
        "request_price_match",
        "match a price",
        examples.MATCH,
        patterns.MATCH_RULES,
        slots=(slots.order(*_THERE, *_PACKED, "shipped"), slots.item("For which item?"), slots.PRICE, slots.URL),
        check="check_price_match",
        confirm=_match,
    ),
    Task(
        "check_gift_card",
        "balance of a gift card",
        examples.CARD,
        patterns.CARD_RULES,
        never=patterns.NO_CARD,
        slots=(slots.CARD,),
        identity=False,
    ),
    Task("ticket_status", "status of a ticket", examples.TICKET, patterns.TICKET_RULES, slots=(slots.TICKET,)),
)
# No parts of the registry: what is read of a customer's words, by its slot.
SCRIPT = Script(
    "shop",
    TASKS,
    Identity(
        "identify_customer",
        (("email", "postcode"), ("order_number", "postcode")),
        lambda result: isinstance(result, Mapping) and bool(result.get("verified")),
    ),
    {"email": readers.email, "postcode": readers.own_postcode, "order_number": readers.order_number},
    Words(
        hello="Hello, this is Larkfield's customer care. I am an automatic assistant. How can I help you?",
        identify_missing="your postcode, and your e-mail address or an order number",
        abilities=(
            "I can follow parcels and "
            "orders, cancel and change new "
            "orders, open returns, exchanges and warranty claims, "
            "look up gift cards and answer questions about our "
            "policies. A colleague can take over whenever you like."
        ),
        off_topic="I can only help with Larkfield's products and orders.",
    ),
    about="get_order",
    search="search_policies",
    questions=examples.QUESTIONS,
    escalate="escalate",
    people=frozenset({"escalate", "create_ticket"}),
)
