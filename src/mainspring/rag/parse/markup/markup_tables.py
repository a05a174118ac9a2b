"""Tables of reStructuredText as rows of cells, and rows of cells as pipe tables."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from itertools import pairwise

Rows = list[list[str]]


def pipe_table(rows: Sequence[Sequence[str]], *, named: bool = True) -> list[str]:
    """A pipe table; its first row names the columns, or is empty if they are not ``named``."""
    rows = [row for number, row in enumerate(rows) if any(row) or not (named or number)]
    if not rows:
        return []
    width = max(map(len, rows))
    full = [[*(cell.replace("|", "/") for cell in row), *[""] * (width - len(row))] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in full]
    return [lines[0], f"|{' --- |' * width}", *lines[1:]]


def grid(lines: Sequence[str], at: int) -> tuple[Rows, int]:
    """(rows of the grid table that begins at line ``at``, the line behind it). A cell across columns is the first's."""
    end = at
    while end < len(lines) and lines[end][:1] in ("+", "|"):
        end += 1
    edges = sorted({place for line in lines[at:end] if line[0] == "+" for place in _places(line)})
    rows: Rows = []
    row = [""] * (len(edges) - 1)
    for line in lines[at + 1 : end]:
        if re.fullmatch(r"\+[-=+]+\+?", line):
            rows.append(row)
            row = [""] * (len(edges) - 1)
            continue
        for number, (left, right) in enumerate(pairwise(edges)):
            if left < len(line) and line[left] in "|+":
                stop = next((edge for edge in edges[number + 1 :] if edge < len(line) and line[edge] in "|+"), right)
                part = line[left + 1 : stop].strip()
                row[number] = f"{row[number]} {part if part.strip('-=+') else ''}".strip()
    return rows, end


def _places(line: str) -> list[int]:
    return [place for place, mark in enumerate(line) if mark == "+"]


def simple(lines: Sequence[str], at: int) -> tuple[Rows, int]:
    """(rows of the simple table whose first rule is line ``at``, the next line after it)."""
    rules = [number for number in range(at, len(lines)) if re.fullmatch(r"=+(?:\s+=+)*\s*", lines[number] or " ")]
    rules = [number for number in rules if _same_rule(lines[number], lines[at])]
    # Two rules without a header, three with one; a blank line follows the last one.
    last = next((n for n in rules[1:] if n + 1 >= len(lines) or not lines[n + 1].strip()), rules[-1])
    spans = [match.span() for match in re.finditer(r"=+", lines[at])]
    rows: Rows = []
    for line in lines[at + 1 : last]:
        if not line.strip() or re.fullmatch(r"[=\-\s]+", line):
            continue
        stops = [*(start for start, _ in spans[1:]), max(len(line), 10_000)]
        cells = [line[start:stop].strip() for (start, _), stop in zip(spans, stops, strict=True)]
        if rows and not cells[0]:
            # The first column is empty if a row continues.
            rows[-1] = [f"{above} {cell}".strip() for above, cell in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(["" if cell == "\\" else cell for cell in cells])
    return rows, last + 1


def _same_rule(one: str, other: str) -> bool:
    return [m.start() for m in re.finditer(r"=+", one)] == [m.start() for m in re.finditer(r"=+", other)]


def list_rows(lines: Sequence[str]) -> Rows:
    """Rows of a ``list-table``: a list of lists."""
    rows: Rows = []
    for line in lines:
        opening = re.match(r"\*\s+-\s*(.*)$", line)
        cell = re.match(r"\s+-(?:\s+(.*))?$", line)
        if opening:
            rows.append([opening[1]])
        elif cell and rows:
            rows[-1].append(cell[1] or "")
        elif line.strip() and rows:
            rows[-1][-1] = f"{rows[-1][-1]} {line.strip()}".strip()
    return rows


def csv_rows(lines: Sequence[str]) -> Rows:
    """Rows of a ``csv-table``."""
    return [[cell.strip() for cell in row] for row in csv.reader(line for line in lines if line.strip())]
