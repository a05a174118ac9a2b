"""JSON numbers between bounds as grammars: every number that is admitted lies within them and is finite."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

INTEGER = '("0" | "-"? [1-9] [0-9]{0,18})'
NUMBER = '("0" | "-"? [1-9] [0-9]{0,18} | "-"? ("0" | [1-9] [0-9]{0,15}) "." [0-9]{1,17}) ([eE] [+-]? [0-9]{1,2})?'
NUMBER_PLAIN = '("0" | "-"? [1-9] [0-9]{0,15}) ("." [0-9]{1,17})?'
DIGITS = 17
"""The most digits behind the point, which is what a double holds."""
_MOST = 10**19 - 1


def integers(low: int | None, high: int | None) -> str | None:
    """Whole numbers from ``low`` to ``high``; None: there are none."""
    if low is None and high is None:
        return INTEGER
    low = min(-_MOST, high - _MOST if high is not None else 0) if low is None else low
    high = max(_MOST, low + _MOST) if high is None else high
    if low > high or max(abs(low), abs(high)) > 10**40:
        return None
    parts = []
    if low < 0:
        parts.append(f'"-" ({_whole(max(1, -high), -low)})')
    if high >= 0:
        parts.append(_whole(max(0, low), high))
    return f"({' | '.join(parts)})"


def _whole(low: int, high: int) -> str:
    """Whole numbers from ``low`` >= 0 to ``high``, by their number of digits."""
    parts = []
    for size in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (size - 1) if size > 1 else 0)
        last = min(high, 10**size - 1)
        parts.append(_same_size(str(first), str(last)))
    return " | ".join(parts)


def _same_size(low: str, high: str) -> str:
    """Numbers of as many digits as ``low`` and ``high`` have."""
    if low == high:
        return f'"{low}"'
    if set(low) == {"0"} and set(high) == {"9"}:
        return _any_digits(len(low))
    if low[0] == high[0]:
        return f'"{low[0]}" ({_same_size(low[1:], high[1:])})'
    if len(low) == 1:
        return _digit(int(low), int(high))
    rest = len(low) - 1
    first, last, parts = int(low[0]), int(high[0]), []
    if set(low[1:]) != {"0"}:
        parts.append(f'"{first}" ({_same_size(low[1:], "9" * rest)})')
        first += 1
    whole_last = set(high[1:]) == {"9"}
    if first <= last - (not whole_last):
        parts.append(f"{_digit(first, last - (not whole_last))} {_any_digits(rest)}")
    if not whole_last:
        parts.append(f'"{last}" ({_same_size("0" * rest, high[1:])})')
    return " | ".join(parts)


def _digit(low: int, high: int) -> str:
    return f'"{low}"' if low == high else f"[{low}-{high}]"


def _any_digits(count: int) -> str:
    return "[0-9]" if count == 1 else f"[0-9]{{{count}}}"


def numbers(
    low: Decimal | None,
    high: Decimal | None,
    *,
    above: bool = False,
    below: bool = False,
    digits: int = DIGITS,
) -> str | None:
    """Numbers from ``low`` to ``high`` (``above``, ``below``: without the bound itself) of at most ``digits`` digits
    behind the point, without exponents; None: none can be written so."""
    low = Decimal(-(10**16)) if low is None else low
    high = Decimal(10**16) if high is None else high
    # Wider than what is written without exponents: the bound excludes nothing that stays.
    low, above = (low, above) if low > -(Decimal(10) ** 30) else (-(Decimal(10) ** 30), False)
    high, below = (high, below) if high < Decimal(10) ** 30 else (Decimal(10) ** 30, False)
    unit = Decimal(1).scaleb(-min(digits, DIGITS))
    lowest, highest = _to(low, unit, ROUND_CEILING), _to(high, unit, ROUND_FLOOR)
    above, below = above and lowest == low, below and highest == high
    if lowest > highest or (lowest == highest and (above or below)):
        return None
    parts = []
    if lowest < 0:
        least = max(Decimal(0), -highest)
        found = _positive(least, -lowest, above=below and highest < 0, below=above, digits=digits)
        if highest <= 0 and below and highest == 0:
            found = _positive(least, -lowest, above=True, below=above, digits=digits)
        parts += [f'"-" ({found})'] if found else []
    if highest >= 0:
        found = _positive(max(lowest, Decimal(0)), highest, above=above and lowest >= 0, below=below, digits=digits)
        parts += [found] if found else []
    return f"({' | '.join(parts)})" if parts else None


def _to(value: Decimal, unit: Decimal, rounding: str) -> Decimal:
    steps = (value / unit).to_integral_value(rounding=rounding) if abs(value) < 10**9 else None
    return value.to_integral_value(rounding=rounding) if steps is None else steps * unit


def _positive(low: Decimal, high: Decimal, *, above: bool, below: bool, digits: int) -> str:
    """Numbers from ``low`` >= 0 to ``high``; empty: none."""
    first, last = int(low), int(high)
    low_digits, high_digits = _fraction(low - first), _fraction(high - last)
    if first == last:
        return _whole_and(f'"{first}"', _Fraction(low_digits, high_digits, above, below, digits).rule())
    parts = [_whole_and(f'"{first}"', _Fraction(low_digits, None, above, False, digits).rule())]
    if last - first > 1:
        rest = _Fraction(None, None, False, False, digits).rule()
        parts.append(_whole_and(f"({_whole(first + 1, last - 1)})", rest))
    parts.append(_whole_and(f'"{last}"', _Fraction(None, high_digits, False, below, digits).rule()))
    return " | ".join(part for part in parts if part)


def _fraction(value: Decimal) -> str:
    """The digits of a number from 0 to 1 behind the point."""
    return f"{value:f}".partition(".")[2].rstrip("0")


def _whole_and(whole: str, fraction: tuple[bool, str]) -> str:
    """``whole``, followed by a point and the fraction, or alone where that is allowed."""
    alone, behind = fraction
    if behind:
        return f'{whole} ("." ({behind}))?' if alone else f'{whole} "." ({behind})'
    return whole if alone else ""


class _Fraction:
    """Digits behind a point, between two bounds; None: that side is free already."""

    def __init__(self, low: str | None, high: str | None, above: bool, below: bool, digits: int) -> None:
        self._above, self._below, self._low, self._high = above, below, low, high
        self._digits = digits

    def rule(self) -> tuple[bool, str]:
        """Whether none at all are right, and the rule for one or more."""
        return self._ends(self._low, self._high), self._more(self._low, self._high, self._digits)

    def _ends(self, low: str | None, high: str | None) -> bool:
        return (low is None or (low == "" and not self._above)) and not (high == "" and self._below)

    def _more(self, low: str | None, high: str | None, left: int) -> str:
        """One or more further digits, at most ``left``; empty: none fit."""
        if left < 1:
            return ""
        low = None if low == "" and not self._above else low
        if low is None and high is None:
            return f"[0-9]{{1,{left}}}"
        least = int(low[0]) if low else 0
        most = int(high[0]) if high else 9 if high is None else 0
        groups: dict[tuple[str | None, str | None], list[int]] = {}
        for digit in range(least, most + 1):
            next_low = low[1:] if low is not None and digit == least else None
            next_high = high[1:] if high is not None and digit == most else None
            groups.setdefault((next_low, next_high), []).append(digit)
        parts = []
        for (next_low, next_high), found in groups.items():
            # Zeros without end lead nowhere.
            deep = 3 if (next_low, next_high) == (low, high) else left
            behind = self._more(next_low, next_high, min(left - 1, deep))
            ends = self._ends(next_low, next_high)
            digit_rule = _digit(found[0], found[-1])
            if behind:
                parts.append(f"{digit_rule} ({behind}){'?' if ends else ''}")
            elif ends:
                parts.append(digit_rule)
        return " | ".join(parts)


def multiples(low: Decimal | None, high: Decimal | None, step: Decimal, *, above: bool, whole: bool) -> str | None:
    """Multiples of ``step`` where the last digits tell them, of any size or from 0 on; None: elsewhere."""
    wide = Decimal(10) ** 15
    if (high is not None and high < wide) or (low is not None and low > -wide and low not in (0, 1)):
        return None
    sign = '"-"? ' if low is None or low <= -wide else ""
    zero = "" if low == 1 or (low == 0 and above) else '"0" | '
    if step > 1 and step == step.to_integral_value():
        size = next((count for count in (1, 2, 3) if 10**count % step == 0), None)
        if size is None:
            return None
        ends = range(0, 10**size, int(step))
        short = " | ".join(f'"{each}"' for each in ends if each)
        behind = " | ".join(f'"{each:0{size}}"' for each in ends)
        short_rule = f"{sign}({short}) | " if short else ""
        return f"{zero}{short_rule}{sign}[1-9] [0-9]{{0,{14 - size}}} ({behind})"
    if whole or step >= 1 or 1 % step or 1 / step > 100:
        return None
    parts = [_fraction(step * count) for count in range(1, int(1 / step))]
    behind = " | ".join(f'"{each}" "0"{{0,2}}' for each in parts)
    return f'{zero}{sign}"0." ({behind}) | {sign}[1-9] [0-9]{{0,13}} ("." ({behind} | "0"))?'
