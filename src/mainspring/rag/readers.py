"""One function a format: bytes to ``Parsed``. They run in the parser's child process, never in the server's.

Heavy libraries are imported where they are used: a worker that only sees PDFs loads nothing else.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from mainspring.errors import MissingExtra, UnreadableDocument
from mainspring.rag import layout, markdown
from mainspring.rag.document import Page, Parsed

MAX_CHARACTERS = 50_000_000
_OFFICE = {
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "epub": "application/epub+zip",
    "rtf": "application/rtf",
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
}
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# More bytes than this share of a file that are not UTF-8: it is in an older encoding.
_STRAY_BYTES = 0.01
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ufeff\ufffe\ufdd0-\ufdef\ud800-\udfff]")
_OCR_DPI = 200
_MAX_OCR_PIXELS = 40_000_000


def read(data: bytes, name: str, kind: str, *, ocr: bool) -> Parsed:
    """Parse ``data``, whose format is ``kind``. Raises ``UnreadableDocument`` or ``MissingExtra``."""
    if kind == "pdf":
        return _pdf(data, name, ocr)
    if kind == "image":
        return _image(data, name, ocr)
    reader = _READERS.get(kind, _office)
    return reader(data, name, kind)


def _finish(text: str, kind: str, parser: str, *warnings: str, pages: tuple[Page, ...] = ()) -> Parsed:
    if len(text) > MAX_CHARACTERS:
        raise UnreadableDocument(
            f"its text has {len(text)} characters, more than {MAX_CHARACTERS}", remedy="Split it into several files"
        )
    headings = markdown.capitals(text) if kind == "text" else ()
    if kind not in ("text", "code", "csv"):
        headings = markdown.headings(text)
    return Parsed(text, pages, headings, kind, parser, tuple(warning for warning in warnings if warning))


def _clean(text: str) -> str:
    """Without characters that no text has, with one kind of line end; length may change, offsets come later."""
    return _UNPRINTABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n"))


# --- text -----------------------------------------------------------------------------------------------------


def decode(data: bytes, name: str) -> tuple[str, str]:
    """(text, warning). UTF-8 where it is, else by byte order mark, else Windows-1252.

    Raises ``UnreadableDocument`` for binary data.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ""
            except UnicodeDecodeError:
                break
    if len(_CONTROL.findall(data[:65536])) > 0.005 * len(data[:65536]) or b"\x00" in data[:65536]:
        raise UnreadableDocument(
            f"{name} is a binary file of a kind that no parser reads",
            remedy="Export it as PDF, DOCX, HTML, Markdown or text",
        )
    try:
        return data.decode(), ""
    except UnicodeDecodeError:
        pass
    repaired = data.decode("utf-8", "replace")
    stray = repaired.count("\ufffd")
    if stray <= max(1, _STRAY_BYTES * len(data)) and not data.isascii() and _has_utf8(data):
        return repaired, f"{stray} bytes are not valid UTF-8 and were replaced"
    return data.decode("cp1252", "replace"), "the text is not UTF-8 and was read as Windows-1252"


def _has_utf8(data: bytes) -> bool:
    """Whether any multi-byte character of UTF-8 is in ``data``: then it is damaged UTF-8, not an older encoding."""
    return re.search(rb"[\xc2-\xf4][\x80-\xbf]", data) is not None


def _text(data: bytes, name: str, kind: str) -> Parsed:
    text, warning = decode(data, name)
    text = _clean(text)
    if kind == "markdown":
        text = markdown.tables_to_rows(text)
    return _finish(text, kind, "text", warning)


def _csv(data: bytes, name: str, kind: str) -> Parsed:
    text, warning = decode(data, name)
    try:
        dialect: Any = csv.Sniffer().sniff(text[:8192], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(10_000_000)
    try:
        table = list(csv.reader(io.StringIO(_clean(text)), dialect))
    except csv.Error as error:
        raise UnreadableDocument(f"{name} is no readable table: {error}", remedy="Check its quotes") from None
    return _finish("\n".join(markdown.rows(table)), kind, "csv", warning)


def _html(data: bytes, name: str, kind: str) -> Parsed:
    try:
        import trafilatura
    except ImportError:
        raise _missing("documents", f"{name} is HTML") from None
    # bytes with an unreadable declaration make lxml guess; what is valid UTF-8 is decoded here.
    source: str | bytes = data
    try:
        source = data.decode()
    except UnicodeDecodeError:
        source = data
    text = trafilatura.extract(
        source,
        output_format="markdown",
        include_tables=True,
        include_links=False,
        include_comments=False,
        include_formatting=True,
        favor_recall=True,
    )
    if not text:
        text = trafilatura.html2txt(source)
    return _finish(plain_rows(_clean(text or "")), kind, "trafilatura")


def plain_rows(text: str, *, captioned: bool = False) -> str:
    """Markdown of a converter: tables as rows, without escapes and emphasis."""
    return markdown.plain(markdown.tables_to_rows(text, captioned=captioned))


# --- office ---------------------------------------------------------------------------------------------------


def _office(data: bytes, name: str, kind: str) -> Parsed:
    try:
        import kreuzberg
    except ImportError:
        raise _missing("documents", f"{name} is {kind.upper()}") from None
    options: dict[str, Any] = {"output_format": "markdown", "use_cache": False, "disable_ocr": True}
    config = kreuzberg.ExtractionConfig(**options)
    try:
        result = kreuzberg.extract_bytes_sync(data, _OFFICE[kind], config=config)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise UnreadableDocument(
            f"{name} cannot be read as {kind.upper()}: {reason}",
            remedy="Open it in its program and save it again, or export it as PDF",
        ) from None
    text = _clean(str(result.content))
    return _finish(plain_rows(text, captioned=kind in ("xlsx", "xls", "ods")), kind, "kreuzberg")


# --- PDF and scans --------------------------------------------------------------------------------------------


def _pdf(data: bytes, name: str, ocr: bool) -> Parsed:
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableDocument(f"{name} is encrypted", remedy="Save it without a password") from None
        raise UnreadableDocument(
            f"{name} is damaged or truncated: it cannot be opened as PDF", remedy="Get the file again"
        ) from None
    warnings: list[str] = []
    try:
        sheets = [_sheet(document[number]) for number in range(len(document))]
        blank = [number for number, sheet in enumerate(sheets) if _without_text(sheet)]
        scans = [number for number in blank if _has_images(document[number])]
        if scans and ocr:
            engine = _ocr_engine(name)
            for number in scans:
                sheets[number] = _read_page(engine, document[number])
        elif scans:
            warnings.append(f"{len(scans)} pages are scans without text and OCR is off (rag.ocr)")
    except pdfium.PdfiumError as error:
        raise UnreadableDocument(f"{name} is damaged: {error}", remedy="Get the file again") from None
    finally:
        document.close()
    if len(scans) == len(sheets) and not ocr:
        raise UnreadableDocument(f"{name} is a scan without text", remedy="Set rag.ocr to true")
    text, pages = _joined([_clean(page) for page in layout.render(sheets)])
    parser = "pypdfium2+rapidocr" if scans and ocr else "pypdfium2"
    return _finish(text, "pdf", parser, *warnings, pages=pages)


def _joined(texts: list[str]) -> tuple[str, tuple[Page, ...]]:
    """Pages as one text; a sentence that runs over a page's end stays one sentence."""
    text = ""
    pages: list[Page] = []
    for number, page in enumerate(texts, 1):
        page = page.strip()
        runs_on = bool(re.search(r"[\w,;-]$", text)) and page[:1].islower()
        text += "" if not text or not page else " " if runs_on else "\n\n"
        start = len(text)
        text += page
        pages.append(Page(number, start, len(text)))
    return text, tuple(pages)


def _sheet(page: Any) -> layout.Sheet:
    import pypdfium2.raw as raw

    text_page = page.get_textpage()
    try:
        pieces = []
        for number in range(text_page.count_rects()):
            left, bottom, right, top = text_page.get_rect(number)
            text = text_page.get_text_bounded(left, bottom, right, top)
            index = raw.FPDFText_GetCharIndexAtPos(text_page, left + 0.5, (bottom + top) / 2, 4, 4)
            size = raw.FPDFText_GetFontSize(text_page, index) if index >= 0 else 0.0
            pieces.append(layout.Piece(left, bottom, right, top, _unbroken(text), size))
    finally:
        text_page.close()
    return layout.Sheet(pieces, _rules(page), page.get_height())


def _unbroken(text: str) -> str:
    # pdfium marks hyphens at line ends with U+FFFE or U+0002.
    return text.replace("\ufffe", "-").replace("\x02", "-").replace("\u00ad", "-")


def _rules(page: Any) -> list[layout.Rule]:
    import pypdfium2.raw as raw

    rules = []
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=2):
        left, bottom, right, top = item.get_bounds()
        if min(right - left, top - bottom) < 2.0 and max(right - left, top - bottom) > 8.0:
            rules.append(layout.Rule(left, bottom, right, top))
        if len(rules) >= 2000:
            break
    return rules


def _without_text(sheet: layout.Sheet) -> bool:
    return sum(len(piece.text.strip()) for piece in sheet.pieces) < 20


def _has_images(page: Any) -> bool:
    import pypdfium2.raw as raw

    return next(iter(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3)), None) is not None


def _image(data: bytes, name: str, ocr: bool) -> Parsed:
    if not ocr:
        raise UnreadableDocument(f"{name} is an image", remedy="Set rag.ocr to true")
    engine = _ocr_engine(name)
    import cv2
    import numpy

    pixels = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise UnreadableDocument(f"{name} is a damaged image", remedy="Get the file again")
    if pixels.shape[0] * pixels.shape[1] > _MAX_OCR_PIXELS:
        raise UnreadableDocument(f"{name} has too many pixels", remedy="Scale it down below 40 megapixels")
    text, pages = _joined([_clean(page) for page in layout.render([_recognised(engine, pixels, 1.0)])])
    return _finish(text, "image", "rapidocr", pages=pages)


def _ocr_engine(name: str) -> Any:
    try:
        from rapidocr import EngineType, RapidOCR
    except ImportError:
        raise _missing("ocr", f"{name} is a scan without text") from None
    engine = EngineType.OPENVINO
    return RapidOCR(
        params={
            "Det.engine_type": engine,
            "Cls.engine_type": engine,
            "Rec.engine_type": engine,
            # The classifier turns upright lines upside down more often than it finds one that is.
            "Global.use_cls": False,
            "Global.log_level": "error",
        }
    )


def _read_page(engine: Any, page: Any) -> layout.Sheet:
    width, height = page.get_size()
    scale = min(_OCR_DPI / 72, (_MAX_OCR_PIXELS / max(1.0, width * height)) ** 0.5)
    pixels = page.render(scale=scale).to_numpy()
    return _recognised(engine, pixels, scale)


def _recognised(engine: Any, pixels: Any, scale: float) -> layout.Sheet:
    result = engine(pixels)
    height = pixels.shape[0] / scale
    pieces = []
    if result.boxes is not None:
        for box, text in zip(result.boxes, result.txts, strict=True):
            xs, ys = box[:, 0] / scale, box[:, 1] / scale
            pieces.append(
                layout.Piece(float(xs.min()), height - float(ys.max()), float(xs.max()), height - float(ys.min()), text)
            )
    return layout.Sheet(pieces, [], height)


def _missing(extra: str, reason: str) -> MissingExtra:
    return MissingExtra(
        f"{reason}, and the extra `{extra}` that reads it is not installed",
        remedy=f"pip install 'mainspring[{extra}]'",
    )


_READERS: dict[str, Callable[[bytes, str, str], Parsed]] = {
    "text": _text,
    "code": _text,
    "markdown": _text,
    "csv": _csv,
    "html": _html,
}


def suffix_of(name: str) -> str:
    """The lower-case ending of a file name, without its dot."""
    return PurePath(name).suffix.lower().lstrip(".")
