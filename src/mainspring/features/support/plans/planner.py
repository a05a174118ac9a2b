"""From what a customer has said, and the customer's orders, to the deeds and their calls."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mainspring.features.support.plans.variants import named
from mainspring.features.support.plans.wishes import lines, segments
from mainspring.features.support.plans.world import Deed, OrderLine, OwnedOrder, Plan, Segment, Terms, World, numbers

_ORDER = re.compile(r"\border(?:s)?\b", re.I)
_SEVERAL = re.compile(r"\b(?:all|both|every|each|orders)\b", re.I)
_MOVES = re.compile(r"(?:ship|deliver|send)\b(?! back)", re.I)
_TO_OWN = re.compile(r"\bto (?:my|the) (?:default|home|profile|account|user|usual)\b", re.I)
_MINE = re.compile(r"\b(?:all|both|user|profile|account|(?:my|default|home) (?:\w+ )?address)\b", re.I)
_CROSSED = re.compile(r"\bother order'?s? payment|payment method of the other", re.I)
PAYS = re.compile(r"\b(paypal|gift ?card|credit ?card|original|same (?:payment|card|method))\b", re.I)


def plan(
    said: str,
    world: World,
    terms: Terms,
    address: Mapping[str, str] | None = None,
    first: Mapping[str, str] | None = None,
) -> Plan:
    """The calls for all that was ``said``. ``address`` is the new one that it states, ``first`` the customer's address
    when the conversation began."""
    made = Plan()
    deeds: list[Deed] = []
    changed: dict[tuple[str, str], list[OrderLine]] = {}
    payment = _payment(said)
    parts = segments(said, world)
    loose = numbers(said, terms) - {each for part in parts for each in numbers(part.text, terms)}
    for segment in parts:
        if re.search(r"\baddress", segment.text, re.I) or _MOVES.match(segment.text):
            deeds += _addresses(segment, loose, world, terms, address, first or world.address, made)
        elif segment.kind == "cancel":
            deeds += _cancelling(segment, said, world, terms, made)
        elif _pays_otherwise(segment, world):
            deeds += _paying(segment, world, terms, payment)
        else:
            for line in lines(segment, loose, world, terms, made):
                kind = _kind(segment.kind, line.order, terms, made)
                kept = changed.setdefault((kind, line.order.id), [])
                if kind and line.item not in [each.item for each in kept]:
                    kept.append(line)
    if _CROSSED.search(said):
        made.problem("It is not possible to refund to the payment method of another order.")
    deeds += [_changing(kind, each, world, terms, payment, made) for (kind, _), each in changed.items() if kind]
    for deed in deeds:
        for call in terms.calls(deed, world):
            if call.tool and (call.tool, call.arguments) not in [(each.tool, each.arguments) for each in made.calls]:
                made.calls.append(call)
    _untouchable(said, world, terms, made)
    return made


def method_of(world: World, payment: str, original: str) -> str:
    """The payment method that was asked for; the ``original`` one if none was."""
    for word, kind in (("paypal", "paypal"), ("gift", "gift_card"), ("credit", "credit_card")):
        if word in payment.lower():
            return next((key for key, each in world.methods.items() if each.kind == kind), original)
    return original


def _payment(said: str) -> str:
    if re.search(r"original payment|original (?:method|card)", said, re.I):
        return "original"
    found = PAYS.findall(said)
    return next((each for each in found if not each.lower().startswith(("original", "same"))), "")


def _pays_otherwise(segment: Segment, world: World) -> bool:
    about = segment.kind == "change" and re.search(r"\bpayment\b", segment.text, re.I) is not None
    return about and not segment.names_any(world)


def _kind(kind: str, order: OwnedOrder, terms: Terms, made: Plan) -> str:
    """The kind of deed for a wish at an order in that state; a problem where there is none."""
    for each in ("return",) if kind == "return" else ("exchange", "modify"):
        if terms.able(each, order):
            return each
    made.problem(f"It is not possible to {kind} items of order {order.id}, because it is {order.state}.")
    return ""


def _untouchable(said: str, world: World, terms: Terms, made: Plan) -> None:
    """Tell it if nothing can be done to the orders that were named."""
    if made.calls or made.problems:
        return
    for order in world.orders:
        if order.id in numbers(said, terms) and not any(terms.able(kind, order) for kind in terms.states):
            made.problem(f"Order {order.id} is {order.state}: it cannot be cancelled, changed or returned.")


def _changing(kind: str, those: Sequence[OrderLine], world: World, terms: Terms, payment: str, made: Plan) -> Deed:
    """A return, an exchange or a modification of the items of one order."""
    order = those[0].order
    method = method_of(world, payment, order.paid_with)
    wallet = world.methods.get(method)
    if kind == "return":
        allowed = method == order.paid_with or (wallet is not None and wallet.kind in terms.refund_to)
        if not allowed:
            made.problem(f"A refund of order {order.id} cannot go to {method}, only to {order.paid_with}.")
            method = order.paid_with
    else:
        more = sum(each.new.price - each.item.price for each in those if each.new is not None)
        if wallet is not None and wallet.balance is not None and wallet.balance < more:
            made.problem(f"The balance of {method} is not enough to pay {more:.2f}.")
            others = [key for key, each in world.methods.items() if each.balance is None]
            method = order.paid_with if order.paid_with in others else next(iter(others), method)
    return Deed(kind, order, tuple(those), method)


def _cancelling(segment: Segment, said: str, world: World, terms: Terms, made: Plan) -> list[Deed]:
    """The orders to cancel."""
    open_ones = [each for each in world.orders if terms.able("cancel", each)]
    chosen = [each for each in world.orders if each.id in numbers(segment.text, terms)]
    single_item = re.match(r"rem|tak|dro", segment.text, re.I)
    if single_item and not _with_items(segment, chosen or open_ones, world, terms, made, single=True):
        return []
    if not chosen:
        before = len(made.problems)
        chosen = _with_items(segment, open_ones, world, terms, made)
        if not chosen and len(made.problems) == before:
            told = [each for each in open_ones if each.id in numbers(said, terms)]
            if _SEVERAL.search(segment.text):
                chosen = open_ones
            elif _ORDER.search(segment.text) or not segment.names_any(world):
                chosen = told[-1:] or _spoken_of(said, open_ones, world) or (open_ones if len(open_ones) == 1 else [])
    deeds = []
    for order in chosen:
        if terms.able("cancel", order):
            deeds.append(Deed("cancel", order, reason=_reason(said, terms)))
        else:
            made.problem(f"Order {order.id} cannot be cancelled, because it is {order.state}.")
    return deeds


def _reason(said: str, terms: Terms) -> str:
    found = (reason for reason, words in terms.reasons if re.search(words, said, re.I))
    return next(found, terms.reasons[0][0] if terms.reasons else "")


def _with_items(
    segment: Segment, orders: Sequence[OwnedOrder], world: World, terms: Terms, made: Plan, *, single: bool = False
) -> list[OwnedOrder]:
    """The orders that hold the items which a part names; a problem where single items cannot be cancelled."""
    found = [each for each in orders if any(segment.speaks_of(item, world) for item in each.items)]
    for order in found:
        named_all = all(segment.speaks_of(item, world) for item in order.items)
        if terms.whole and not named_all and (single or not _ORDER.search(segment.text)):
            made.problem(f"It is not possible to cancel single items of order {order.id}, only the whole order.")
            return []
    return found if _SEVERAL.search(segment.text) else found[:1]


def _spoken_of(said: str, orders: Sequence[OwnedOrder], world: World) -> list[OwnedOrder]:
    """The order whose items the conversation names."""
    names = world.names(orders)
    scores = [len([item for item in each.items if named(item.name, said, names) >= 0]) for each in orders]
    most = max(scores, default=0)
    return [orders[scores.index(most)]] if most else []


def _paying(segment: Segment, world: World, terms: Terms, payment: str) -> list[Deed]:
    """Orders with a new payment method."""
    spoken = numbers(segment.text, terms)
    orders = [each for each in world.orders if terms.able("pay", each) and (not spoken or each.id in spoken)]
    methods = [(order, method_of(world, payment or segment.text, "")) for order in orders]
    return [Deed("pay", order, method=method) for order, method in methods if method and method != order.paid_with]


def _addresses(
    segment: Segment,
    loose: set[str],
    world: World,
    terms: Terms,
    address: Mapping[str, str] | None,
    first: Mapping[str, str],
    made: Plan,
) -> list[Deed]:
    """Addresses of orders, or of the customer, to change."""
    if re.search(r"\bback\b|\boriginal\b", segment.text, re.I):
        address = first
    elif _TO_OWN.search(segment.text):
        address = world.address
    if address is None:
        made.asks = made.asks or "What is the full new address: street, city, state and zip code?"
        return []
    spoken = numbers(segment.text, terms) or loose
    chosen = [each for each in world.orders if each.id in spoken]
    open_ones = [each for each in world.orders if terms.able("address", each)]
    if not chosen and _ORDER.search(segment.text):
        chosen = open_ones if re.search(r"\ball|orders\b", segment.text, re.I) else open_ones[:1]
    mine = _MINE.search(segment.text) is not None and not _TO_OWN.search(segment.text)
    deeds = [Deed("address", None, address=address)] if (mine or not chosen) and address != world.address else []
    for order in chosen:
        if not terms.able("address", order):
            made.problem(f"The address of order {order.id} cannot be changed: it is {order.state}.")
        elif order.address != address:
            deeds.append(Deed("address", order, address=address))
    return deeds
