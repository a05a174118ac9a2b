"""A page of a PDF as a picture with a passage marked. Over pypdfium2, in the parser's child process.

Nothing but numpy is needed to write it: a PNG is its rows, packed.
"""

from __future__ import annotations

import ctypes
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse import kinds
from mainspring.rag.parse.parsed import MAX_PIXELS, MAX_QUOTE, PNG, Box, PagePicture
from mainspring.rag.parse.pdf import reader

if TYPE_CHECKING:
    import numpy as np

_DPI = 130
_MAX_CHARACTERS = 100_000
_MAX_MARKS = 500
# A shorter text would be found anywhere.
_LEAST_RUN = 12
# Signs between two cells of a row: of a cell that goes on below.
_ROW = 60
# The colour of white under a mark, of 255 each.
_MARKER = (255, 224, 102)


def render_page(data: bytes, name: str, number: int, quote: str, max_pages: int) -> PagePicture:
    """Page ``number`` (from 1) of a PDF with ``quote`` marked, if it is found there: a scan has no text.

    Raises ``UnreadableDocument`` if it is no PDF, is damaged, or has no such page.
    """
    import pypdfium2 as pdfium

    kind, _ = kinds.detect(data, name)
    if kind != "pdf":
        raise UnreadableDocument(f"{name} is not a PDF: it has no pages to be shown", remedy="Open its text")
    document = reader.opened(data, name, max_pages)
    try:
        if not 1 <= number <= len(document):
            raise UnreadableDocument(f"{name} has {len(document)} pages", remedy="Ask for one of them")
        page = document[number - 1]
        try:
            return _drawn(page, quote[:MAX_QUOTE], len(document))
        finally:
            page.close()
    except pdfium.PdfiumError as error:
        raise UnreadableDocument(f"{name} is damaged: {error}", remedy="Get the file again") from None
    finally:
        document.close()


def _drawn(page: Any, quote: str, pages: int) -> PagePicture:
    import numpy as np

    width, height = page.get_size()
    scale = min(_DPI / 72, (MAX_PIXELS / max(1.0, width * height)) ** 0.5)
    pixels = np.array(page.render(scale=scale, rev_byteorder=True).to_numpy()[:, :, :3])
    boxes = list(_marks(page, quote)) if quote.strip() else []
    for box in boxes:
        _mark(pixels, page, box)
    return PagePicture(_png(pixels), pixels.shape[1], pixels.shape[0], pages, len(boxes))


def _mark(pixels: np.ndarray, page: Any, box: Box) -> None:
    """Colour a box of the page like a marker pen: dark pixels stay dark."""
    import numpy as np
    import pypdfium2.raw as raw

    height, width = pixels.shape[:2]
    x, y = ctypes.c_int(), ctypes.c_int()
    corners = []
    for left, top in ((box[0], box[3]), (box[2], box[1])):
        raw.FPDF_PageToDevice(page.raw, 0, 0, width, height, 0, left, top, ctypes.byref(x), ctypes.byref(y))
        corners.append((x.value, y.value))
    rows = slice(max(0, min(c[1] for c in corners) - 1), max(0, max(c[1] for c in corners) + 1))
    columns = slice(max(0, min(c[0] for c in corners) - 1), max(0, max(c[0] for c in corners) + 1))
    part = pixels[rows, columns].astype(np.uint16) * np.array(_MARKER, dtype=np.uint16) // 255
    pixels[rows, columns] = part.astype(np.uint8)


def _marks(page: Any, quote: str) -> Iterator[Box]:
    """The boxes of the lines, or parts of lines, that contain ``quote`` on the page."""
    import pypdfium2.raw as raw

    text_page = page.get_textpage()
    try:
        # One sign for each of pdfium's characters, so that offsets match its boxes.
        handle, count = text_page.raw, min(_MAX_CHARACTERS, text_page.count_chars())
        codes = (raw.FPDFText_GetUnicode(handle, place) for place in range(count))
        written = "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)
        places = sorted({place for start, end in _found(written, quote) for place in range(start, end)})
        yield from _lines(handle, written, places)
    finally:
        text_page.close()


def _found(written: str, quote: str) -> Iterator[tuple[int, int]]:
    """Spans of ``written`` that say what ``quote`` says; white space, hyphens and case may differ. Where the whole is
    not there, as when it goes on overleaf, its lines, and of those that are not its sentences."""
    signs = [(place, sign.casefold()[:1]) for place, sign in enumerate(written) if sign.isalnum()]
    page = "".join(sign for _, sign in signs)

    def span(at: int, wanted: str) -> tuple[int, int]:
        return signs[at][0], signs[at + len(wanted) - 1][0] + 1

    pieces = [quote]
    for cut in ("\n", ". ", ""):
        missing = []
        for piece in pieces:
            wanted = _signs(piece)
            at = page.find(wanted) if wanted and (len(wanted) >= _LEAST_RUN or piece is quote) else -1
            if at >= 0:
                yield span(at, wanted)
            elif values := _values(piece):
                yield from (span(at, value) for at, value in _row(page, values))
            else:
                missing.append(piece)
        pieces = [part for piece in missing for part in piece.split(cut)] if cut else []


def _values(piece: str) -> list[str]:
    """The signs of the values of a row of a table; none if it is no row. The names of its columns are above the table,
    not in each row."""
    cells = [cell.strip() for cell in piece.strip().strip("|").split(" | ")]
    if len(cells) < 2 or "\n" in piece.strip() or not all(": " in cell for cell in cells):
        return []
    return [value for cell in cells if (value := _signs(cell.partition(": ")[2]))]


def _row(page: str, values: list[str]) -> Iterator[tuple[int, str]]:
    """The places of a row's values: close to a value that occurs once, the longest first, in order."""
    for anchor in sorted(range(len(values)), key=lambda each: -len(values[each])):
        at = page.find(values[anchor])
        if at < 0 or page.find(values[anchor], at + 1) >= 0:
            continue
        end, start = at + len(values[anchor]), at
        yield at, values[anchor]
        for value in values[anchor + 1 :]:
            if (next_at := page.find(value, end, end + _ROW + len(value))) >= 0:
                yield next_at, value
                end = next_at + len(value)
        for value in reversed(values[:anchor]):
            if (before := page.rfind(value, max(0, start - _ROW - len(value)), start)) >= 0:
                yield before, value
                start = before
        return


def _signs(text: str) -> str:
    return "".join(sign.casefold()[:1] for sign in text if sign.isalnum())


def _lines(handle: Any, written: str, places: list[int]) -> Iterator[Box]:
    """The boxes of characters, those of one line as one."""
    import pypdfium2.raw as raw

    rect = raw.FS_RECTF()
    line: Box | None = None
    last, count = -2, 0
    for place in places:
        if written[place].isspace():
            continue
        raw.FPDFText_GetLooseCharBox(handle, place, ctypes.byref(rect))
        box = (rect.left, rect.bottom, rect.right, rect.top)
        middle = (box[1] + box[3]) / 2
        if line is not None and place - last <= 3 and line[1] <= middle <= line[3] and box[2] >= line[0]:
            line = (min(line[0], box[0]), min(line[1], box[1]), max(line[2], box[2]), max(line[3], box[3]))
        else:
            if line is not None:
                yield line
                count += 1
            if count == _MAX_MARKS:
                return
            line = box
        last = place
    if line is not None:
        yield line


def _png(pixels: np.ndarray) -> bytes:
    """RGB rows as a PNG, each row as its difference to the one above, which packs better."""
    import numpy as np

    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, width * 3)
    above = np.zeros_like(rows)
    above[1:] = rows[:-1]
    packed = np.full((height, width * 3 + 1), 2, dtype=np.uint8)
    packed[:, 1:] = rows - above
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(packed.tobytes(), 6)), (b"IEND", b""))
    return PNG + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
