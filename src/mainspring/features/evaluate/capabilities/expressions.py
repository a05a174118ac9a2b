r"""Whether two answers in LaTeX are the same: by their normal form, and where both are numbers by value.

``\frac12``, ``\dfrac{1}{2}``, ``1/2`` and ``.5`` are the same; ``x+1`` and ``1+x`` are not: no algebra is done, so
equivalent expressions in another order count as wrong. The published harnesses use sympy for those.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction

_GONE = (
    *(r"\left", r"\right", r"\!", r"\,", r"\;", r"\:", r"\ ", r"\quad", r"\displaystyle", "$", r"\%", "%", r"^\circ"),
    *(r"^{\circ}", r"\circ", r"\degree", r"\(", r"\)", r"\[", r"\]", "**"),
)
_UNITS = re.compile(r"\\(?:text|mbox|mathrm|textbf|textit|operatorname)\s*\{([^{}]*)\}")
_WORD_UNITS = re.compile(
    r"(?<=\d)\s*(?:degrees?|dollars?|cents?|units?|square|cubic|inches|feet|ft|cm|mm|km|m|meters?|miles|hours?|minutes|"
    r"seconds|points|pounds|ways)\b.*$"
)
_TOLERANCE = 1e-9


def same(left: str, right: str) -> bool:
    """Whether the two are one answer."""
    ours, theirs = normal(left), normal(right)
    if ours == theirs:
        return bool(ours)
    a, b = value(ours), value(theirs)
    return a is not None and b is not None and math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def normal(text: str) -> str:
    """``text`` without what does not change an answer: spacing, signs of money, units, a leading ``x =``."""
    text = text.strip().rstrip(".").replace("−", "-").replace(r"\$", "")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("cfrac", "frac")
    for each in _GONE:
        text = text.replace(each, "")
    text = _UNITS.sub(lambda found: "" if re.match(r"^\s*(?:degrees?|cm|m|in|ft|units?)", found[1]) else found[1], text)
    text = _WORD_UNITS.sub("", text)
    # "x = 5": what is asked for is 5, if the left side is a name.
    if re.match(r"^\s*\\?[a-zA-Z](?:_\{?\w+\}?)?\s*=(?!=)", text):
        text = text.split("=", 1)[1]
    text = re.sub(r"\\frac\s*(\d)\s*(\d)(?!\d)", r"\\frac{\1}{\2}", text)
    text = re.sub(r"\\frac\s*(\d)\s*\{", r"\\frac{\1}{", text)
    text = re.sub(r"\\sqrt\s*(\w)", r"\\sqrt{\1}", text)
    text = re.sub(r"\s+", "", text)
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<=\d)\{,\}(?=\d{3})", "", text)
    return re.sub(r"(?<![\d.])\.(?=\d)", "0.", text).strip()


def value(text: str) -> float | None:
    """The number that a normal form is; None if it is none."""
    sign, plain = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if found := re.fullmatch(r"(\d+)?\\frac\{(-?\d+(?:\.\d+)?)\}\{(-?\d+(?:\.\d+)?)\}", plain):
        whole, top, bottom = float(found[1] or 0), float(found[2]), float(found[3])
        return sign * (whole + top / bottom) if bottom else None
    if found := re.fullmatch(r"(-?\d{1,30})/(\d{1,30})", plain):
        return sign * float(Fraction(int(found[1]), int(found[2]))) if int(found[2]) else None
    return sign * float(plain) if re.fullmatch(r"\d{1,300}(?:\.\d{0,300})?", plain) else None
