"""PDFs of figures, set in the ways that lose them: made from known text, so that what must be read is known.

Lines of a financial table and a paragraph with numbers stand on each page; what differs is how they are drawn: glyph by
glyph, kerned, turned, in columns, with ligatures, with marks of notes, with rules and without, with footers that count.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 595.0, 842.0
_SIZE, _STEP, _LEFT, _TOP = 9.5, 13.0, 60.0, 760.0
_FONT = "Times-Roman"
_LABELS = (
    "Net sales", "Cost of goods sold", "Operating income", "Interest expense, net", "Income before taxes",
    "Provision for income taxes", "Total current assets", "Long-term debt", "Accounts payable", "Retained earnings",
    "Efficient offices affiliated", "Shares outstanding, fully diluted",
)  # fmt: skip
_PROSE = (
    "Sales grew by {} million to {} million, an increase of {} percent, as the efficient office floor space reached {} "
    "square feet. A final payment of ${} follows in {}, when {} affiliated offices are to be refitted."
)

Draw = Callable[[Any, float, float, str], None]


@dataclass(frozen=True, slots=True)
class Stress:
    """A PDF, and for each of its pages the lines that it was made of."""

    way: str
    data: bytes
    pages: tuple[tuple[str, ...], ...]

    @property
    def text(self) -> str:
        """Everything that must be read."""
        return "\n".join(line for page in self.pages for line in page)


def make(way: str, seed: int = 0, pages: int = 3) -> Stress:
    """A document that is drawn in one of ``WAYS``."""
    from reportlab.pdfgen.canvas import Canvas

    randomly = random.Random(f"{way} {seed}")
    buffer = io.BytesIO()
    canvas: Any = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=1)
    made: list[tuple[str, ...]] = []
    for number in range(pages):
        canvas.setFont(_FONT, _SIZE)
        made.append(tuple(WAYS[way](canvas, randomly)))
        if way == "footers":
            canvas.drawCentredString(_WIDTH / 2, 40, f"Annual report 2023 | {number + 101}")
        canvas.showPage()
    canvas.save()
    return Stress(way, buffer.getvalue(), tuple(made))


# --- what is written --------------------------------------------------------------------------------------------


def _amount(randomly: random.Random) -> str:
    value = randomly.choice((randomly.randrange(100, 1000), randomly.randrange(1000, 10**7)))
    return f"({value:,})" if randomly.random() < 0.2 else f"{value:,}{randomly.choice(('', '', '.5'))}"


def _rows(randomly: random.Random, columns: int = 3) -> list[list[str]]:
    labels = randomly.sample(_LABELS, 9)
    years = [str(2023 - number) for number in range(columns)]
    return [["In thousands", *years], *([label, *(_amount(randomly) for _ in years)] for label in labels)]


def _sentences(randomly: random.Random) -> list[str]:
    return _PROSE.format(*(_amount(randomly).strip("()") for _ in range(7))).split(". ")


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def _page(canvas: Any, randomly: random.Random, draw: Draw) -> list[str]:
    """A paragraph over a table without rules, its amounts flush right as they are in print."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    lines = _wrapped(". ".join(_sentences(randomly)), 90)
    for number, line in enumerate(lines):
        draw(canvas, _LEFT, _TOP - number * _STEP, line)
    written = list(lines)
    for number, row in enumerate(_rows(randomly)):
        y = _TOP - (len(lines) + 2 + number) * _STEP
        for column, cell in enumerate(row):
            x = _LEFT if not column else _LEFT + 240 + 75 * column - stringWidth(cell, _FONT, _SIZE)
            draw(canvas, x, y, cell)
        written.append(" ".join(row))
    return written


# --- how it is drawn --------------------------------------------------------------------------------------------


def _whole(canvas: Any, x: float, y: float, text: str) -> None:
    canvas.drawString(x, y, text)


def _glyphs(canvas: Any, x: float, y: float, text: str) -> None:
    """Each glyph by itself, as some printing drivers do; spaces are gaps."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for glyph in text:
        if glyph != " ":
            canvas.drawString(x, y, glyph)
        x += stringWidth(glyph, _FONT, _SIZE)


def _spaced_glyphs(canvas: Any, x: float, y: float, text: str) -> None:
    """Each glyph by itself, spaces too."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for glyph in text:
        canvas.drawString(x, y, glyph)
        x += stringWidth(glyph, _FONT, _SIZE)


def _kerned(canvas: Any, x: float, y: float, text: str) -> None:
    """Pairs of glyphs, each moved a little into the one before."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for start in range(0, len(text), 2):
        pair = text[start : start + 2]
        canvas.drawString(x, y, pair)
        x += stringWidth(pair, _FONT, _SIZE) - 0.35


def _loose(canvas: Any, x: float, y: float, text: str) -> None:
    """Letters set apart."""
    canvas.drawString(x, y, text, charSpace=0.6)


def _words(canvas: Any, x: float, y: float, text: str) -> None:
    """Each word by itself, with the space of justified lines."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    for word in text.split(" "):
        canvas.drawString(x, y, word)
        x += stringWidth(word, _FONT, _SIZE) + 0.45 * _SIZE


def _ligatures(canvas: Any, x: float, y: float, text: str) -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    if "Vera" not in pdfmetrics.getRegisteredFontNames():
        pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))
    canvas.setFont("Vera", _SIZE - 1)
    canvas.drawString(x, y, text.replace("fi", "\ufb01").replace("fl", "\ufb02"))


def _drawn(draw: Draw) -> Callable[[Any, random.Random], list[str]]:
    return lambda canvas, randomly: _page(canvas, randomly, draw)


def _turned(degrees: int) -> Callable[[Any, random.Random], list[str]]:
    def page(canvas: Any, randomly: random.Random) -> list[str]:
        canvas.setPageSize((_HEIGHT, _HEIGHT))
        canvas.translate(_HEIGHT / 2, _HEIGHT / 2)
        canvas.rotate(degrees)
        canvas.translate(-_HEIGHT / 2, -_HEIGHT / 2)
        return _page(canvas, randomly, _glyphs if degrees == 90 else _whole)

    return page


def _columns(canvas: Any, randomly: random.Random) -> list[str]:
    """Two columns of prose, drawn glyph by glyph and line by line across."""
    columns = [_wrapped(" ".join(f"{part}." for _ in range(4) for part in _sentences(randomly)), 46) for _ in range(2)]
    for number in range(max(map(len, columns))):
        for column, lines in enumerate(columns):
            if number < len(lines):
                _glyphs(canvas, _LEFT + 250 * column, _TOP - number * _STEP, lines[number])
    return [line for lines in columns for line in lines]


def _ruled(canvas: Any, randomly: random.Random) -> list[str]:
    """A grid with rules, glyph by glyph, from the very top of the page; its last column has a name and no values."""
    rows = [[*row, "2019" if not number else ""] for number, row in enumerate(_rows(randomly))]
    for number, row in enumerate(rows):
        y = _TOP - number * 2 * _STEP
        for column, cell in enumerate(row):
            x = _LEFT + (0 if not column else 120 + 75 * column)
            _glyphs(canvas, x + 3, y + 4, cell)
            canvas.rect(x, y - 4, 195 if not column else 75, 2 * _STEP)
    return [" ".join(row) for row in rows]


def _noted(canvas: Any, randomly: random.Random) -> list[str]:
    """Numbers with the marks of notes, small and raised, right behind them."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    written = []
    for number, row in enumerate(_rows(randomly)):
        y = _TOP - (8 + number) * _STEP
        line = " ".join(cell.strip("()") for cell in row)
        canvas.setFont(_FONT, _SIZE)
        canvas.drawString(_LEFT, y, line)
        canvas.setFont(_FONT, 5.5)
        canvas.drawString(_LEFT + stringWidth(line, _FONT, _SIZE), y + 3.6, str(number + 1))
        written.append(f"{line} {number + 1}")
    return written


WAYS: dict[str, Callable[[Any, random.Random], list[str]]] = {
    "plain": _drawn(_whole),
    "glyphs": _drawn(_glyphs),
    "glyphs and spaces": _drawn(_spaced_glyphs),
    "kerned": _drawn(_kerned),
    "letters set apart": _drawn(_loose),
    "words": _drawn(_words),
    "ligatures": _drawn(_ligatures),
    "turned left": _turned(90),
    "turned right": _turned(270),
    "upside down": _turned(180),
    "columns": _columns,
    "ruled": _ruled,
    "notes": _noted,
    "footers": _drawn(_glyphs),
}
