"""The content of a PDF page: runs of text, drawn lines and images, with their boxes. Uses pypdfium2.

On simple pages, text is taken in whole runs, which is fast. If it is rotated, if one run spans several columns, or if
each glyph is placed separately, it is assembled from single characters along their baselines. In both cases words end
only where pdfium's own text has space.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from mainspring.rag.parse.parsed import Box
from mainspring.rag.parse.pdf.geometry import Picture, Piece, Rule, Sheet

_MAX_RULES = 4000
_MAX_PATHS = 20_000
_MAX_SEGMENTS = 4000
_MAX_CHARACTERS = 200_000
_SPACES = re.compile(r"\S {3,}\S")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
# Marks of items in the fonts Symbol and Wingdings, as word processors set them: codes of a private area, which no other
# font shows.
_MARKS = str.maketrans("\uf0b7\uf0a7\uf06e\uf06c\uf0d8\uf076\uf0fc\uf06f\uf0a8\uf071\uf0e0", "•▪■●➢❖✓□□□→")
# pdfium marks hyphens at line ends so.
_HYPHENS = str.maketrans({"\ufffe": "-", "\x02": "-", "\u2010": "-"})
# A gap of this many font sizes between characters parts two runs.
_RUN_GAP = 0.9
# More runs than this for a word, and more than a few, are glyphs that are placed by themselves.
_RECTS_A_WORD = 1.2
_FEW_RECTS = 12
# Text less than this many font sizes above or below the baseline is on the same line.
_SAME_LINE = 0.5
# Smaller pictures are ornaments: points.
_MIN_PICTURE = (36.0, 24.0)


def sheet_of(page: Any) -> Sheet:
    """Everything that layout needs to know of a page (a ``pypdfium2.PdfPage``)."""
    left, bottom, right, top = page.get_cropbox()
    sheet = Sheet([], height=top - bottom, width=right - left)
    text_page = page.get_textpage()
    try:
        whole, characters = text_page.get_text_range(), text_page.count_chars()
        text = _text(text_page, whole)
    finally:
        text_page.close()
    pieces, turn, sheet.asides = text.pieces, text.turn, text.asides
    cuts = [0, *(text.notes if len(whole) == characters else ()), len(whole)]
    sheet.reference = _lines(" ".join(whole[start:stop] for start, stop in pairwise(cuts)))
    rules, pictures = _objects(page)
    frame = _Frame(left, bottom, right, top, turn)
    if turn or left or bottom:
        sheet.turned = bool(turn)
        sheet.height, sheet.width = (sheet.width, sheet.height) if turn % 180 else (sheet.height, sheet.width)
        sheet.pieces = [Piece(*frame.upright(piece.box), piece.text, piece.size, piece.glued) for piece in pieces]
        sheet.rules = [Rule(*frame.upright((rule.left, rule.bottom, rule.right, rule.top))) for rule in rules]
        sheet.pictures = [Picture(*frame.upright(each.box), packed=each.packed) for each in pictures]
    else:
        sheet.pieces, sheet.rules, sheet.pictures = pieces, rules, pictures
    return sheet


@dataclass(frozen=True, slots=True)
class _Frame:
    """The page, and by how many degrees its text is turned counterclockwise: 0, 90, 180 or 270."""

    left: float
    bottom: float
    right: float
    top: float
    turn: int

    def upright(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        left, bottom, right, top = box
        if self.turn == 0:
            return left - self.left, bottom - self.bottom, right - self.left, top - self.bottom
        if self.turn == 90:
            return bottom - self.bottom, self.right - right, top - self.bottom, self.right - left
        if self.turn == 270:
            return self.top - top, left - self.left, self.top - bottom, right - self.left
        return self.right - right, self.top - top, self.right - left, self.top - bottom


# --- text -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Text:
    """The text of a page: runs in the main direction, that direction in degrees, (text, oblique) of runs in others,
    and where in pdfium's text the marks of footnotes begin."""

    pieces: list[Piece]
    turn: int = 0
    asides: list[tuple[str, bool]] = field(default_factory=list)
    notes: list[int] = field(default_factory=list)


def _text(text_page: Any, text: str) -> _Text:
    plain = _plain(text_page, text)
    if plain is not None:
        return plain
    runs = list(_runs(text_page))
    weights: Counter[int] = Counter()
    for run in runs:
        weights[run.turn] += len(run.piece.text)
    straight = [turn for turn in weights if turn >= 0]
    main = max(straight, key=lambda turn: weights[turn]) if straight else -1
    asides: list[tuple[str, bool]] = []
    for run in runs:
        if run.turn != main:
            _add_aside(asides, run)
    notes = [run.note for run in runs if run.note]
    return _Text([run.piece for run in runs if run.turn == main], max(0, main), asides, notes)


def _plain(text_page: Any, text: str) -> _Text | None:
    """The runs of a page with only upright text; None if it must be read by characters."""
    import pypdfium2.raw as raw

    handle = text_page.raw
    if len(text) != text_page.count_chars():
        return None
    rects = text_page.count_rects()
    if rects > max(_FEW_RECTS, _RECTS_A_WORD * len(text.split())):
        return None
    boxes = [text_page.get_rect(number) for number in range(rects)]
    starts: list[int] = []
    for left, bottom, _, top in boxes:
        index = raw.FPDFText_GetCharIndexAtPos(handle, left + 0.5, (bottom + top) / 2, 4, 4)
        if index < 0 or (starts and index <= starts[-1]) or raw.FPDFText_GetCharAngle(handle, index) > 0.02:
            return None
        starts.append(index)
    if starts and _SPACES.search(text):
        return None
    found = _Text([])
    x, y = ctypes.c_double(), ctypes.c_double()
    above = float("-inf")
    for number, (box, start) in enumerate(zip(boxes, starts, strict=True)):
        words = text[start : starts[number + 1] if number + 1 < rects else len(text)]
        size = raw.FPDFText_GetFontSize(handle, start)
        raw.FPDFText_GetCharOrigin(handle, start, ctypes.byref(x), ctypes.byref(y))
        within = number > 0 and not text[start - 1].isspace() and text[start - 1] not in "\ufffe\x02"
        last = found.pieces[-1] if found.pieces else None
        if within and words[0].isdigit() and text[start - 1].isdigit() and _is_note(*_loose(handle, start)):
            found.notes.append(start)
            within, words = False, f" {words}"
        left, bottom, right, top = box
        piece = Piece(left, bottom, right, top, _read(words), size, within and abs(y.value - above) < _SAME_LINE * size)
        if last is not None and piece.glued and abs(size - last.size) < 0.5 and box[0] - last.right < size:
            found.pieces[-1] = _joined(last, piece)
        else:
            found.pieces.append(piece)
        above = y.value
    return found


def _joined(one: Piece, other: Piece) -> Piece:
    """Two pieces of one word as one."""
    box = (
        min(one.left, other.left),
        min(one.bottom, other.bottom),
        max(one.right, other.right),
        max(one.top, other.top),
    )
    return Piece(*box, one.text + other.text, one.size, one.glued)


def _loose(handle: Any, index: int) -> tuple[Box, Box]:
    """The boxes of the characters before and at ``index``, as high as their fonts."""
    import pypdfium2.raw as raw

    rect = raw.FS_RECTF()
    boxes: list[Box] = []
    for each in (index - 1, index):
        raw.FPDFText_GetLooseCharBox(handle, each, ctypes.byref(rect))
        boxes.append((rect.left, rect.bottom, rect.right, rect.top))
    return boxes[0], boxes[1]


def _is_note(digit: Box, mark: Box) -> bool:
    """Whether a small raised digit behind another is the mark of a footnote: 2007 with a mark 1 is not 20071."""
    height = digit[3] - digit[1]
    return mark[3] - mark[1] < 0.85 * height and mark[1] > digit[1] + 0.15 * height


def _read(text: str) -> str:
    return text.replace("\r\n", " ").translate(_HYPHENS).translate(_LIGATURES).translate(_MARKS)


def _lines(text: str) -> str:
    """pdfium's text with the ends of lines that it marks by a hyphen alone."""
    return text.replace("\ufffe", "-\n").replace("\x02", "-\n").translate(_LIGATURES).translate(_MARKS)


@dataclass(frozen=True, slots=True)
class _Run:
    piece: Piece
    turn: int
    """Its direction in degrees, counterclockwise; -1 if it is oblique."""
    note: int = 0
    """Where in the page's text it begins, if it is the mark of a footnote; else 0."""


@dataclass(slots=True)
class _Character:
    text: str
    box: tuple[float, float, float, float]
    size: float
    turn: int
    index: int

    @property
    def along(self) -> tuple[float, float]:
        """Where it starts and ends in the direction in which it is read."""
        left, bottom, right, top = self.box
        if self.turn == 90:
            return bottom, top
        if self.turn == 180:
            return -right, -left
        return (-top, -bottom) if self.turn == 270 else (left, right)

    @property
    def across(self) -> float:
        """How high its middle is above the page's edge at which lines end, in the direction in which it is read."""
        left, bottom, right, top = self.box
        middle = (left + right) / 2 if self.turn in (90, 270) else (bottom + top) / 2
        return -middle if self.turn in (90, 180) else middle


def _runs(text_page: Any) -> Iterator[_Run]:
    run: list[_Character] = []
    text = ""
    glued, note = False, 0
    for each in _characters(text_page):
        if each.text.isspace() or each.box[2] <= each.box[0]:
            text += " " if run else ""
            continue
        last = run[-1] if run else None
        if last is not None and _parted(last, each, within=not text[-1].isspace()):
            yield _run(run, text, glued, note)
            run, glued, note = [], False, 0
            if not text[-1].isspace() and last.turn == each.turn and last.text not in "\ufffe\x02":
                digits = last.text.isdigit() and each.text.isdigit() and each.turn == 0
                if digits and _is_note(last.box, each.box):
                    note = each.index
                else:
                    glued = abs(each.across - last.across) < _SAME_LINE * max(each.size, last.size)
            text = " " if note else ""
        run.append(each)
        text += each.text
    if run:
        yield _run(run, text, glued, note)


def _parted(last: _Character, new: _Character, *, within: bool) -> bool:
    """Whether a run ends between two characters. ``within``: pdfium has no space between them."""
    if last.turn != new.turn or abs(last.size - new.size) > 0.5 or last.text in "\ufffe\x02":
        return True
    if within and last.text.isdigit() and new.text.isdigit() and new.turn == 0 and _is_note(last.box, new.box):
        return True
    if new.turn < 0:
        # Oblique text is not laid out: one run as long as its size stays.
        return False
    gap = new.along[0] - last.along[1]
    if within and abs(new.across - last.across) < _SAME_LINE * new.size:
        # Kerning and overlapping boxes do not end a word; a wide gap means that pdfium has missed a space.
        return gap > new.size
    return gap > _RUN_GAP * new.size or gap < -new.size or abs(new.across - last.across) > _SAME_LINE * new.size


def _run(run: list[_Character], text: str, glued: bool, note: int) -> _Run:
    box = (
        min(each.box[0] for each in run),
        min(each.box[1] for each in run),
        max(each.box[2] for each in run),
        max(each.box[3] for each in run),
    )
    return _Run(Piece(*box, _read(text), run[0].size, glued), run[0].turn, note)


def _characters(text_page: Any) -> Iterator[_Character]:
    import pypdfium2.raw as raw

    handle = text_page.raw
    rect = raw.FS_RECTF()
    place = ctypes.byref(rect)
    unicode_of, box_of = raw.FPDFText_GetUnicode, raw.FPDFText_GetLooseCharBox
    angle_of, size_of = raw.FPDFText_GetCharAngle, raw.FPDFText_GetFontSize
    for index in range(min(_MAX_CHARACTERS, text_page.count_chars())):
        code = unicode_of(handle, index)
        text = chr(code) if 0 < code < 0x110000 else " "
        if text.isspace():
            yield _Character(" ", (0.0, 0.0, 0.0, 0.0), 0.0, 0, index)
            continue
        box_of(handle, index, place)
        angle = angle_of(handle, index)
        turn = 0
        if angle:
            # pdfium counts clockwise.
            degrees = -math.degrees(angle) % 360
            nearest = round(degrees / 90) * 90
            turn = nearest % 360 if abs(degrees - nearest) < 3 else -1
        size = size_of(handle, index)
        yield _Character(text, (rect.left, rect.bottom, rect.right, rect.top), size, turn, index)


def _add_aside(asides: list[tuple[str, bool]], run: _Run) -> None:
    text, oblique = " ".join(run.piece.text.split()), run.turn < 0
    if asides and asides[-1][1] == oblique:
        asides[-1] = (f"{asides[-1][0]} {text}", oblique)
    else:
        asides.append((text, oblique))


# --- lines and images -----------------------------------------------------------------------------------------


def _objects(page: Any) -> tuple[list[Rule], list[Picture]]:
    import pypdfium2.raw as raw

    rules: list[Rule] = []
    pictures: list[Picture] = []
    for number, item in enumerate(
        page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    ):
        if number >= _MAX_PATHS or len(rules) >= _MAX_RULES:
            break
        left, bottom, right, top = item.get_bounds()
        if item.type == raw.FPDF_PAGEOBJ_IMAGE:
            if right - left >= _MIN_PICTURE[0] and top - bottom >= _MIN_PICTURE[1]:
                packed = raw.FPDFImageObj_GetImageDataRaw(item.raw, None, 0)
                pictures.append(Picture(left, bottom, right, top, packed=packed))
        elif min(right - left, top - bottom) < 2.0:
            if max(right - left, top - bottom) > 8.0:
                rules.append(Rule(left, bottom, right, top))
        else:
            rules.extend(_drawn(item))
    return rules, pictures


def _drawn(path: Any) -> list[Rule]:
    """The horizontal and vertical lines of a path that is stroked, such as the frame of a cell or a whole grid."""
    import pypdfium2.raw as raw

    mode, stroke = ctypes.c_int(), ctypes.c_int()
    raw.FPDFPath_GetDrawMode(path.raw, ctypes.byref(mode), ctypes.byref(stroke))
    count = raw.FPDFPath_CountSegments(path.raw)
    if not stroke.value or count > _MAX_SEGMENTS:
        return []
    matrix = path.get_matrix()
    x, y = ctypes.c_float(), ctypes.c_float()
    rules: list[Rule] = []
    start = at = (0.0, 0.0)
    for index in range(count):
        segment = raw.FPDFPath_GetPathSegment(path.raw, index)
        raw.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = matrix.on_point(x.value, y.value)
        kind = raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            _add_rule(rules, at, point)
        at = point
        if raw.FPDFPathSegment_GetClose(segment):
            _add_rule(rules, at, start)
            at = start
    return rules


def _add_rule(rules: list[Rule], one: tuple[float, float], other: tuple[float, float]) -> None:
    width, height = abs(one[0] - other[0]), abs(one[1] - other[1])
    if min(width, height) < 1.0 and max(width, height) > 8.0:
        xs, ys = sorted((one[0], other[0])), sorted((one[1], other[1]))
        rules.append(Rule(xs[0], ys[0], xs[1], ys[1]))
