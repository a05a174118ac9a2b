"""Simple arithmetic over cited numbers: the model says which numbers, code computes, and the working is shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation

_TERM = r"[£$€]?\s?\d[\d,]*(?:\.\d+)?\s?%?"
# It does not begin within a number: "1,1,1,..." would be read to its end from each of its digits.
_LINE = re.compile(rf"(?<![\w.])(?<![\d,],)({_TERM}(?:(?:\s*[+*/×÷−]\s*|\s+[-–x]\s+)\(?{_TERM}\)?)+)")
_TOKEN = re.compile(r"\d[\d,]*(?:\.\d+)?|[-+*/×÷−–x()]")
_MOST_TERMS = 8
_SIGNS = {"×": "*", "x": "*", "÷": "/", "−": "-", "–": "-"}
_SHOWN = {"*": "×", "-": "−", "/": "÷", "+": "+"}
_PLACES = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Calculation:
    """``terms`` as in the text, joined by ``signs`` (one fewer), and their result."""

    terms: tuple[str, ...]
    signs: tuple[str, ...]
    result: Decimal

    @property
    def working(self) -> str:
        """``42 + 22 = 64``."""
        parts = [self.terms[0]]
        for sign, term in zip(self.signs, self.terms[1:], strict=True):
            parts += [_SHOWN[sign], term]
        return f"{' '.join(parts)} = {shown(self.result)}"


def calculation(reply: str) -> Calculation | None:
    """The first calculation in a model's ``reply``; None if there is none or it cannot be computed.

    Only the numbers and the signs are used: the model's own result is ignored.
    """
    match = _LINE.search(reply.replace("\n", " "))
    if not match:
        return None
    tokens = _TOKEN.findall(match[1].replace("(", "").replace(")", ""))
    terms = [token for token in tokens if token[0].isdigit()]
    signs = [_SIGNS.get(token, token) for token in tokens if not token[0].isdigit()]
    if len(signs) != len(terms) - 1 or not 2 <= len(terms) <= _MOST_TERMS:
        return None
    try:
        result = _computed([Decimal(term.replace(",", "")) for term in terms], signs)
    except (DivisionByZero, InvalidOperation):
        return None
    return Calculation(tuple(terms), tuple(signs), result)


def shown(amount: Decimal) -> str:
    """``amount`` with thousands separated, rounded to two places if it has more."""
    rounded = amount.quantize(_PLACES) if amount != amount.to_integral_value() else amount.quantize(Decimal(1))
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _computed(terms: list[Decimal], signs: list[str]) -> Decimal:
    """The usual order of operations: products and quotients first."""
    sums, operations = [terms[0]], []
    for sign, term in zip(signs, terms[1:], strict=True):
        if sign == "*":
            sums[-1] *= term
        elif sign == "/":
            sums[-1] /= term
        else:
            operations.append(sign)
            sums.append(term)
    total = sums[0]
    for sign, term in zip(operations, sums[1:], strict=True):
        total = total + term if sign == "+" else total - term
    return total
