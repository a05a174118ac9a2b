"""What people write around the tables of a sheet: titles and facts above, sections between rows, notes below."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mainspring.rag.parse.markup import table_header

# A header is looked for in the first rows of a block.
_MOST_ABOVE = 8
_NOTE = re.compile(r"(?:notes?|source|remarks?|legend|\*|\(?\d\)|[¹²³†‡])\b|[*¹²³†‡]", re.IGNORECASE)
_NOTE_WORDS = 4

Rows = list[list[str]]


def titles(table: Rows) -> tuple[Rows, Rows]:
    """(lines above the table, the table) of a block of rows: lines have one or two cells and more columns follow."""
    at = next((number for number in range(min(len(table), _MOST_ABOVE)) if not _is_line(table, number)), None)
    if at is None:
        # Lines alone; a list of one column or of pairs is no table with titles.
        widest = max(len(_distinct(row)) for row in table)
        return (table, []) if widest <= 1 else ([], table)
    return table[:at], _without_empty(table[at:])


def _is_line(table: Rows, number: int) -> bool:
    """Whether row ``number`` is a title, or a fact such as ``Last update | 14 February``, above a wider header."""
    row = table[number]
    told = len(_distinct(row))
    if told <= 1:
        return True
    rest = table[number + 1 :]
    wider = [each for each in rest[:_MOST_ABOVE] if len(_filled(each)) > len(_filled(row)) and len(_distinct(each)) > 2]
    heads = bool(wider) and not any(table_header.NUMERIC.match(cell) for cell in wider[0])
    if told > 2 or len(_filled(row)) > 2 or not row[0] or not heads or len(_filled(wider[0])) < len(row) - 1:
        return False
    # The upper row of a header in two rows stands over names.
    return not table_header.is_group(row, rest[0]) and bool(row[1])


def notes(table: Rows) -> tuple[Rows, Rows]:
    """(the table, lines below it): single cells of several words, or marked as notes."""
    end = len(table)
    while end > 1 and len(table[0]) > 1 and len(_distinct(table[end - 1])) == 1:
        text = _distinct(table[end - 1])[0]
        if len(text.split()) < _NOTE_WORDS and not _NOTE.match(text):
            break
        end -= 1
    return table[:end], table[end:]


def sections(table: Rows, header: bool) -> Iterator[tuple[str, Rows]]:
    """The parts of a table below lines that are merged across it, each with the header, and the line (empty: none)."""
    if not table:
        return
    head, body = (table[:1], table[1:]) if header else ([], table)
    part: Rows = []
    section = ""
    for row in body:
        if len(row) > 1 and all(row) and len(set(row)) == 1 and not table_header.NUMERIC.match(row[0]):
            if part:
                yield section, [*head, *part]
            section, part = row[0], []
        else:
            part.append(row)
    if part or not section:
        yield section, [*head, *part]


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell]


def _distinct(row: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(_filled(row)))


def _without_empty(table: Rows) -> Rows:
    """``table`` without the columns that only its titles had."""
    kept = [at for at in range(len(table[0])) if any(row[at] for row in table)]
    return [[row[at] for at in kept] for row in table]
