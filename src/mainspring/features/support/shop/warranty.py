"""Which part of a product a fault is of, and how long the warranty covers it."""

from __future__ import annotations

import datetime as dt
import re

from mainspring.features.support.shop.model import Item, Order
from mainspring.features.support.shop.policy import WARRANTY, Verdict, day

_PARTS: dict[str, tuple[tuple[str, int, str], ...]] = {
    "KG-38": (
        ("crank, knob and bearings", 36, r"crank|handle|knob|bearing"),
        ("burr set", 84, r"burr|grind(s|ing)? (set|uneven)|blunt|dull|wobbl|carrier"),
        ("body and axle", 144, r"body|axle|axis|thread|housing"),
    ),
    "TP-75": (
        ("plunger and lid", 30, r"plunger|lid|rod|spout"),
        ("steel vessel and vacuum", 96, r"vessel|vacuum|wall|hot outside|outside|heat|warm|keeps? .*warm"),
    ),
    "CS-26": (
        ("legs, hose and igniter", 18, r"leg\b|legs|hose|ignit|spark|click|shock"),
        ("burner head and valve", 108, r"burner|valve|leak|gas|flame|hiss"),
    ),
    "WD-01": (("whole product", 48, r"."),),
}
_PARTS["TP-40"] = _PARTS["TP-75"]
_WEAR = re.compile(r"\bseals?\b|o-?rings?|filter|mesh|screens?|silicone|rubber feet", re.IGNORECASE)
_ABUSE = re.compile(
    r"\b(dropped|fell|fallen|drove over|ran over|dishwasher|stones?|rice|spices?|modified|burnt|lost it|stolen|"
    r"caf[eé]|restaurant)\b",
    re.IGNORECASE,
)
_RECALL = (400, 1275)


def part_of(item: Item, said: str) -> tuple[str, int] | None:
    """The part that a text speaks of, and the months of its warranty; None: it names none."""
    if _WEAR.search(said):
        return "wear part", 6
    if item.category == "bag" and re.search(r"seam|zip|stitch", said, re.IGNORECASE):
        return "seams and zips", 36
    for name, months, pattern in _PARTS.get(item.sku, ()):
        if re.search(pattern, said, re.IGNORECASE):
            return name, months
    return None


def unclear(item: Item, said: str) -> bool:
    """Whether a text does not say which part of the item it is about, although that matters."""
    return bool(parts(item)) and part_of(item, said) is None


def parts(item: Item) -> list[str]:
    """The parts that have a warranty."""
    return [name for name, _, _ in _PARTS.get(item.sku, ())] or (["seams and zips"] if item.category == "bag" else [])


def covered(order: Order, item: Item, part: str, fault: str, now: dt.datetime) -> Verdict:
    """Whether the warranty covers ``part`` now. The fault itself is judged by people."""
    found = part_of(item, part) or part_of(item, fault)
    if found is None:
        named = ", ".join(parts(item))
        why = f"Which part is it: {named}?" if named else f"The {item.name} has no warranty beyond your legal rights."
        return Verdict(False, why, WARRANTY)
    name, months = found
    serial = re.fullmatch(r"CS19-(\d{4})", item.serial)
    igniter = serial and "igniter" in name and re.search("ignit|shock|spark", f"{part} {fault}", re.IGNORECASE)
    if serial and igniter and _RECALL[0] <= int(serial[1]) <= _RECALL[1]:
        why = f"Your stove {item.serial} is part of the 2019 recall: a new igniter is free, without an end date."
        return Verdict(True, why, WARRANTY)
    if name == "burner head and valve" and item.registered is not None:
        months += 12
    until = _later(order.placed.date(), months)
    if now.date() > until:
        why = f"The warranty on the {name} of the {item.name} ended on {day(until)}."
        return Verdict(False, f"{why} The Repair Centre can look at it for a bench fee of £14.50.", WARRANTY, until)
    if _ABUSE.search(fault):
        why = "Damage from drops, stones, dishwashers or commercial use is not covered by the warranty."
        return Verdict(False, f"{why} The Repair Centre can look at it for a bench fee of £14.50.", WARRANTY, until)
    be = "are" if " and " in name or name.endswith("s") else "is"
    return Verdict(True, f"The {name} of the {item.name} {be} under warranty until {day(until)}.", WARRANTY, until)


def _later(date: dt.date, months: int) -> dt.date:
    years, month = divmod(date.month - 1 + months, 12)
    for last in (date.day, 30, 29, 28):
        try:
            return dt.date(date.year + years, month + 1, last)
        except ValueError:
            continue
    raise AssertionError(date)
