"""What is on a page of a PDF: runs of text, drawn lines and images, with their boxes. Over pypdfium2.

Text is taken in whole runs where the page is plain, which is fast. Where it is turned, or where one run of text
spans several columns, it is put together from single characters.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mainspring.rag.geometry import Picture, Piece, Rule, Sheet

_MAX_RULES = 4000
_MAX_PATHS = 20_000
_MAX_SEGMENTS = 4000
_MAX_CHARACTERS = 200_000
_SPACES = re.compile(r"\S {3,}\S")
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
# pdfium marks hyphens at line ends so.
_HYPHENS = str.maketrans({"\ufffe": "-", "\x02": "-", "\u2010": "-"})
# A gap of this many font sizes between characters parts two runs.
_RUN_GAP = 0.9
# Smaller pictures are ornaments: points.
_MIN_PICTURE = (36.0, 24.0)


def sheet_of(page: Any) -> Sheet:
    """Everything that layout needs to know of a page (a ``pypdfium2.PdfPage``)."""
    left, bottom, right, top = page.get_cropbox()
    sheet = Sheet([], height=top - bottom, width=right - left)
    text_page = page.get_textpage()
    try:
        pieces, turn, sheet.asides = _pieces(text_page)
    finally:
        text_page.close()
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


def _pieces(text_page: Any) -> tuple[list[Piece], int, list[tuple[str, bool]]]:
    """(runs in the main direction, that direction in degrees, (text, oblique) of runs in others)."""
    plain = _plain(text_page)
    if plain is not None:
        return plain, 0, []
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
    return [run.piece for run in runs if run.turn == main], max(0, main), asides


def _plain(text_page: Any) -> list[Piece] | None:
    """Runs of a page whose text is all upright; None where it must be read by characters."""
    import pypdfium2.raw as raw

    handle = text_page.raw
    text = text_page.get_text_range()
    if len(text) != text_page.count_chars():
        return None
    rects = text_page.count_rects()
    boxes = [text_page.get_rect(number) for number in range(rects)]
    starts: list[int] = []
    for left, bottom, _, top in boxes:
        index = raw.FPDFText_GetCharIndexAtPos(handle, left + 0.5, (bottom + top) / 2, 4, 4)
        if index < 0 or (starts and index <= starts[-1]) or raw.FPDFText_GetCharAngle(handle, index) > 0.02:
            return None
        starts.append(index)
    if starts and _SPACES.search(text):
        return None
    pieces: list[Piece] = []
    for number, (box, start) in enumerate(zip(boxes, starts, strict=True)):
        words = text[start : starts[number + 1] if number + 1 < rects else len(text)]
        glued = number > 0 and start > 0 and not text[start - 1].isspace() and text[start - 1] not in "\ufffe\x02"
        glued = glued and abs(box[1] - boxes[number - 1][1]) < 0.5 * (box[3] - box[1])
        left, bottom, right, top = box
        size = raw.FPDFText_GetFontSize(handle, start)
        pieces.append(Piece(left, bottom, right, top, _read(words), size, glued))
    return pieces


def _read(text: str) -> str:
    return text.replace("\r\n", " ").translate(_HYPHENS).translate(_LIGATURES)


@dataclass(frozen=True, slots=True)
class _Run:
    piece: Piece
    turn: int
    """Its direction in degrees, counterclockwise; -1 where it is oblique."""


@dataclass(frozen=True, slots=True)
class _Character:
    text: str
    box: tuple[float, float, float, float]
    size: float
    turn: int

    @property
    def along(self) -> tuple[float, float]:
        """Where it starts and ends in the direction in which it is read."""
        left, bottom, right, top = self.box
        return {0: (left, right), 90: (bottom, top), 180: (-right, -left), 270: (-top, -bottom)}.get(
            self.turn, (left, right)
        )

    @property
    def across(self) -> float:
        left, bottom, right, top = self.box
        return (left + right) / 2 if self.turn in (90, 270) else (bottom + top) / 2


def _runs(text_page: Any) -> Iterator[_Run]:
    run: list[_Character] = []
    text = ""
    for each in _characters(text_page):
        if each.text.isspace() or each.box[2] <= each.box[0]:
            text += " " if run else ""
            continue
        if run and _parted(run[-1], each):
            yield _run(run, text)
            run, text = [], ""
        run.append(each)
        text += each.text
    if run:
        yield _run(run, text)


def _parted(last: _Character, new: _Character) -> bool:
    if last.turn != new.turn or abs(last.size - new.size) > 0.5 or last.text in "\ufffe\x02":
        return True
    if new.turn < 0:
        # Oblique text is not laid out: one run as long as its size stays.
        return False
    gap = new.along[0] - last.along[1]
    return gap > _RUN_GAP * new.size or gap < -new.size or abs(new.across - last.across) > 0.5 * new.size


def _run(run: list[_Character], text: str) -> _Run:
    box = (
        min(each.box[0] for each in run),
        min(each.box[1] for each in run),
        max(each.box[2] for each in run),
        max(each.box[3] for each in run),
    )
    return _Run(Piece(*box, _read(text), run[0].size), run[0].turn)


def _characters(text_page: Any) -> Iterator[_Character]:
    import pypdfium2.raw as raw

    handle = text_page.raw
    rect = raw.FS_RECTF()
    place = ctypes.byref(rect)
    for index in range(min(_MAX_CHARACTERS, text_page.count_chars())):
        code = raw.FPDFText_GetUnicode(handle, index)
        raw.FPDFText_GetLooseCharBox(handle, index, place)
        # pdfium counts clockwise.
        degrees = -math.degrees(raw.FPDFText_GetCharAngle(handle, index)) % 360
        nearest = round(degrees / 90) * 90
        turn = nearest % 360 if abs(degrees - nearest) < 3 else -1
        text = chr(code) if 0 < code < 0x110000 else ""
        size = raw.FPDFText_GetFontSize(handle, index)
        yield _Character(text or " ", (rect.left, rect.bottom, rect.right, rect.top), size, turn)


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
