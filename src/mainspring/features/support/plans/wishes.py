"""The wishes of a message, and the items and variants that each is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mainspring.features.support.plans.variants import VariantWish, consequence, named, rank, tokens, wanted
from mainspring.features.support.plans.world import (
    Offered,
    OrderLine,
    OwnedItem,
    OwnedOrder,
    Plan,
    Segment,
    Terms,
    World,
    numbers,
)

VERBS = re.compile(
    r"\b(cancel\w*|return\w*|refund\w*|exchang\w*|swap\w*|replac\w*|modif\w*|chang\w*|switch\w*|upgrad\w*|updat\w*"
    r"|send back|get rid of|remov\w*|take out|drop|ship\b|deliver\b|send\b)\b",
    re.I,
)
_KINDS = {"can": "cancel", "ret": "return", "ref": "return", "get": "return", "rem": "cancel", "tak": "cancel",
          "dro": "cancel"}  # fmt: skip
_WISHES = re.compile(r"\b(?:want|need|would like|rather have|should be|prefer to have|looking for)\b", re.I)
_EVERYTHING = re.compile(
    r"\b(?:everything|all (?:of )?(?:the |my |those |these )?(?:items|things|products|stuff|orders?)"
    r"|all (?:things|items) ordered|whole order|entire order|all (?:of )?(?:them|it))\b",
    re.I,
)
_EXCEPT = re.compile(r"\b(?:except|but not|besides|other than|apart from|not the)\b(.*)", re.I)
_SENTENCE = re.compile(r"(?<=[.!?;])\s+")
_TO = re.compile(r"\b(?:to|for|with|but|cheapest|expensive|into)\b", re.I)


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
            elif about and _WISHES.search(text):
                found.append(Segment("change", text))
            continue
        for at, hit in enumerate(hits):
            end = hits[at + 1].start() if at + 1 < len(hits) else len(text)
            part = text[hit.start() : end]
            if at + 1 < len(hits) and re.fullmatch(r"\w+ or ", part):
                continue
            word = hit.group(1).lower()
            found.append(Segment("return" if word == "send back" else _KINDS.get(word[:3], "change"), part))
    return found


def _noun(text: str, hit: re.Match[str]) -> bool:
    """Whether "refund" is a thing there, and no wish."""
    before = text[: hit.start()].rstrip().lower()
    return hit.group(1).lower().startswith("refund") and before.endswith(("for", "the", "a", "my", "or", "any"))


def lines(segment: Segment, loose: set[str], world: World, terms: Terms, made: Plan) -> list[OrderLine]:
    """The items that a part is about, with their new variants where it changes them. ``loose`` are numbers of orders
    that belong to no wish."""
    text = segment.text
    kinds = ("return",) if segment.kind == "return" else ("exchange", "modify")
    spoken = numbers(text, terms) or (loose if len(loose) == 1 else set())
    orders = [each for each in world.orders if not spoken or each.id in spoken]
    usable = [each for each in orders if any(terms.able(kind, each) for kind in kinds)]
    whole = spoken and re.search(r"\border\b", text, re.I) and not segment.names_any(world)
    if _EVERYTHING.search(text) or whole:
        found = [OrderLine(order, item) for order in usable for item in rest(text, order.items, world.names())]
    else:
        found = mentioned(text, usable or orders, world, terms)
    if segment.kind == "return":
        return found
    changed = []
    for line in found:
        own = f"{_for_item(text, line.item, world)} {segment.more.get(line.item.name, '')}"
        new = _variant(line, own, world, terms, made)
        if new is not None:
            changed.append(OrderLine(line.order, line.item, new))
    return changed


def everything(text: str, names: Sequence[str]) -> list[int] | None:
    """Which of the things with these ``names`` a text means that speaks of all of them, or of all but some; None: it
    does not."""
    if not _EVERYTHING.search(text):
        return None
    kept = rest(text, [OwnedItem(str(at), name) for at, name in enumerate(names)], names)
    return [int(each.id) for each in kept]


def rest(text: str, items: Sequence[OwnedItem], names: Sequence[str]) -> list[OwnedItem]:
    """All of the items but those that the text leaves out: "except the mug"."""
    left_out = _EXCEPT.search(text)
    return [each for each in items if left_out is None or named(each.name, left_out.group(1), names) < 0]


def mentioned(text: str, orders: Sequence[OwnedOrder], world: World, terms: Terms) -> list[OrderLine]:
    """The items that ``text`` names; of those of one kind the one whose options it tells, or each of them."""
    found: list[OrderLine] = []
    ids = set(terms.item.findall(text)) if terms.item else set()
    names = world.names(orders)
    for name in names:
        there = [OrderLine(order, item) for order in orders for item in order.items if item.name == name]
        by_id = [line for line in there if line.item.id in ids or line.item.product in ids]
        if by_id:
            found += by_id[:1]
            continue
        if named(name, text, names) < 0:
            continue
        before = _near(text, name)
        several = re.search(rf"\b(?:all|both|every)\b[^.,]*{re.escape(tokens(name)[-1])}", text, re.I)
        if several:
            best = max(_told(before, line.item) for line in there)
            found += [line for line in there if _told(before, line.item) == best] if best else there
        else:
            found.append(max(there, key=lambda line: (_told(before, line.item), _told(text, line.item))))
    return found


def _told(text: str, item: OwnedItem) -> int:
    return len(wanted(text, {name: [value] for name, value in item.options.items()}).values)


def _for_item(text: str, item: OwnedItem, world: World) -> str:
    """The part of ``text`` that is about one item: from its name to that of the next."""
    spans = sorted((_where(text, name), name) for name in world.names() if named(name, text, world.names()) >= 0)
    said = [name for _, name in spans]
    if item.name not in said or len(spans) < 2:
        return text
    at = said.index(item.name)
    end = spans[at + 1][0] if at + 1 < len(spans) else len(text)
    own = text[spans[at][0] : end]
    return own if _TO.search(own) else text[spans[at][0] :]


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


def _variant(line: OrderLine, text: str, world: World, terms: Terms, made: Plan) -> Offered | None:
    """The new variant; None, with a problem or a question in the plan, if there is none."""
    item, variants = line.item, world.variants.get(line.item.product, ())
    if (given := _by_id(line, text, world, terms)) is not None:
        if not given.available:
            made.problem(f"The {item.name} {given.id} is not available.")
        return given if given.available else None
    options: dict[str, list[str]] = {}
    for each in variants:
        for name, value in each.options.items():
            if value not in options.setdefault(name, []):
                options[name].append(value)
    want = wanted(text, options)
    if not want.anything:
        made.asks = made.asks or f"Which options shall the new {item.name} have?"
        return None
    fit = [each for each in variants if each.available and each.id != item.id]
    fit = [each for each in fit if _fits(each.options, item.options, want)]
    if not fit:
        said = [*(value for _, value in want.either), *want.values.values(), *(f"more {each}" for each in want.up)]
        made.problem(f"A {item.name} like that ({', '.join(said)}) is not available.")
        return None
    if want.cheapest or want.dearest:
        by_price = sorted(fit, key=lambda each: each.price)
        return by_price[0 if want.cheapest else -1]
    best = max(fit, key=lambda each: _likeness(each, item.options, want))
    _tell_changes(best, item, want, made)
    return best


def _by_id(line: OrderLine, text: str, world: World, terms: Terms) -> Offered | None:
    """The variant with the id that is named, or that of another item that is named as the model."""
    variants = {each.id: each for each in world.variants.get(line.item.product, ())}
    for each in terms.item.findall(text) if terms.item else ():
        if each in variants and each != line.item.id:
            return variants[each]
    if re.search(r"\bsame\b[^.,]*\bas\b", text, re.I):
        others = [each for order in world.orders for each in order.items if each.product == line.item.product]
        other = next((each for each in others if each.id != line.item.id), None)
        return variants.get(other.id) if other is not None else None
    return None


def _tell_changes(best: Offered, item: OwnedItem, want: VariantWish, made: Plan) -> None:
    """Tell what is not as it was, besides what was asked for."""
    asked = {*want.values, *want.up, *want.down, *(name for name, _ in want.prefer)}
    asked |= {name for names, _ in want.either for name in names}
    changed = [name for name, value in item.options.items() if best.options.get(name) != value and name not in asked]
    if changed and not want.prefer:
        told = ", ".join(f"{name} {best.options[name]}" for name in changed)
        made.problem(f"That {item.name} with all else the same is not available; there is one with {told}.")


def _fits(new: Mapping[str, str], old: Mapping[str, str], want: VariantWish) -> bool:
    if any(not any(new.get(name) == value for name in names) for names, value in want.either):
        return False
    if any(new.get(name) != value for name, value in want.values.items()):
        return False
    if any(new.get(name) != old.get(name) for name in want.same):
        return False
    for names, sign in ((want.up, 1), (want.down, -1)):
        for name in names:
            before, after = rank(old.get(name, "")), rank(new.get(name, ""))
            if before is None or after is None or sign * (after - before) <= 0:
                return False
    return True


def _likeness(new: Offered, old: Mapping[str, str], want: VariantWish) -> tuple[int, int, float]:
    liked = next((len(want.prefer) - at for at, (name, value) in enumerate(want.prefer)
                  if new.options.get(name) == value), 0)  # fmt: skip
    free = [name for name, _ in want.prefer]
    same = sum(new.options.get(name) == value for name, value in old.items() if name not in free)
    return (same, liked, -new.price)
