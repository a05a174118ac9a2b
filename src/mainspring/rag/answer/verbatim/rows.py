"""Rows of tables as answers: the row's key and the columns that a question names.

A row is a line of cells between pipes, each with its column's name ("Zone 3: 23.95"); cells in front without a name
are a caption. The first named cell is the key, unless it is like the others: then the cell in front of it is. Columns
whose names are values ("2 weeks | 4 weeks") list what has each value, and such a row has no key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.rag.answer.evidence import exact_names
from mainspring.rag.answer.evidence.values import of_question, values
from mainspring.rag.answer.verbatim import asked_columns
from mainspring.rag.text import terms

_BETWEEN = " | "
_NAMED = re.compile(r"(?P<name>[^:|]{1,60}):\s+(?P<value>.+)", re.DOTALL)
_NUMERIC = re.compile(r"[-+(]?\s*(?:[$£€¥]\s*)?[-+(]?\d[\d.,\s]*[%)]*(?:\s?[a-z%]{1,3})?|[-–—]", re.IGNORECASE)
# Letters that are no code: "BR-305" and "B107" have none.
_WORD = re.compile(r"(?<![\w-])[^\W\d_]{3,}(?![\w]*\d)")
# What a cell beside a code counts that names what the row is, of a key that does.
_NAMED_BY, _NAME_WORDS = 0.7, 4
_MOST_OF_IT = 0.5
_SAYS_NOTHING = frozenset(
    "value values amount answer definition description detail details explanation meaning message result text"
    " content".split()
)
_RANGES = (
    ("up", re.compile(r"\b(?:up to|at most|under|below|less than|not over|max(?:imum)?\.?)\b|[<≤]", re.IGNORECASE)),
    ("from", re.compile(r"\b(?:over|above|more than|at least|from|and (?:over|above|more|up))\b|[>≥+]", re.IGNORECASE)),
)

# "Anywhere else in the United Kingdom", "Other EU countries": a row for all places that the other rows do not name.
_ALL_OTHERS = (
    r"(?:(?:any|every)where else\b|elsewhere\b|(?:the )?rest of (?:the )?\w+"
    r"|(?:all |any |the )?other (?:[\w-]+ ){0,3}?"
    r"(?:countr|cit|town|place|area|region|state|zone|destination|territor|island))"
)
_FOR_OTHERS = re.compile(rf"\s*{_ALL_OTHERS}", re.IGNORECASE)
_ROW_FOR_OTHERS = re.compile(
    rf"\|\s*(?:[^:|\n]{{1,60}}:\s+)?{_ALL_OTHERS}|^(?:[^:|\n]{{1,60}}:\s+)?{_ALL_OTHERS}[^|\n]*\|",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """``name`` is its column's (empty: none), ``value`` its content."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table. ``caption`` are the cells in front of its key that have no name. ``lists``: the names of its
    columns are values of what is in them, and ``key`` is only its first cell."""

    caption: tuple[str, ...]
    key: Cell
    cells: tuple[Cell, ...]
    lists: bool = False


def parsed(text: str) -> Row | None:
    """The row in ``text``, a passage of kind ``row``; None if its cells have no names or there are none."""
    cells = []
    for part in text.split(_BETWEEN):
        match = _NAMED.fullmatch(part.strip())
        cells.append(Cell(match["name"].strip(), match["value"].strip()) if match else Cell("", part.strip()))
    first = next((number for number, cell in enumerate(cells) if cell.name), None)
    if first is None or len(cells) < 2:
        return None
    captions, named = tuple(cell.value for cell in cells[:first]), cells[first:]
    if first and (_NUMERIC.fullmatch(named[0].value) or _are_alike(named)):
        # "Net sales | 2023: 5": the column of keys has no name.
        return Row(captions[:-1], cells[first - 1], tuple(named))
    if len(named) == 1:
        return None
    lists = all(values(cell.name) and not values(cell.value) for cell in named)
    return Row(captions, named[0], tuple(named[1:]), lists)


def _are_alike(cells: Sequence[Cell]) -> bool:
    """Whether the names of all ``cells`` are mostly the same words, or half of their values are: none is the key of the
    others."""
    if len(cells) < 2:
        return False
    names = _least_shared([cell.name for cell in cells])
    return names > _MOST_OF_IT or _least_shared([cell.value for cell in cells]) >= _MOST_OF_IT


def _least_shared(texts: Sequence[str]) -> float:
    """The share of the words of each of ``texts`` that all of them have, at the least."""
    words = [terms.content(text) for text in texts]
    shared = frozenset.intersection(*words)
    return min(len(shared) / max(1, len(each)) for each in words)


def keyed(text: str) -> str:
    """The key of the row ``text``: the first cell of one without names, if all others are figures. Empty: it has
    none."""
    row = parsed(text)
    if row is not None:
        if row.lists:
            return " ".join(cell.value for cell in (row.key, *row.cells))
        told = _named_by(row)
        return f"{row.key.value} {told.value}" if told else row.key.value
    first, *others = (cell.strip() for cell in text.split(_BETWEEN))
    figures = bool(others) and all(_NUMERIC.fullmatch(cell) for cell in others) and not _NUMERIC.fullmatch(first)
    return first if figures else ""


def pair(text: str) -> Cell | None:
    """The pair of key and value that ``text``, a line of a form, is; None if it is another row."""
    match = _NAMED.fullmatch(text.strip()) if _BETWEEN not in text else None
    return Cell(match["name"].strip(), match["value"].strip()) if match else None


def columns(row: Row, question: str, most: int = 2) -> tuple[Cell, ...]:
    """The cells of ``row`` that ``question`` asks for: those of the columns that it names best, in order; if it
    names no column, the only cell with the kind of thing asked for. () if that does not distinguish them.

    In a follow-up, which is in the last line, its own names have priority over the earlier question's.
    """
    if row.lists:
        asked = terms.content(question.rpartition("\n")[2])
        return tuple(cell for cell in (row.key, *row.cells) if terms.content(cell.value) & asked)
    if len(row.cells) == 1:
        return row.cells
    *before, last = question.split("\n")
    return _columns(row, last, most) or (_columns(row, question, most) if before else ())


def _columns(row: Row, question: str, most: int) -> tuple[Cell, ...]:
    asked = terms.content(question)
    # "When does the early shift begin?" names the column "Shift" and does not ask for it: its value is known.
    cells = [cell for cell in row.cells if not _is_said(cell, asked)]
    names = [terms.content(cell.name) for cell in cells]
    weights = terms.rarity(asked, names)
    shared = frozenset.intersection(*names) if len(names) > 1 else frozenset()
    scores = [terms.overlap(weights, (words & asked) - shared) for words in names]
    best = max(scores, default=0.0)
    # Between "Zone 1" and "Zone 3", the column whose second word is also in the question wins.
    chosen = [cell for cell, score in zip(cells, scores, strict=True) if best > 0 and score >= 0.99 * best]
    meant = [cell for cell in chosen or cells if asked_columns.named(cell.name, question)]
    if 0 < len(meant) <= most:
        return tuple(meant)
    if chosen:
        return tuple(chosen) if len(chosen) <= most else ()
    kind = terms.asked_kind(question)
    if kind in ("number", "date"):
        offering = [cell for cell in cells if terms.offers(kind, f"{cell.name} {cell.value}", asked) > 0]
        return tuple(offering) if len(offering) == 1 else ()
    return ()


def _is_said(cell: Cell, asked: frozenset[str]) -> bool:
    """Whether a question with the words ``asked`` says the value of ``cell`` itself."""
    words = terms.content(cell.value)
    return bool(words) and words <= asked and not _NUMERIC.fullmatch(cell.value)


def for_others(row: Row) -> Cell | None:
    """The cell of ``row`` that says that it is for all places that no other row names; None if there is none."""
    cells = (row.key, *row.cells)
    return next((cell for cell in cells if _FOR_OTHERS.match(cell.value)), None)


def has_others(text: str) -> bool:
    """Whether ``text`` has a row of a table that is for all places that its other rows do not name."""
    return "|" in text and _ROW_FOR_OTHERS.search(text) is not None


def cases(bodies: Sequence[str], question: str) -> dict[int, bool]:
    """Whether each of the rows ``bodies`` of a table, by its number, is one for what ``question`` names: it has a name,
    or no row has one and it is for all others. {} if that distinguishes none."""
    names = [each for each in exact_names.named(question) if each.kind == "name"]
    if not names or len(bodies) < 2:
        return {}
    having = [any(exact_names.has(body, each) for each in names) for body in bodies]
    if all(having):
        return {}
    if not any(having):
        found = [parsed(body) for body in bodies]
        having = [row is not None and for_others(row) is not None for row in found]
    return dict(enumerate(having)) if any(having) else {}


def told(row: Row, cells: Sequence[Cell], question: str) -> tuple[Cell, ...]:
    """``cells`` of ``row``, after the one that says what the row is for: one with a name of ``question``, the one that
    is for all others, or one with what it asks about where the row's key has nothing of it."""
    if row.lists:
        return tuple(cells)
    names = [each for each in exact_names.named(question) if each.kind == "name"]
    said = next((cell for cell in row.cells if any(exact_names.has(cell.value, each) for each in names)), None)
    asked = terms.content(question)
    said = said or (for_others(row) if names else None) or _about(row, asked)
    # "Early" of "the early shift": the row's key alone is also that of the late one.
    known = terms.content(row.key.value)
    first = [
        cell
        for cell in row.cells
        if cell is said or (_is_said(cell, asked) and not terms.content(cell.value) <= known and cell not in cells)
    ]
    return (*(cell for cell in first if cell not in cells), *cells)


def _about(row: Row, asked: frozenset[str]) -> Cell | None:
    """The cell of ``row`` most of whose words are in ``asked``, if the key and the caption have none of them."""
    if terms.content(" ".join((*row.caption, row.key.value))) & asked:
        return None
    best = max(row.cells, key=lambda cell: share(cell.value, asked))
    return best if share(best.value, asked) > _MOST_OF_IT else None


def apart(row: Row, cells: Sequence[Cell], shown: Sequence[Row]) -> tuple[Cell, ...]:
    """``cells`` of ``row``, after the one that distinguishes it from others of its key among ``shown``: three rows of
    one product, each for a part of it, are no answer without the part."""
    alike = [each for each in shown if each is not row and (each.caption, each.key) == (row.caption, row.key)]
    for cell in row.cells:
        others = [other.value for each in alike for other in each.cells if other.name == cell.name]
        if any(value != cell.value for value in others):
            return tuple(cells) if cell in cells else (cell, *cells)
    return tuple(cells)


def matched(row: Row, asked: frozenset[str]) -> float:
    """The share of the words of the row's key that are in ``asked`` (the content words of a question)."""
    if row.lists:
        return max(share(cell.value, asked) for cell in (row.key, *row.cells))
    if _NUMERIC.fullmatch(row.key.value):
        # In "year 3" of a question the number is the column's.
        asked -= terms.content(" ".join(cell.name for cell in row.cells))
    told = _named_by(row)
    return max(share(row.key.value, asked), _NAMED_BY * share(told.value, asked) if told else 0.0)


def _named_by(row: Row) -> Cell | None:
    """The cell that says in words what a row is whose key is a number or a code; None if its key has words."""
    if _WORD.search(row.key.value):
        return None
    told = next((cell for cell in row.cells if _WORD.search(cell.value) and not values(cell.value)), None)
    return told if told is not None and len(told.value.split()) <= _NAME_WORDS else None


def share(text: str, asked: frozenset[str]) -> float:
    """The share of the content words of ``text`` that are in ``asked``."""
    own = terms.content(text)
    return len(own & asked) / len(own) if own else 0.0


def within(row: Row, question: str) -> float:
    """1 if a value of ``question`` is within a range in a cell of the row, -1 if it is outside of all ranges, 0 without
    ranges."""
    found = 0.0
    amounts = [(value, amount) for value in of_question(question) if (amount := _number(value.amount)) is not None]
    cells = (row.key, *row.cells) if amounts else ()
    counted = [
        bool(_NUMERIC.fullmatch(cell.value))
        and cell is row.key
        and bool(terms.content(cell.name) & terms.content(question))
        for cell in cells
    ]
    said = [values(cell.value) for cell in cells]
    ranges: dict[tuple[int, object], tuple[float | None, float | None]] = {}
    for value, amount in amounts:
        for place, cell in enumerate(cells):
            if counted[place]:
                # "Failures per day: 10" is the row of "fails ten times a day" alone.
                found = max(found, 1.0) if _number(cell.value.replace(",", "")) == amount else min(found, -1.0)
                if found == 1.0:
                    return found
                continue
            if (place, value.key) not in ranges:
                bounds = [_number(each.amount) for each in said[place] if each.key == value.key]
                kept = [each for each in bounds if each is not None]
                ranges[place, value.key] = _range(f"{cell.name} {cell.value}", kept)
            low, high = ranges[place, value.key]
            if low is None and high is None:
                continue
            if (low is None or amount >= low) and (high is None or amount <= high):
                return 1.0
            found = -1.0
    return found


def short(row: Row, cells: Sequence[Cell], *, bold: str = "**", plain: Sequence[Cell] = ()) -> str:
    """The row in a few words: caption, key and ``cells`` with their values between ``bold``, but for those of
    ``plain``, which say what the row is for. Where the key and the cell are both words, their columns say how they
    belong together."""
    if row.lists:
        if cells is row.cells:
            # All that is behind the key stands for the whole row; the same cells may also be those that are asked for.
            return full(row)
        found = [cell for cell in (row.key, *row.cells) if cell in cells]
        return ", ".join((*row.caption, "; ".join(f"{cell.value}: {bold}{cell.name}{bold}" for cell in found)))
    alone = len(row.cells) == 1
    if alone and cells and row.key.name and _is_worded(row.cells[0]):
        return full(row, row.cells, bold=bold)
    told = "; ".join(
        cell.value if cell in plain else f"{_shown_name(cell, alone)}{bold}{cell.value}{bold}" for cell in cells
    )
    return f"{', '.join((*row.caption, row.key.value))}: {told}"


def full(row: Row, told: Sequence[Cell] = (), *, bold: str = "**") -> str:
    """The whole row, each cell with the name of its column; the values of those ``told`` are between ``bold``."""
    parts = [
        f"{cell.name}: {bold}{cell.value}{bold}" if cell in told else f"{cell.name}: {cell.value}".removeprefix(": ")
        for cell in (row.key, *row.cells)
    ]
    if not row.key.name:
        # "Medium risk: Under 13 active supervision" reads as a pair.
        parts = [f"{parts[0]}: {'; '.join(parts[1:])}"]
    return ", ".join((*row.caption, "; ".join(parts)))


def _is_worded(cell: Cell) -> bool:
    """Whether ``cell`` has a name that says something and a value that is no figure."""
    says = bool(cell.name) and cell.name.lower() not in _SAYS_NOTHING
    return says and not _NUMERIC.fullmatch(cell.value) and not values(cell.value)


def _shown_name(cell: Cell, alone: bool) -> str:
    """The name of a cell's column if it says more than the value."""
    if not cell.name or cell.name.lower() in _SAYS_NOTHING or (alone and not _NUMERIC.fullmatch(cell.value)):
        return ""
    return f"{cell.name} "


def table(rows: Sequence[Row], numbers: Sequence[int]) -> str:
    """Rows as a Markdown table; ``numbers`` are those of their citations."""
    names = list(dict.fromkeys(cell.name for row in rows for cell in (row.key, *row.cells)))
    lines = [_line([*names, ""]), _line(["---"] * (len(names) + 1))]
    for row, number in zip(rows, numbers, strict=True):
        cells = {cell.name: cell.value for cell in (row.key, *row.cells)}
        lines.append(_line([*(cells.get(name, "") for name in names), f"[{number}]"]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _range(text: str, numbers: Sequence[float]) -> tuple[float | None, float | None]:
    """(least, most) of a key's range; (None, None) if it is no range."""
    if not numbers:
        return None, None
    if len(numbers) >= 2:
        return min(numbers[:2]), max(numbers[:2])
    for kind, pattern in _RANGES:
        if pattern.search(text):
            return (None, numbers[0]) if kind == "up" else (numbers[0], None)
    return None, None


def _number(amount: str) -> float | None:
    try:
        return float(amount)
    except ValueError:
        return None
