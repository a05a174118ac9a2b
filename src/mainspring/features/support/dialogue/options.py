"""Which of the listed options a message means."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mainspring.agents.choice.reading import stems
from mainspring.features.support.dialogue.script import Option

_ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "last": -1,
}  # fmt: skip
_NEWEST = re.compile(r"\b(latest|newest|most recent|last|recent|current)\b", re.IGNORECASE)
_OLDEST = re.compile(r"\b(oldest|earliest|first)\b", re.IGNORECASE)
_ANY = re.compile(r"\b(any|either|whichever|doesn'?t matter|don'?t mind)\b", re.IGNORECASE)
_PLAIN = frozenset("size order placed item product number one x of january february march april may june july august "
                   "september october november december".split())  # fmt: skip


def meant(options: Sequence[Option], text: str, *, answering: bool = False) -> Option | None:
    """The one option that ``text`` means; None: none, or several. ``answering``: it answers a question for it, so
    ordinals and numbers count."""
    said = text.lower()
    named = [each for each in options if _names(str(each.value), said)]
    if named:
        return named[0] if len(named) == 1 else None
    words = stems(said)
    scores = [len(_told(each) & words) for each in options]
    best = max(scores, default=0)
    if best and scores.count(best) == 1:
        return options[scores.index(best)]
    if best:
        # The one whose label is met by the greatest share: "press" is the Tarn Press rather than screens for it.
        shares = [scores[at] / max(1, len(_told(each))) if scores[at] == best else 0 for at, each in enumerate(options)]
        if shares.count(max(shares)) == 1:
            return options[shares.index(max(shares))]
    if answering:
        for word, at in _ORDINALS.items():
            if re.search(rf"\b{word}\b", said) and -len(options) <= at < len(options):
                return options[at]
        number = re.fullmatch(r"\W*+(?:number|no\.?|option)?\s*(\d)\W*", said)
        if number and 1 <= int(number[1]) <= len(options):
            return options[int(number[1]) - 1]
        if _ANY.search(said):
            return options[0]
    if _NEWEST.search(said):
        return options[0]
    return options[-1] if answering and _OLDEST.search(said) else None


def listing(options: Sequence[Option], most: int = 8) -> str:
    """The options as a list."""
    lines = [f"- {each.label}" for each in options[:most]]
    return "\n".join(lines + ([f"- and {len(options) - most} more"] if len(options) > most else []))


def _told(option: Option) -> frozenset[str]:
    return frozenset(each for each in stems(f"{option.label} {option.words}".lower()) if each not in _PLAIN)


def _names(value: str, said: str) -> bool:
    digits = re.sub(r"\D", "", value)
    return value.lower() in said or (len(digits) >= 4 and re.search(rf"(?<!\d){digits}(?!\d)", said) is not None)
