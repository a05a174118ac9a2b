"""The rows of a table that name its columns: one, or several whose upper names span those below.

``2024`` over ``Revenue`` and ``Profit`` makes ``2024 Revenue`` and ``2024 Profit``; ``kW`` below ``Power`` makes
``Power (kW)``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

YEAR = re.compile(r"(?:FY ?)?(?:19|20)\d\d[AE]?")
NUMERIC = re.compile(r"(?=\D*\d)[\s\d.,:%£$€+\-/()]+$")
_ORDINAL = re.compile(r"\(?(\d{1,3}|[a-z])[.)]\s")
_UNIT = (
    r"(?:[kMGTmµcdh]?(?:W|Wh|V|VA|A|Ah|Hz|J|N|Nm|Pa|g|m|l|L|B|bit|bps|s|bar)|kWp|h|min|days?|weeks?|months?|years?"
    r"|hours?|minutes?|seconds?|t|lbs?|oz|in|ft|ha|°[CF]|K|dB(?:\(A\))?|rpm|psi|ppm|pcs?\.?|pieces|m[²³23]|cm[²³23]"
    r"|EUR|USD|GBP|CHF|[€£$¥%‰#]|[kKmM]?(?:EUR|USD|GBP|€|£|\$)|TEUR)"
)
_UNITS = re.compile(rf"{_UNIT}(?:\s?(?:/|per)\s?{_UNIT}){{0,2}}|[(\[][^()\[\]]{{1,20}}[)\]]|-|–|—")
_DIGITS, _HALF_DAY = re.compile(r"\d+"), re.compile(r"\b[ap]\.?m\b")
_MOST_LEVELS = 4
# A text of more words names no column.
_MOST_WORDS = 14


def named(table: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """The names of the columns of ``table``, whose merged cells are repeated, and the number of rows that they take:
    0 where its first row names none."""
    if len(table) < 2 or len(table[0]) < 2:
        return [], 0
    names, levels = list(table[0]), 1
    even = all(len(row) == len(names) for row in table[: _MOST_LEVELS + 2])
    if len(table) > 2 and even:
        spread = _spread(table[0], table[1], table[2])
        while levels < min(_MOST_LEVELS, len(table) - 1) and is_group(spread, table[levels]):
            names = spread = [_joined(upper, lower) for upper, lower in zip(spread, table[levels], strict=True)]
            levels += 1
    if levels == 1 and (not is_header(names) or _counts(table[0], table[1]) or _repeats(table)):
        return [], 0
    if even and len(table) > levels + 1 and _are_units(table[levels], table[levels + 1]):
        names = [_measured(name, unit) for name, unit in zip(names, table[levels], strict=True)]
        levels += 1
    return names, levels


def heads_figures(column: Sequence[str]) -> bool:
    """Whether the first cell of ``column`` stands over figures, and is none."""
    return len(column) > 1 and not NUMERIC.match(column[0]) and all(NUMERIC.match(cell) for cell in column[1:])


def title(table: Sequence[Sequence[str]]) -> str:
    """What is merged across all columns of ``table`` above the names of its columns; empty: nothing."""
    row = table[0] if len(table) > 2 else ()
    over = len(row) > 1 and all(row) and len(set(row)) == 1 and not NUMERIC.match(row[0])
    return row[0] if over and len({cell for cell in table[1] if cell}) > 1 else ""


def is_header(row: Sequence[str]) -> bool:
    """Whether a row names the columns below it: it has no gaps and no numbers except years."""
    years = [cell for cell in row[1:] if YEAR.fullmatch(cell)]
    if len(years) > 1 and len(years) == len(row) - 1:
        # Years in ascending or descending order name the columns of figures, of one period or of several.
        once = list(dict.fromkeys(years))
        ordered = once in (sorted(once), sorted(once, reverse=True)) and len(once) > 1
        return ordered and years == once * (len(years) // len(once)) and not NUMERIC.match(row[0])
    return all(row[1:]) and not any(NUMERIC.match(cell) or _is_sentence(cell) for cell in row)


def _is_sentence(cell: str) -> bool:
    """Whether a cell is a text and no name of a column."""
    words = len(cell.split())
    return words > _MOST_WORDS or (words > 3 and cell.endswith((".", "!", "?")) and cell[:1].isupper())


def is_group(upper: Sequence[str], lower: Sequence[str]) -> bool:
    """Whether two rows are a header of two levels: the upper has cells merged across others of the lower."""
    if len(upper) != len(lower):
        return False
    spans = [bool(a) and a == b for a, b in pairwise(upper)]
    differ = [a != b for a, b in pairwise(lower)]
    if not any(span and differs for span, differs in zip(spans, differ, strict=True)):
        return False
    if is_header(upper) and is_header(lower):
        return True
    # Years over others: all that is not below a span goes through both rows, so that the lower is no row of figures.
    single = [
        lower[at] in ("", name) for at, name in enumerate(upper) if not (any(spans[max(0, at - 1) : at + 1]) and name)
    ]
    below = [lower[at] for at, name in enumerate(upper) if name and any(spans[max(0, at - 1) : at + 1])]
    several = len({name for name in upper if name}) > 1
    return several and bool(single) and all(single) and all(below) and _labels(upper) and _labels(below)


def _labels(cells: Sequence[str]) -> bool:
    """Whether ``cells`` are words or years."""
    return all(not NUMERIC.match(cell) or YEAR.fullmatch(cell) for cell in cells)


def _spread(upper: Sequence[str], lower: Sequence[str], body: Sequence[str]) -> list[str]:
    """``upper`` with each name repeated over the gaps behind it, where these are of a header of two levels whose cells
    were not merged: each name and gap stands over a word or a year, and figures follow."""
    gaps = [at for at, name in enumerate(upper) if not name and at]
    heads = [at for at in range(len(upper) - 1) if upper[at] and not upper[at + 1]]
    under = all(lower[at] for at in (*gaps, *heads))
    several = len(heads) > 1 or (len(heads) == 1 and not upper[0])
    figures = any(NUMERIC.match(cell) and not YEAR.fullmatch(cell) for cell in body[1:])
    words = _labels(upper) and _labels(lower) and not all(YEAR.fullmatch(cell) for cell in lower if cell)
    if not (gaps and several and under and figures and words):
        return list(upper)
    found = list(upper[:1])
    for at, name in enumerate(upper[1:], 1):
        found.append(name or (found[at - 1] if at > 1 or upper[0] else ""))
    return found


def _are_units(row: Sequence[str], body: Sequence[str]) -> bool:
    """Whether ``row``, below the names of columns, has the units of the figures in ``body``."""
    units = [cell for cell in row if cell]
    figures = any(NUMERIC.match(cell) for cell, unit in zip(body, row, strict=True) if unit)
    return bool(units) and figures and all(_UNITS.fullmatch(cell) for cell in units)


def _measured(name: str, unit: str) -> str:
    unit = unit.strip("()[] ")
    return f"{name} ({unit})" if (name and any(map(str.isalnum, unit))) or unit in tuple("€£$¥%‰") else name


def _counts(upper: Sequence[str], lower: Sequence[str]) -> bool:
    """Whether the numbers at the beginning of a column go on from a row to the next ("1. Name", "2. Purpose"): both are
    rows of the table's body."""
    pairs = [(_ORDINAL.match(a), _ORDINAL.match(b)) for a, b in zip(upper, lower, strict=False)]
    return any(a and b and _place(b[1]) == _place(a[1]) + 1 for a, b in pairs)


def _repeats(table: Sequence[Sequence[str]]) -> bool:
    """Whether a cell of the first row, with words and digits, looks like two cells below it or the only one ("Nov. 12"
    over "Nov. 16", "9 am - 5 pm"): it is a row of the table's body."""
    for at, cell in enumerate(table[0]):
        if NUMERIC.match(cell) or YEAR.fullmatch(cell) or not any(map(str.isdigit, cell)):
            continue
        look = _look(cell)
        below = [row[at] for row in table[1:] if at < len(row) and row[at]]
        alike = sum(_look(other) == look and other != cell for other in below)
        if alike and alike >= min(2, len(below)):
            return True
    return False


def _look(cell: str) -> str:
    """A cell with any number for its numbers, and any half of the day."""
    return _HALF_DAY.sub("am", _DIGITS.sub("0", cell.casefold()))


def _place(mark: str) -> int:
    """The place of a number, or of a letter in the alphabet from beyond all numbers."""
    return int(mark) if mark.isdigit() else 1000 + ord(mark)


def _joined(upper: str, lower: str) -> str:
    return upper if upper == lower else f"{upper} {lower}".strip()
