"""The written form of card numbers: their separators, and the length of each issuer's numbers."""

from __future__ import annotations

SPACES = "\u00a0\u202f"
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015"


def lengths_of(digits: str) -> range | tuple[int, ...]:
    """How many digits a card number that begins like ``digits``, at least four, may have."""
    first, two, four = digits[0], digits[:2], digits[:4]
    if first == "4":
        return (13, 16, 19)
    if first == "5":
        return range(12, 20)
    if first == "6":
        return range(13, 20)
    if two in ("34", "37"):
        return (15,)
    if two in ("30", "36", "38", "39"):
        return range(14, 20)
    if two == "35":
        return range(16, 20)
    return (16,) if "2221" <= four <= "2720" else ()
