"""PDFs made from known text, for the benchmark of parsing: the right result is known to the letter."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH, HEIGHT = 595.0, 842.0
_LEFT, _TOP, _BOTTOM, _GUTTER = 56.0, 770.0, 70.0, 22.0
_FONT, _SIZE, _STEP = "Times-Roman", 9.5, 11.6
_WORDS = "Ashcombe Tarnside Portwell Roosdal Marlow Larkfield Kestrel Cinder Wren Quickstag Dalehopper Longpond".split()
_COLUMNS = ("Region", "Carrier", "Weight limit", "Price", "Days", "Depot", "Valid until")


@dataclass(slots=True)
class Made:
    """A document and what is in it: sentences in reading order, tables, captions, furniture as (page, text)."""

    layout: str
    data: bytes = b""
    pages: int = 0
    sentences: list[str] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)
    furniture: list[tuple[int, str]] = field(default_factory=list)
    broken_words: list[str] = field(default_factory=list)


class _Writer:
    """Sets paragraphs into columns of a canvas."""

    def __init__(self, made: Made, paragraphs: Iterator[str], seed: int, *, hyphens: bool = True) -> None:
        import pyphen
        from reportlab.pdfgen.canvas import Canvas

        self.buffer = io.BytesIO()
        self.canvas: Any = Canvas(self.buffer, pagesize=(WIDTH, HEIGHT), invariant=1)
        self.made, self.paragraphs, self.random = made, paragraphs, random.Random(seed)
        self._hyphenate = pyphen.Pyphen(lang="en_US").positions if hyphens else lambda _: []
        self._open: list[str] = []
        self._lines: list[tuple[float, float, str, float]] = []
        self.interleaved = False
        self._furniture = self.random.choice((_plain_furniture, _alternating_furniture, _roman_furniture))

    def page(self, total: int) -> None:
        """End a page: write what waits, add header and footer."""
        # A page that is drawn line by line across its columns is how spreadsheets and some typesetters print.
        lines = sorted(self._lines, key=lambda line: -line[1]) if self.interleaved else self._lines
        for x, y, text, size in lines:
            self.canvas.setFont("Times-Bold" if size > _SIZE + 1 else _FONT, size)
            self.canvas.drawString(x, y, text)
        self._lines = []
        self.made.pages += 1
        self._furniture(self, self.made.pages, total)
        self.canvas.showPage()

    def furniture(self, x: float, y: float, text: str, *, centred: bool = False) -> None:
        self.canvas.setFont("Helvetica", 8)
        (self.canvas.drawCentredString if centred else self.canvas.drawString)(x, y, text)
        self.made.furniture.append((self.made.pages, text))

    def column(self, x: float, width: float, top: float, bottom: float) -> None:
        """Fill a column with paragraphs; one that does not fit goes on in the next."""
        y = top
        while y >= bottom:
            if not self._open:
                self._open = self._broken(next(self.paragraphs), width)
                y -= 4 if y < top else 0
                if y < bottom:
                    return
            self._lines.append((x, y, self._open.pop(0), _SIZE))
            y -= _STEP

    def finish_paragraph(self) -> None:
        """Forget the rest of a paragraph that no column took, and the sentences in it."""
        rest = _squeezed("".join(self._open))
        while self._open and self.made.sentences and rest:
            last = _squeezed(self.made.sentences[-1])
            if not rest.endswith(last[-min(len(last), len(rest)) :]):
                break
            self.made.sentences.pop()
            rest = rest[: max(0, len(rest) - len(last))]
        self._open = []

    def line(self, x: float, y: float, text: str, size: float = _SIZE) -> None:
        self._lines.append((x, y, text, size))

    def _broken(self, paragraph: str, width: float) -> list[str]:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        self.made.sentences.extend(sentences_of(paragraph))
        lines, line = [], ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if stringWidth(longer, _FONT, _SIZE) <= width:
                line = longer
                continue
            head, tail = self._cut(word, line, width)
            lines.append(f"{line} {head}".strip())
            if head:
                self.made.broken_words.append(word)
            line = tail
        return [*lines, line]

    def _cut(self, word: str, line: str, width: float) -> tuple[str, str]:
        from reportlab.pdfbase.pdfmetrics import stringWidth

        if word.isalpha() and len(word) > 6:
            for position in reversed(self._hyphenate(word)):
                head = f"{word[:position]}-"
                if stringWidth(f"{line} {head}", _FONT, _SIZE) <= width:
                    return head, word[position:]
        return "", word


def sentences_of(paragraph: str) -> list[str]:
    """Sentences of plain prose, long enough to be found again."""
    return [each for each in re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph) if len(each) > 30]


def _squeezed(text: str) -> str:
    return re.sub(r"[\s-]", "", text)


def _plain_furniture(writer: _Writer, page: int, total: int) -> None:
    writer.furniture(_LEFT, 808, "Larkfield Annual Review")
    writer.furniture(WIDTH / 2, 34, f"Page {page} of {total}", centred=True)


def _alternating_furniture(writer: _Writer, page: int, total: int) -> None:  # noqa: ARG001
    writer.furniture(_LEFT, 806, "Marlow Bridge Papers, volume 12" if page % 2 else "Harrow and Wren")
    writer.furniture(_LEFT if page % 2 else WIDTH - 80, 34, str(page + 40))


def _roman_furniture(writer: _Writer, page: int, total: int) -> None:  # noqa: ARG001
    writer.furniture(_LEFT, 40, "Confidential - not for distribution")
    writer.furniture(WIDTH / 2, 28, ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii")[page - 1], centred=True)


# --- tables ---------------------------------------------------------------------------------------------------


def _table(writer: _Writer, *, columns: int, rows: int, merged: bool = False, words: int = 2) -> list[list[str]]:
    random_ = writer.random
    names = random_.sample(_COLUMNS, columns)
    body = [[_value(random_, name, words) for name in names] for _ in range(rows)]
    if merged and rows >= 3:
        body[1][0] = body[0][0]
    table = [names, *body]
    writer.made.tables.append(table)
    return table


def _value(random_: random.Random, name: str, words: int) -> str:
    if name == "Price":
        return f"{random_.uniform(3, 900):,.2f}"
    if name == "Days":
        return str(random_.randint(1, 30))
    if name == "Weight limit":
        return f"{random_.randint(1, 40)} kg"
    if name == "Valid until":
        return f"{random_.randint(1, 28)} March 2027"
    return " ".join(random_.sample(_WORDS, random_.randint(1, words)))


def _draw_table(
    writer: _Writer, table: Sequence[Sequence[str]], x: float, top: float, width: float, style: str
) -> float:
    """Draw a table; where it ends. ``style``: grid, merged (a grid with one cell over two rows), rects, open."""
    columns, step = len(table[0]), 15.0
    wide = width / columns
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            y = top - row * step
            if style == "merged" and column == 0 and row == 2:
                continue
            if style == "merged" and column == 0 and row == 1:
                y -= step / 2
            writer.line(x + column * wide + 4, y - 10, cell)
    canvas = writer.canvas
    canvas.setLineWidth(0.6)
    bottom = top - len(table) * step
    if style == "rects":
        for row in range(len(table)):
            for column in range(columns):
                canvas.rect(x + column * wide, top - (row + 1) * step, wide, step)
    elif style in ("grid", "merged"):
        for column in range(columns + 1):
            canvas.line(x + column * wide, top, x + column * wide, bottom)
        for row in range(len(table) + 1):
            start = x + wide if style == "merged" and row == 2 else x
            canvas.line(start, top - row * step, x + width, top - row * step)
    return bottom


# --- layouts --------------------------------------------------------------------------------------------------


def _columns(writer: _Writer, count: int, top: float, bottom: float) -> None:
    width = (WIDTH - 2 * _LEFT - (count - 1) * _GUTTER) / count
    for number in range(count):
        writer.column(_LEFT + number * (width + _GUTTER), width, top, bottom)


def _simple(count: int) -> Callable[[_Writer, int], None]:
    def lay(writer: _Writer, page: int) -> None:  # noqa: ARG001
        _columns(writer, count, _TOP, _BOTTOM)

    return lay


def _titled(writer: _Writer, page: int) -> None:
    top = _TOP
    if page == 1:
        writer.line(_LEFT, top - 8, "A Review of Carriers, Depots and the People Behind Them", 17.0)
        writer.column(_LEFT, WIDTH - 2 * _LEFT, top - 40, top - 90)
        top -= 120
    _columns(writer, 2, top, _BOTTOM)


def _table_across(style: str, merged: bool = False) -> Callable[[_Writer, int], None]:
    def lay(writer: _Writer, page: int) -> None:  # noqa: ARG001
        _columns(writer, 2, _TOP, 520)
        table = _table(writer, columns=5, rows=6, merged=merged)
        _draw_table(writer, table, _LEFT, 490, WIDTH - 2 * _LEFT, style)
        _columns(writer, 2, 350, _BOTTOM)

    return lay


def _open_table_in_column(writer: _Writer, page: int) -> None:  # noqa: ARG001
    width = (WIDTH - 2 * _LEFT - _GUTTER) / 2
    writer.column(_LEFT, width, _TOP, 480)
    table = _table(writer, columns=3, rows=6, words=1)
    _draw_table(writer, table, _LEFT, 450, width, "open")
    writer.column(_LEFT, width, 310, _BOTTOM)
    writer.column(_LEFT + width + _GUTTER, width, _TOP, _BOTTOM)


def _one_column_table(style: str) -> Callable[[_Writer, int], None]:
    def lay(writer: _Writer, page: int) -> None:  # noqa: ARG001
        writer.column(_LEFT, WIDTH - 2 * _LEFT, _TOP, 560)
        _draw_table(writer, _table(writer, columns=4, rows=7), _LEFT, 530, WIDTH - 2 * _LEFT, style)
        writer.column(_LEFT, WIDTH - 2 * _LEFT, 370, _BOTTOM)

    return lay


def _figures(writer: _Writer, page: int) -> None:
    from reportlab.lib.utils import ImageReader

    writer.column(_LEFT, WIDTH - 2 * _LEFT, _TOP, 560)
    writer.canvas.drawImage(ImageReader(_picture(page)), 150, 330, 300, 190)
    caption = f"Figure {page}: {' '.join(writer.random.sample(_WORDS, 3))} at work."
    writer.made.captions.append(caption)
    writer.line(170, 314, caption)
    writer.column(_LEFT, WIDTH - 2 * _LEFT, 285, _BOTTOM)


def _picture(number: int) -> Any:
    from PIL import Image

    image = Image.new("RGB", (300, 190))
    image.putdata([((x * number) % 256, y % 256, (x + y) % 256) for y in range(190) for x in range(300)])
    return image


def _turned(writer: _Writer, page: int) -> None:  # noqa: ARG001
    # Written along the long side of a page that readers show turned.
    writer.canvas.setPageRotation(90)
    writer.canvas.translate(WIDTH, 0)
    writer.canvas.rotate(90)
    width = (HEIGHT - 2 * 70 - _GUTTER) / 2
    for number in range(2):
        writer.column(70 + number * (width + _GUTTER), width, 520, 90)


LAYOUTS: dict[str, Callable[[_Writer, int], None]] = {
    "one column": _simple(1),
    "two columns": _simple(2),
    "three columns": _simple(3),
    "two columns, title and abstract across": _titled,
    "two columns, grid across": _table_across("grid"),
    "two columns, merged cells across": _table_across("merged", merged=True),
    "two columns, table without rules in one": _open_table_in_column,
    "one column, table without rules": _one_column_table("open"),
    "one column, table of boxes": _one_column_table("rects"),
    "figures": _figures,
    "turned pages": _turned,
    "two columns, drawn line by line": _simple(2),
}


def make(layout: str, paragraphs: Iterator[str], seed: int, pages: int = 4) -> Made:
    """A document of ``pages`` pages in one of ``LAYOUTS``, from ``paragraphs``."""
    made = Made(layout)
    writer = _Writer(made, paragraphs, seed)
    writer.interleaved = "line by line" in layout
    for page in range(1, pages + 1):
        LAYOUTS[layout](writer, page)
        writer.finish_paragraph()
        if layout == "turned pages":
            writer._furniture = lambda *_: None
        writer.page(pages)
    writer.canvas.save()
    made.data = writer.buffer.getvalue()
    return made
