"""What a customer's words say of items and their variants: by words and numbers, without a model.

Nothing here is about one product or one shop: options are read from what the shop lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

_TOKEN = re.compile(r"[a-z]+|\d+(?:\.\d+)?|[%>]")
_NUMBERS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "eight": "8", "ten": "10"}
_SAME = {"s": "small", "m": "medium", "l": "large", "xs": "extra small", "grey": "gray", "litre": "liter"}
_RANKS = ("none", "xs", "s", "small", "low", "dim", "m", "medium", "l", "large", "high", "xl", "xxl")
_ORDER = {"none": 0, "xs": 1, "s": 2, "small": 2, "low": 2, "m": 3, "medium": 3, "l": 4, "large": 4, "high": 4, "xl": 5}
_BEFORE_SIZES = ("an", "a", "to", "for", "in", "of", "want", "need")
_DROPPED = re.compile(
    r"\b(?:instead of|rather than|but not|not the|other than|(?:do not|don't) (?:care|mind) about)\b[^,.;]*?"
    r"(?=\band\b|[,.;]|$)|\b(?:much |a bit |a little |far )?too (?:large|small|big|tight|long|short|wide)\b",
    re.I,
)
_IF = re.compile(r"^\s*(?:but |and )?(?:if|in case|when|once|unless)\b", re.I)
_THEN = re.compile(r"\b(?:then|i'd|i would|i will|i'll|i prefer|please|you can|i want|i am (?:ok|fine))\b", re.I)
_UP = re.compile(
    r"\b(bigger|larger|brighter|higher|more|longer|taller|biggest|largest|brightest|highest|most|upgrade)\b", re.I
)
_DOWN = re.compile(r"\b(smaller|dimmer|lower|less|shorter|smallest|lowest|least|fewer)\b", re.I)
_CHEAP = re.compile(r"\b(?:cheapest|lowest[- ]priced?|least expensive|lowest price)\b", re.I)
_DEAR = re.compile(r"\b(?:most expensive|highest[- ]priced?|priciest|dearest)\b", re.I)
_STRICT = re.compile(r"\b(?:same|exact|otherwise|everything else|all else|keep)\b", re.I)


def tokens(text: str) -> list[str]:
    """Lower-case words and numbers, number words as digits, without plural endings."""
    found = [_NUMBERS.get(each, each) for each in _TOKEN.findall(text.lower().replace("tshirt", "t shirt"))]
    return [each[:-1] if len(each) > 3 and each.endswith("s") and not each.endswith("ss") else each for each in found]


def within(part: Sequence[str], whole: Sequence[str]) -> int:
    """Where ``part`` stands in ``whole``; -1: nowhere."""
    size = len(part)
    return next((at for at in range(len(whole) - size + 1) if list(whole[at : at + size]) == list(part)), -1)


def named(name: str, text: str, others: Iterable[str]) -> int:
    """Where ``text`` speaks of a product: by its name, or a word of it that none of the ``others`` has; -1: nowhere."""
    said, words = tokens(text), tokens(name)
    whole = within(words, said)
    if whole >= 0:
        return whole
    joined = "".join(words)
    if joined in said:
        return said.index(joined)
    taken = {word for other in others if other != name for word in tokens(other)}
    own = [word for word in reversed(words) if word not in taken and len(word) > 2 and word not in _COMMON]
    whole = next((said.index(word) for word in own if word in said), -1)
    if whole >= 0:
        return whole
    # "watch" is the end of "wristwatch".
    ends = [at for at, word in enumerate(said) if len(word) >= 5 and any(each.endswith(word) for each in own)]
    return ends[0] if ends else -1


_COMMON = frozenset(
    "set kit machine smart electric digital indoor light portable wireless gaming action office wall".split()
)


@dataclass(slots=True)
class VariantWish:
    """What the new variant of an item shall be. ``values`` are options by name; ``up`` and ``down`` name options that
    the customer wants more or less of; ``prefer`` are values, best first."""

    values: dict[str, str] = field(default_factory=dict)
    up: list[str] = field(default_factory=list)
    down: list[str] = field(default_factory=list)
    prefer: list[tuple[str, str]] = field(default_factory=list)
    cheapest: bool = False
    dearest: bool = False
    strict: bool = False
    same: list[str] = field(default_factory=list)
    either: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    """Values without the name of their option: one of these options has them."""

    @property
    def anything(self) -> bool:
        return bool(self.values or self.either or self.up or self.down or self.cheapest or self.dearest or self.prefer)


def consequence(sentence: str) -> str:
    """Of "if it is not there, I'd take blue" what follows: "I'd take blue"."""
    if not _IF.match(sentence):
        return sentence
    found = list(_THEN.finditer(sentence))
    if found:
        return sentence[found[0].start() :]
    return sentence.rpartition(",")[2]


def wanted(text: str, options: Mapping[str, Sequence[str]]) -> VariantWish:
    """What ``text`` wants of a product with these ``options``."""
    made = VariantWish(
        cheapest=bool(_CHEAP.search(text)), dearest=bool(_DEAR.search(text)), strict=bool(_STRICT.search(text))
    )
    kept = _DROPPED.sub(" ", text)
    chain = re.search(r"\(?\bprefer\w*\b([^().]*>[^().]*)\)?", kept, re.I)
    if chain:
        kept = kept.replace(chain.group(0), " ")
        for each in chain.group(1).split(">"):
            value = _value_of(each, options)
            if value is not None:
                made.prefer.append(value)
    said = tokens(kept)
    for option, values in options.items():
        if re.search(rf"\bsame\b[\w ]{{0,12}}\b{re.escape(option.split()[-1])}", kept, re.I):
            made.same.append(option)
            continue
        found = [value for value in values if _at(said, option, value, values, whole=True) >= 0]
        found = found or [value for value in values if _mentions(said, option, value, values)]
        if found:
            # The longest one: "stainless steel" rather than "steel"; of several the last that is spoken of.
            made.values[option] = max(found, key=lambda value: (_at(said, option, value, values), len(value)))
    for shared in set(made.values.values()):
        names = [name for name, each in made.values.items() if each == shared]
        if len(names) > 1 and not any(word in said for name in names for word in tokens(name)[:1]):
            made.either.append((tuple(names), shared))
            for name in names:
                del made.values[name]
    if not (made.cheapest or made.dearest):
        for pattern, into in ((_UP, made.up), (_DOWN, made.down)):
            for hit in pattern.finditer(kept):
                option = _compared(hit.group(1).lower(), kept[hit.end() : hit.end() + 30], options)
                if option and option not in made.values and option not in into:
                    into.append(option)
    return made


def rank(value: str) -> float | None:
    """How much a value is among those of its option; None: it cannot be compared."""
    number = re.search(r"\d+(?:\.\d+)?", value)
    if number:
        unit = 1024 if re.search(r"\dTB", value) else 1
        return float(number.group(0)) * unit
    return next((float(_ORDER[word]) for word in value.lower().replace("-", " ").split() if word in _ORDER), None)


def _compared(word: str, after: str, options: Mapping[str, Sequence[str]]) -> str:
    """The option that a comparison is about."""
    ordered = [name for name, values in options.items() if all(rank(each) is not None for each in values)]
    for name in ordered:
        stem = name.split()[-1][:5].lower()
        if stem in after.lower() or (word[:6] == "bright" and stem == "brigh"):
            return name
    if "bright" in after.lower():
        return next((name for name in ordered if "bright" in name), "")
    if word in ("more", "less", "most", "least", "upgrade"):
        return ""
    hints = ("size", "capacity", "height", "length", "diameter", "storage", "brightness")
    return next((name for hint in hints for name in ordered if hint in name), "")


def _value_of(text: str, options: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    said = tokens(text)
    for option, values in options.items():
        for value in values:
            if _mentions(said, option, value, values):
                return option, value
    return None


def _mentions(said: Sequence[str], option: str, value: str, values: Sequence[str]) -> bool:
    return _at(said, option, value, values) >= 0


def _at(said: Sequence[str], option: str, value: str, values: Sequence[str], *, whole: bool = False) -> int:
    """Where the value of an option is spoken of; -1: nowhere. ``whole``: a beginning of its word is not enough."""
    words, about = tokens(value), tokens(option)
    lower = value.lower()
    if lower in ("yes", "no", "none", "not resistant"):
        place = max((within([each], said) for each in about if len(each) > 3), default=-1)
        denied = place > 0 and any(each in ("no", "non", "not", "without") for each in said[max(0, place - 2) : place])
        return place if place >= 0 and denied == (lower != "yes") and (denied or lower == "yes") else -1
    if lower.isdigit() or (len(lower) <= 3 and lower.isalpha() and lower in _RANKS):
        return _sized(said, about, lower)
    place = within(words, said)
    if place >= 0:
        return place
    others = {word for each in values if each != value for word in tokens(each)}
    for word in words:
        if len(word) >= 4 and word not in others and not word.isdigit():
            for at, each in enumerate(said):
                if each == word or (not whole and len(each) >= 4 and word.startswith(each)):
                    return at
    return -1


def _sized(said: Sequence[str], about: Sequence[str], value: str) -> int:
    """A size: "size 8", "8 size", "an M", "small"."""
    long = _SAME.get(value, value)
    for at, each in enumerate(said):
        near = said[max(0, at - 2) : at + 2]
        if each == value and (any(word in near for word in about) or value in ("xl", "xxl", "xs")):
            return at
        if (
            each == value
            and not value.isdigit()
            and at
            and said[at - 1] in ("an", "a", "to", "for", "in", "of", "want", "need")
        ):
            return at
        if long != value and each == long:
            return at
    return -1
