"""Exact arithmetic: sums that are a whole message, in figures or in words."""

from __future__ import annotations

import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction

from mainspring.features.assistant.languages import Language

MAX_CHARACTERS = 200
_MAX_BITS = 4_096
_DIGITS = 15
_LEAD = re.compile(
    r"^(?:(?:hi|hello|hey|please|and|then|so|ok|okay|bitte|und|et|y|por favor|s'il (?:te|vous) pla[iî]t)\b[\s,]*)*"
    r"(?:(?:what(?:'s|’s| is| are)|how much (?:is|are)|how many is|calculate|compute|evaluate|work out|solve|"
    r"(?:can|could) you (?:calculate|compute|work out)|was (?:ist|sind|ergibt)|wie ?viel (?:ist|sind|ergibt)|berechne|"
    r"rechne|combien (?:font|fait|est)|calcule[rz]?|cu[aá]nto (?:es|son)|calcula)\b[\s:]*)?",
    re.IGNORECASE,
)
_TAIL = re.compile(r"(?:\s*(?:=|\?|!|\.(?!\d)|please|bitte|por favor|s'il (?:te|vous) pla[iî]t))*\s*$", re.IGNORECASE)
_WORDS: tuple[tuple[str, str], ...] = (
    (r"(?:the )?square root of|(?:die )?(?:quadrat)?wurzel (?:aus|von)|(?:la )?racine carr[ée]e de|"
     r"(?:la )?ra[ií]z cuadrada de", " sqrt "),
    (r"(?:raised )?to the power of|hoch|(?:[ée]lev[ée] )?[àa] la puissance|elevado a(?: la)?", " ^ "),
    (r"squared|au carr[ée]|al cuadrado|zum quadrat", " ^ 2 "),
    (r"cubed|au cube|al cubo", " ^ 3 "),
    (r"multiplied by|times|multipliziert mit|mal|multipli[ée] par|fois|multiplicado por|por(?=\s*\d)", " * "),
    (r"divided by|over(?=\s*\d)|geteilt durch|divis[ée] par|dividido (?:por|entre)", " / "),
    (r"plus|added to|m[aá]s", " + "),
    (r"minus|moins|menos|less(?=\s*\d)", " - "),
    (r"(?:percent|per cent|prozent|pour ?cent|por ciento)\b", "%"),
    (r"mod(?:ulo)?(?=\s*\d)", " mod "),
)  # fmt: skip
_SPOKEN = tuple((re.compile(rf"(?<![^\W\d_]){pattern}(?![^\W\d_])", re.IGNORECASE), sign) for pattern, sign in _WORDS)
_PART = re.compile(r"%\s*(?:of|von|de)\b", re.IGNORECASE)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "√": " sqrt ", "²": "^2", "³": "^3"})
# A day, a telephone number: figures that are no sum.
_NO_SUM = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}|\d{3,}(?:-\d{2,})+")
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<sign>\*\*|mod|sqrt|[-+*/^()%])|(?P<x>x)(?=\s*[\d(]))")
_ENGLISH_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_OTHER_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:[.\u202f\u00a0]\d{3})+(?![\d.])")


class NoSum(ValueError):
    """The text is no sum that is done here."""


class DividedByZero(NoSum):
    """It is a sum, and has no result."""


def solved(text: str, language: Language = "en", before: str = "") -> str:
    """``text`` as a sum with its result, as in ``17 * 3 = 51``. One that begins with an operator goes on from
    ``before``, the last result. Raises ``NoSum``."""
    if len(text) > MAX_CHARACTERS:
        raise NoSum(text)
    bare = _TAIL.sub("", _LEAD.sub("", " ".join(text.split()).lstrip("¿¡ ")))
    if _NO_SUM.fullmatch(bare.strip()):
        raise NoSum(text)
    for pattern, sign in _SPOKEN:
        bare = pattern.sub(sign, bare)
    bare = _plain_numbers(_PART.sub("% *", bare).translate(_SIGNS), language)
    if before and re.match(r"\s*(?:[*/^]|[-+]\s)", bare):
        bare = f"{before} {bare}"
    tokens = _tokens(bare)
    if not any(each in "+-*/^%" or each in ("mod", "sqrt") for each in tokens[1:]) and tokens[0] != "sqrt":
        raise NoSum(text)
    reading = _Reading(tokens)
    value, exact = reading.whole()
    return f"{_written(tokens)} {'=' if exact and _finite(value) else '≈'} {_number(value, exact)}"


def result(said: str) -> str:
    """The result in an answer of ``solved``; empty if it is none."""
    found = re.fullmatch(r"[-+*/^()%\d.\s]*(?:(?:mod|√)[-+*/^()%\d.\s]*)*(?:= (-?\d[\d.]*)|≈ -?\d[\d.]*)", said.strip())
    return (found.group(1) or "") if found else ""


def _plain_numbers(text: str, language: Language) -> str:
    """Numbers as in Python: without thousands separators, with a decimal point."""
    if language == "en":
        return _ENGLISH_THOUSANDS.sub(lambda found: found.group().replace(",", ""), text)
    text = _OTHER_THOUSANDS.sub(lambda found: re.sub(r"\D", "", found.group()), text)
    return re.sub(r"(?<=\d),(?=\d)", ".", text)


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NoSum(text)
        sign = "*" if found.group("x") else found.group("sign") or found.group("number")
        tokens.append("^" if sign == "**" else sign)
        place = found.end()
    if not any(each[-1].isdigit() for each in tokens):
        raise NoSum(text)
    return tokens


class _Reading:
    """Reads tokens by precedence: sums, products, signs, powers, percentages. Values are exact, except roots."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._exact = True

    def whole(self) -> tuple[Fraction, bool]:
        value = self._sum()
        if self._at < len(self._tokens):
            raise NoSum(" ".join(self._tokens))
        return value, self._exact

    def _next(self, *wanted: str) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at] in wanted:
            self._at += 1
            return self._tokens[self._at - 1]
        return ""

    def _sum(self) -> Fraction:
        value = self._product()
        while sign := self._next("+", "-"):
            begun = self._at
            other = self._product()
            if self._at == begun + 2 and self._tokens[self._at - 1] == "%":
                # "100 - 10%" means 90 to some and 99.9 to others.
                raise NoSum("a percentage of what is not said")
            value = self._bounded(value + other if sign == "+" else value - other)
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while sign := self._next("*", "/", "mod"):
            other = self._signed()
            if sign != "*" and other == 0:
                raise DividedByZero
            value = self._bounded(value * other if sign == "*" else value / other if sign == "/" else value % other)
        return value

    def _signed(self) -> Fraction:
        if self._next("-"):
            return -self._signed()
        if self._next("+"):
            return self._signed()
        return self._power()

    def _power(self) -> Fraction:
        value = self._atom()
        if self._next("^"):
            exponent = self._signed()
            if exponent.denominator != 1 or abs(exponent) * max(1, _bits(value)) > _MAX_BITS:
                raise NoSum("an exponent that is not a whole number, or a large one")
            if value == 0 and exponent < 0:
                raise DividedByZero
            value = self._bounded(value ** int(exponent))
        return value

    def _atom(self) -> Fraction:
        if self._next("sqrt"):
            return self._root(self._power())
        if self._next("("):
            value = self._sum()
            if not self._next(")"):
                raise NoSum("a bracket stays open")
        elif self._at < len(self._tokens) and self._tokens[self._at][-1].isdigit():
            value = Fraction(self._tokens[self._at])
            self._at += 1
        else:
            raise NoSum("a number is missing")
        while self._next("%"):
            value /= 100
        return value

    def _root(self, value: Fraction) -> Fraction:
        if value < 0:
            raise NoSum("a root of a negative number")
        upper, lower = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if upper**2 == value.numerator and lower**2 == value.denominator:
            return Fraction(upper, lower)
        self._exact = False
        with localcontext() as context:
            context.prec = 2 * _DIGITS
            return Fraction((Decimal(value.numerator) / Decimal(value.denominator)).sqrt())

    def _bounded(self, value: Fraction) -> Fraction:
        if _bits(value) > _MAX_BITS:
            raise NoSum("a number that is too long")
        return value


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _finite(value: Fraction) -> bool:
    """Whether its decimals end."""
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _number(value: Fraction, exact: bool) -> str:
    if value.denominator == 1 and exact:
        return str(value.numerator)
    with localcontext() as context:
        context.prec = _MAX_BITS if exact and _finite(value) else _DIGITS
        written = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written


def _written(tokens: list[str]) -> str:
    text = ""
    for before, each in zip(["", *tokens], tokens, strict=False):
        tight = not text or each in (")", "%") or before in ("(", "sqrt") or (before in "+-" and _unary(text))
        text += each if tight else f" {each}"
    return text.replace("sqrt", "√")


def _unary(text: str) -> bool:
    """Whether the sign at the end of ``text`` belongs to the number after it."""
    return len(text) < 2 or text[:-1].rstrip()[-1:] in "+-*/^("
