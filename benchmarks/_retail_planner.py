"""From what a customer has said, and the customer's orders, to calls of the retail shop's tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from _retail_orders import plan_addresses, plan_cancelling, plan_payment
from _retail_plan import Line, Plan, Segment, World, add_call, listed, method_of, names_any, numbers_in, speaks_of
from _retail_reading import Wanted, consequence, named, rank, tokens, wanted
from _retail_rows import Data

VERBS = re.compile(
    r"\b(cancel\w*|return\w*|refund\w*|exchang\w*|swap\w*|replac\w*|modif\w*|chang\w*|switch\w*|upgrad\w*|updat\w*"
    r"|send back|get rid of|remov\w*|take out|drop|ship\b|deliver\b|send\b)\b",
    re.I,
)
_KINDS = {"can": "cancel", "ret": "return", "ref": "return", "get": "return", "rem": "cancel", "tak": "cancel",
          "dro": "cancel"}  # fmt: skip
_WISHES = re.compile(r"\b(?:want|need|would like|rather have|should be|prefer to have|looking for)\b", re.I)
_NUMBER = re.compile(r"#?W\d{7}")
_EVERYTHING = re.compile(
    r"\b(?:everything|all (?:of )?(?:the |my |those |these )?(?:items|things|products|stuff|orders?)"
    r"|all (?:things|items) ordered|whole order|entire order|all (?:of )?(?:them|it))\b",
    re.I,
)
_EXCEPT = re.compile(r"\b(?:except|but not|besides|other than|apart from|not the)\b(.*)", re.I)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_ITEM = re.compile(r"\b\d{10}\b")
_GENERIC = re.compile(r"\border(?:s)?\b", re.I)
MODIFIES = ("exchange", "modify")


def segments(said: str, world: World) -> list[Segment]:
    """The parts with a verb each; a sentence without one belongs to the part before it, or to that of its product."""
    found: list[Segment] = []
    names = world.names()
    for sentence in _SENTENCE.split(said):
        text = consequence(sentence)
        hits = [each for each in VERBS.finditer(text) if not _noun(text, each)]
        if not hits:
            about = [name for name in names if named(name, sentence, names) >= 0]
            earlier = [each for each in found for name in about if named(name, each.text, names) >= 0]
            if earlier and text != sentence:
                earlier[-1].more[about[0]] = text
            elif found:
                found[-1].text += " " + text
            if about and _WISHES.search(text) and not (earlier and text != sentence) and not found:
                found.append(Segment("change", text))
            continue
        for at, hit in enumerate(hits):
            end = hits[at + 1].start() if at + 1 < len(hits) else len(text)
            part = text[hit.start() : end]
            both = at + 1 < len(hits) and re.fullmatch(r"\w+ or ", part)
            if not both:
                word = hit.group(1).lower()
                found.append(Segment("return" if word == "send back" else _KINDS.get(word[:3], "change"), part))
    return found


def _noun(text: str, hit: re.Match[str]) -> bool:
    """Whether "refund", "return" or "exchange" is a thing there, and no wish."""
    before = text[: hit.start()].rstrip().lower()
    return hit.group(1).lower().startswith("refund") and (before.endswith(("for", "the", "a", "my", "or", "any")))


def plan(said: str, world: World, payment: str, address: Data | None) -> Plan:
    """The calls for all that was ``said``."""
    made = Plan()
    lines: dict[tuple[str, str], list[Line]] = {}
    for segment in segments(said, world):
        if re.search(r"\baddress", segment.text, re.I) or re.match(
            r"(?:ship|deliver|send)\b(?! back)", segment.text, re.I
        ):
            plan_addresses(segment, said, world, address, made)
        elif segment.kind == "cancel":
            plan_cancelling(segment, said, world, made)
        elif (
            segment.kind == "change" and re.search(r"\bpayment\b", segment.text, re.I) and not names_any(segment, world)
        ):
            plan_payment(segment, world, payment, made)
        else:
            for line in _lines(segment, said, world, made):
                tool = _tool(segment.kind, line.order, made)
                if tool:
                    kept = lines.setdefault((tool, line.order["order_id"]), [])
                    if line.item not in [each.item for each in kept]:
                        kept.append(line)
    if re.search(r"\bother order'?s? payment|payment method of the other", said, re.I):
        made.problems.append("It is not possible to refund to the payment method of another order.")
    numbers = numbers_in(said)
    for order in world.orders:
        if order["order_id"] in numbers and order["status"].split()[0] not in ("pending", "delivered") and not lines:
            problem = f"Order {order['order_id']} is {order['status']}: it cannot be cancelled, changed or returned."
            made.problems += [problem] if made.problems == [] else []
    for (tool, _), each in lines.items():
        _call(tool, each, world, payment, made)
    return made


def _pays_otherwise(segment: Segment) -> bool:
    return segment.kind == "change" and re.search(r"\bpayment\b", segment.text, re.I) is not None


def _tool(kind: str, order: Data, made: Plan) -> str:
    """The tool for a wish at an order in that state; a problem is told where there is none."""
    status = order["status"]
    if kind == "return":
        if status == "delivered":
            return "return_delivered_order_items"
    elif status == "delivered":
        return "exchange_delivered_order_items"
    elif status == "pending":
        return "modify_pending_order_items"
    problem = f"It is not possible to {kind} items of order {order['order_id']}, because it is {status}."
    if problem not in made.problems:
        made.problems.append(problem)
    return ""


def _lines(segment: Segment, said: str, world: World, made: Plan) -> list[Line]:
    """The items that a part is about, with their new variants where it changes them."""
    text = segment.text
    status = "delivered" if segment.kind == "return" else ""
    left_out = _EXCEPT.search(text)
    numbers = numbers_in(text) or (numbers_in(said) if len(numbers_in(said)) == 1 else set())
    orders = [each for each in world.orders if not numbers or each["order_id"] in numbers]
    usable = [each for each in orders if each["status"] in ((status,) if status else ("delivered", "pending"))]
    if _EVERYTHING.search(text) or (numbers and re.search(r"\border\b", text, re.I) and not names_any(segment, world)):
        found = [
            Line(order, item)
            for order in usable
            for item in order["items"]
            if not (left_out and speaks_of(left_out.group(1), item, world))
        ]
    else:
        found = _mentioned(text, usable or orders, world)
    if segment.kind == "return":
        return found
    lines = []
    for line in found:
        own = f"{_for_item(text, line.item, world)} {segment.more.get(line.item['name'], '')}"
        line.new = _variant(line, own, world, made)
        if line.new is not None:
            lines.append(line)
    return lines


def _mentioned(text: str, orders: Sequence[Data], world: World) -> list[Line]:
    """The items that ``text`` names; of those of one kind the one whose options it tells, or each of them."""
    found: list[Line] = []
    ids = set(_ITEM.findall(text))
    names = world.names(orders)
    for name in names:
        place = named(name, text, names)
        lines = [Line(order, item) for order in orders for item in order["items"] if item["name"] == name]
        by_id = [line for line in lines if line.item["item_id"] in ids or line.item["product_id"] in ids]
        if by_id:
            found += by_id[:1]
            continue
        if place < 0 or not lines:
            continue
        before = _near(text, name)
        several = re.search(rf"\b(?:all|both|every)\b[^.,]*{re.escape(tokens(name)[-1])}", text, re.I)
        if several:
            best = max(_told(before, line.item) for line in lines)
            found += [line for line in lines if _told(before, line.item) == best] if best else lines
        else:
            found.append(max(lines, key=lambda line: (_told(before, line.item), _told(text, line.item))))
    return found


def _told(text: str, item: Data) -> int:
    said = wanted(text, {name: [value] for name, value in item["options"].items()})
    return len(said.values)


def _for_item(text: str, item: Data, world: World) -> str:
    """The part of ``text`` that is about one item: from its name to that of the next."""
    places = sorted((at, name) for name in world.names() if (at := named(name, text, world.names())) >= 0)
    said = [name for _, name in places]
    if item["name"] not in said or len(places) < 2:
        return text
    spans = [(_where(text, name), name) for name in said]
    spans.sort()
    at = [name for _, name in spans].index(item["name"])
    end = spans[at + 1][0] if at + 1 < len(spans) else len(text)
    own = text[spans[at][0] : end]
    return own if re.search(r"\b(?:to|for|with|but|cheapest|expensive|into)\b", own, re.I) else text[spans[at][0] :]


def _near(text: str, name: str) -> str:
    """The words around the name of a product that tell which one is meant."""
    place = _where(text, name)
    start = max((found.end() for found in re.finditer(r",| and ", text[:place])), default=0)
    return text[start : place + len(name)]


def _where(text: str, name: str) -> int:
    """The character at which ``text`` speaks of a product."""
    words = sorted(tokens(name), key=lambda word: -len(word))
    places = [found.start() for word in words if (found := re.search(rf"\b{re.escape(word)}", text, re.I))]
    return min(places, default=0)


def _variant(line: Line, text: str, world: World, made: Plan) -> Data | None:
    """The new variant; None, with a problem told, if there is none."""
    product = world.products[line.item["product_id"]]
    variants = list(product["variants"].values())
    for each in _ITEM.findall(text):
        if each in product["variants"] and each != line.item["item_id"]:
            return _there(product["variants"][each], product, made)
    if re.search(r"\bsame\b[^.,]*\bas\b", text, re.I):
        others = [
            each for order in world.orders for each in order["items"] if each["product_id"] == product["product_id"]
        ]
        other = next((each for each in others if each["item_id"] != line.item["item_id"]), None)
        if other is not None:
            return _there(product["variants"][other["item_id"]], product, made)
    options: dict[str, list[str]] = {}
    for each in variants:
        for name, value in each["options"].items():
            options.setdefault(name, [])
            if value not in options[name]:
                options[name].append(value)
    want = wanted(text, options)
    if not want.anything:
        made.asks = made.asks or f"Which options shall the new {product['name']} have?"
        return None
    old = line.item["options"]
    fit = [each for each in variants if each["available"] and each["item_id"] != line.item["item_id"]]
    fit = [each for each in fit if _fits(each["options"], old, want)]
    if not fit:
        said = ", ".join(
            [*(value for _, value in want.either), *want.values.values(), *(f"more {each}" for each in want.up)]
        )
        made.problems.append(f"A {product['name']} like that ({said}) is not available.")
        return None
    if want.cheapest or want.dearest:
        by_price: list[Data] = sorted(fit, key=lambda each: float(each["price"]))
        return by_price[0 if want.cheapest else -1]
    best: Data = max(fit, key=lambda each: _likeness(each, old, want))
    asked = {*want.values, *want.up, *want.down, *(name for name, _ in want.prefer)}
    asked |= {name for names, _ in want.either for name in names}
    changed = [name for name in old if best["options"][name] != old[name] and name not in asked]
    if changed and not want.prefer:
        told = ", ".join(f"{name} {best['options'][name]}" for name in changed)
        made.problems.append(
            f"That {product['name']} with all else the same is not available; there is one with {told}."
        )
    return best


def _fits(new: Data, old: Data, want: Wanted) -> bool:
    if any(not any(new[name] == value for name in names) for names, value in want.either):
        return False
    if any(new[name] != value for name, value in want.values.items()) or any(
        new[name] != old[name] for name in want.same
    ):
        return False
    for names, sign in ((want.up, 1), (want.down, -1)):
        for name in names:
            before, after = rank(old[name]), rank(new[name])
            if before is None or after is None or sign * (after - before) <= 0:
                return False
    return True


def _likeness(new: Data, old: Data, want: Wanted) -> tuple[int, int, float]:
    liked = next(
        (len(want.prefer) - at for at, (name, value) in enumerate(want.prefer) if new["options"].get(name) == value), 0
    )
    free = [name for name, _ in want.prefer]
    same = sum(new["options"][name] == value for name, value in old.items() if name not in free)
    return (same, liked, -new["price"])


def _there(variant: Data, product: Data, made: Plan) -> Data | None:
    if not variant["available"]:
        made.problems.append(f"The {product['name']} {variant['item_id']} is not available.")
        return None
    return variant


def _call(tool: str, lines: Sequence[Line], world: World, payment: str, made: Plan) -> None:
    order = lines[0].order
    original = order["payment_history"][0]["payment_method_id"]
    method = method_of(world.user, payment, original)
    arguments: dict[str, Any] = {"order_id": order["order_id"], "item_ids": [each.item["item_id"] for each in lines]}
    if tool.startswith("return"):
        if method != original and not method.startswith("gift"):
            made.problems.append(f"A refund of order {order['order_id']} cannot go to {method}, only to {original}.")
            method = original
        money = round(sum(each.item["price"] for each in lines), 2)
        told = f"return {listed([each.item for each in lines])} of order {order['order_id']}, refund ${money:.2f}"
    else:
        arguments["new_item_ids"] = [each.new["item_id"] for each in lines if each.new]
        money = round(sum(each.item["price"] - each.new["price"] for each in lines if each.new), 2)
        pairs = "; ".join(
            f"{listed([each.item])} for {listed([each.new | {'name': 'one'}])}" for each in lines if each.new
        )
        told = f"{tool.split('_')[0]} in order {order['order_id']} {pairs}, difference ${-money:.2f}"
        card = world.user["payment_methods"].get(method, {})
        if card.get("source") == "gift_card" and card["balance"] < -money:
            made.problems.append(f"The balance of {method} is not enough to pay ${-money:.2f}.")
            method = original if not original.startswith("gift") else _other(world.user, method)
    arguments["payment_method_id"] = method
    add_call(made, tool, arguments, f"{told}, with {method}", money)


def _other(user: Data, but: str) -> str:
    return next((each for each in user["payment_methods"] if each != but), but)
