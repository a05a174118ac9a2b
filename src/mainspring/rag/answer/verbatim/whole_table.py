"""Whole tables as answers: all rows, where nothing in a question tells one row from the others.

"How much leave do I get?" is answered by the row of each group of colleagues, and not by the one that happens to be
first.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mainspring.rag.answer.verbatim import rows
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.text import sentences, terms

MOST = 8
"""A table of more rows is not shown whole."""
# A table is searched this far around its row: characters.
_AROUND = 1500
# A table is the one that is asked for if the headings over it have this share of the question's words.
_OVER = 0.3
_ASKS_PERSON = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)


def of(passage: Passage, question: str, text: str, room: int) -> list[Passage]:
    """All rows of the table of ``passage``, a row of the document ``text``, in order, within ``room`` words. [] where
    the question tells one row from another, names columns, asks for a person or is about something else, and where the
    table is too long."""
    row = rows.parsed(passage.text)
    if row is None or row.lists or rows.columns(row, question) or _ASKS_PERSON.search(question.rpartition("\n")[2]):
        return []
    asked = terms.content(question.rpartition("\n")[2])
    if len(terms.content(passage.heading) & asked) < max(1, _OVER * len(asked)):
        return []
    found = _table(passage, text)
    if not 1 < len(found) <= MOST or words(found) > room:
        return []
    return found if _alike(found, question) else []


def words(found: list[Passage]) -> int:
    """The number of words of rows as a table, which has the names of their columns once."""
    parsed = [row for each in found if (row := rows.parsed(each.text)) is not None]
    cells = [cell.value for row in parsed for cell in (row.key, *row.cells)]
    return len(" ".join([*cells, *_columns(found[0].text)]).split()) if found else 0


def _alike(found: list[Passage], question: str) -> bool:
    """Whether all rows have the same words of ``question``, and none has a value or a range of it."""
    asked = terms.content(question)
    own = {terms.content(each.text) & asked for each in found}
    parsed = [rows.parsed(each.text) for each in found]
    return len(own) == 1 and all(row is not None and rows.within(row, question) == 0 for row in parsed)


def _table(passage: Passage, text: str) -> list[Passage]:
    """The rows around ``passage`` that have its columns; [] if they are not within reach."""
    begin = text.rfind("\n", 0, max(0, passage.start - _AROUND)) + 1
    end = text.find("\n", min(len(text), passage.end + _AROUND))
    end = end if end >= 0 else len(text)
    units = sentences.split(text[begin:end])
    at = next((n for n, one in enumerate(units) if one.start + begin == passage.start), None)
    if at is None:
        return []
    columns = _columns(passage.text)
    first = last = at
    while first and _is_of(units[first - 1], text, begin, columns):
        first -= 1
    while last + 1 < len(units) and _is_of(units[last + 1], text, begin, columns):
        last += 1
    if (first == 0 and begin > 0) or (last == len(units) - 1 and end < len(text)):
        # It may go on beyond the window.
        return []
    return [
        replace(passage, text=text[one.start + begin : one.end + begin], start=one.start + begin, end=one.end + begin)
        for one in units[first : last + 1]
    ]


def _is_of(one: sentences.Sentence, text: str, begin: int, columns: list[str]) -> bool:
    return one.kind == "row" and _columns(text[one.start + begin : one.end + begin]) == columns


def _columns(text: str) -> list[str]:
    row = rows.parsed(text)
    return [] if row is None else [cell.name for cell in (row.key, *row.cells)]
