"""Finds the answer in a text that a model wrote: a number, a letter, the content of a box.

The rules are these, in this order. Their errors on texts of real models have not been measured yet.

Numbers: behind the last "answer is" (or "answer:", "####"), in the last ``\\boxed{}``, else the last number.
Letters: behind the last "answer is" (or "answer:"), alone in the text or at its beginning ("B.", "(B)"), in the last
box, the only option whose words occur, else the last capital letter that stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_NUMBER = r"[-−+]?\$?\s?[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?<=\d)(?:\s?/\s?[-−]?\d+(?!\d|\.\d))?"
_ANSWER = re.compile(r"(?:answer\s*(?:is|:|=|would be|will be)+|####)", re.IGNORECASE)
_NUMBERS = re.compile(rf"(?<![\w.])({_NUMBER})")


def number(text: str) -> str | None:
    """The number that the text gives as its answer, as ``plain_number`` writes it; None if there is none."""
    for found in reversed(list(_ANSWER.finditer(text))):
        line = text[found.end() :].lstrip(" \n*:").split("\n", 1)[0]
        # "The answer is 3 + 4 = 7": what the line ends with.
        if (equal := line.rfind("=")) >= 0 and (told := _NUMBERS.search(line, equal)):
            return plain_number(told[1])
        if told := _NUMBERS.search(line):
            return plain_number(told[1])
    if (box := boxed(text)) is not None and (told := _NUMBERS.search(box)):
        return plain_number(told[1])
    every = _NUMBERS.findall(text)
    return plain_number(every[-1]) if every else None


def plain_number(text: str) -> str:
    """A number without blanks, signs of money, separators of thousands and zeros that say nothing."""
    kept = re.sub(r"[\s$,+]", "", text).replace("−", "-")
    if re.fullmatch(r"-?\d*\.\d+", kept):
        kept = kept.rstrip("0").rstrip(".")
    if re.fullmatch(r"-?\d+", kept):
        kept = str(int(kept))
    return kept


def boxed(text: str) -> str | None:
    r"""The content of the last ``\boxed{}`` (or ``\fbox{}``), whose braces match; None without one."""
    start = max(text.rfind("\\boxed"), text.rfind("\\fbox"))
    if start < 0:
        return None
    opening = text.find("{", start)
    if opening < 0 or text[start:opening].strip("\\").strip() not in ("boxed", "fbox"):
        plain = re.match(r"\\(?:boxed|fbox)\s+([^\s$]+)", text[start:])
        return plain[1] if plain else None
    depth = 0
    for place in range(opening, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[opening + 1 : place]
    return None


def letter(text: str, options: Sequence[str], letters: str) -> str | None:
    """The letter of the option that the text chooses; None if it chooses none."""
    ours = letters[: len(options)]
    one = rf"[\s*:$\\(\[`\"'_]*+(?:option|choice)?[\s*(\[`\"'_]*+([{ours}])(?![\w'])"
    for found in reversed(list(_ANSWER.finditer(text))):
        if told := re.match(one, text[found.end() :], re.IGNORECASE):
            return told[1].upper()
    told = re.match(rf"[\s*(\[`\"']*+(?:option |choice )?[*(]*+([{ours}])(?:[\s*.):\],`\"']|$)", text)
    # "A man ..." begins with a word and no letter.
    if told and not re.match(r"\s*A [a-z]", text):
        return told[1]
    if (box := boxed(text)) is not None and (told := re.search(rf"\b([{ours}])\b", box)):
        return told[1]
    said = [place for place, option in enumerate(options) if _says(text, option)]
    if len(said) == 1:
        return letters[said[0]]
    alone = re.findall(rf"(?<![\w'])([{ours}])(?![\w'])(?! [a-z])", text)
    return alone[-1] if alone else None


def _says(text: str, option: str) -> bool:
    plain = option.strip().rstrip(".").lower()
    return bool(plain) and re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", text.lower()) is not None


def final(text: str) -> str | None:
    """The expression that the text gives as its answer: in the last box, else behind the last "answer is"."""
    box = boxed(text)
    if box is not None:
        return box.strip()
    for found in reversed(list(_ANSWER.finditer(text))):
        line = text[found.end() :].lstrip(" \n*:").split("\n", 1)[0]
        dollars = re.match(r"[^$]{0,10}\$([^$]+)\$", line)
        told = dollars[1] if dollars else re.split(r"\.(?:\s|$)", line)[0].strip(" *$")
        if told:
            return told.strip()
    return None
