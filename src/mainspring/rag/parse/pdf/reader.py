"""Reading PDFs: text pages by their text layer, scanned pages and pictures by OCR."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, defaultdict
from typing import Any

from mainspring.core.errors import UnreadableDocument
from mainspring.rag.parse import ocr
from mainspring.rag.parse.compose import Composer
from mainspring.rag.parse.parsed import Box, Parsed
from mainspring.rag.parse.pdf import completeness, figures, furniture, layout, layout_model
from mainspring.rag.parse.pdf.continued import Continued
from mainspring.rag.parse.pdf.geometry import Picture, Sheet
from mainspring.rag.parse.pdf.page import sheet_of
from mainspring.rag.parse.reading_options import Options

# A page with fewer characters than this, and an image, is a scan.
_SCAN_CHARACTERS = 20
# A page that an image covers to this share counts too, unless it has a full page's text.
_SCAN_COVER = 0.7
_SCAN_SPARSE = 80
_MAX_PICTURES = 200
# OCR that fails on so many pictures of a document is not asked about the others.
_MOST_FAILED = 3
_PICTURE_DPI = 150
_MIN_WORDS = 3


def read(data: bytes, name: str, options: Options) -> Parsed:
    """Parse a PDF. Raises ``UnreadableDocument`` (encrypted, damaged, too many pages, a scan while OCR is off) or
    ``MissingExtra`` (a scan, and no OCR installed)."""
    import pypdfium2 as pdfium

    document = opened(data, name, options.max_pages)
    try:
        return _read(document, name, options)
    except pdfium.PdfiumError as error:
        raise UnreadableDocument(f"{name} is damaged: {error}", remedy="Get the file again") from None
    finally:
        document.close()


def opened(data: bytes, name: str, max_pages: int) -> Any:
    """The ``pypdfium2.PdfDocument``. Raises ``UnreadableDocument``: encrypted, damaged, or too many pages."""
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnreadableDocument(f"{name} is encrypted", remedy="Save it without a password") from None
        raise UnreadableDocument(
            f"{name} is damaged or truncated: it cannot be opened as PDF", remedy="Get the file again"
        ) from None
    pages = len(document)
    if pages > max_pages:
        document.close()
        raise UnreadableDocument(
            f"{name} has {pages} pages, more than rag.parse_max_pages ({max_pages})",
            remedy="Raise it, or split the file",
        )
    return document


def _read(document: Any, name: str, options: Options) -> Parsed:
    composer = Composer(name)
    sheets = []
    for number in range(len(document)):
        page = document[number]
        try:
            sheets.append(sheet_of(page))
        finally:
            page.close()
    _drop_ornaments(sheets)
    scans = [number for number, sheet in enumerate(sheets) if _is_scan(sheet)]
    if scans and not options.ocr:
        if len(scans) == len(sheets):
            raise UnreadableDocument(f"{name} is a scan without text", remedy="Set rag.ocr to true")
        composer.warnings.append(f"{len(scans)} pages are scans without text and OCR is off (rag.ocr)")
    recogniser = ocr.Recogniser(name)
    if options.ocr:
        _read_scans(recogniser, document, sheets, scans, composer)
        # A scan cannot be read without OCR; pictures beside text are read if OCR is installed.
        if any(sheet.pictures for sheet in sheets) and ocr.installed():
            _read_pictures(recogniser, document, sheets, composer, options.pictures_s)
    composer.warnings.append(recogniser.warning)
    composer.dropped = furniture.remove(sheets)
    arranged = _by_model(document, sheets, composer, options) if options.parser == "layout-model" else []
    blocks, route = layout.render(sheets, options.parser, arranged)
    checks, tables = completeness.Checks(), Continued()
    dropped: dict[int | None, list[str]] = defaultdict(list)
    for each in composer.dropped:
        dropped[each.page].append(each.text)
    for number, (sheet, page_blocks) in enumerate(zip(sheets, blocks, strict=True), 1):
        composer.page(number)
        write(composer, tables.page(checks.page(number, sheet, page_blocks, dropped[number])))
        for text, _ in sheet.asides:
            composer.add(text)
    composer.warnings.extend(checks.warnings())
    parsed = composer.parsed("pdf", "pypdfium2+rapidocr" if recogniser.used else "pypdfium2", route=route)
    return figures.with_images(document, parsed, sheets) if options.images else parsed


def _by_model(document: Any, sheets: list[Sheet], composer: Composer, options: Options) -> list[layout.ArrangedPage]:
    """The pages in the layout model's regions; pages lying on their side as without it."""
    detector = layout_model.load(options.layout_model)
    arranged = []
    for number, sheet in enumerate(sheets):
        page = document[number]
        try:
            if (
                (not sheet.pieces and not sheet.pictures)
                or sheet.turned
                or (page.get_rotation() and not sheet.recognised)
            ):
                arranged.append(layout.arrange(sheet))
                continue
            pixels = page.render(scale=detector.height / max(1.0, sheet.height)).to_numpy()
        finally:
            page.close()
        found = layout_model.regions(detector.find(pixels), sheet)
        page_arranged, dropped = layout_model.arrange(sheet, found, number + 1)
        arranged.append(page_arranged)
        composer.dropped.extend(dropped)
    composer.dropped.sort(key=lambda each: each.page or 0)
    return arranged


def write(composer: Composer, blocks: list[layout.Block]) -> None:
    """Append the blocks of a page."""
    for block in blocks:
        if block.cells is not None:
            composer.table(block.cells, caption=block.caption)
        elif block.picture is not None:
            text = block.picture.text
            composer.figure(caption=block.caption, text=text, box=block.box)
        else:
            composer.add(block.text)


def _is_scan(sheet: Sheet) -> bool:
    characters = sum(len(piece.text.strip()) for piece in sheet.pieces)
    if not sheet.pictures:
        return False
    if characters < _SCAN_CHARACTERS:
        return True
    cover = sum((each.right - each.left) * (each.top - each.bottom) for each in sheet.pictures)
    return characters < _SCAN_SPARSE and cover >= _SCAN_COVER * sheet.width * sheet.height


def _drop_ornaments(sheets: list[Sheet]) -> None:
    """Leave out pictures that are no figures: logos in the same place of most pages, backgrounds under text."""
    places: Counter[tuple[int, ...]] = Counter()
    for sheet in sheets:
        places.update({_place(picture) for picture in sheet.pictures})
    for sheet in sheets:
        area = sheet.width * sheet.height
        text = sum(len(piece.text) for piece in sheet.pieces)
        sheet.pictures = [
            each
            for each in sheet.pictures
            if not (len(sheets) > 2 and places[_place(each)] > 0.5 * len(sheets) and text >= _SCAN_SPARSE)
            and not (text >= _SCAN_SPARSE and (each.right - each.left) * (each.top - each.bottom) > 0.9 * area)
        ]


def _place(picture: Picture) -> tuple[int, ...]:
    """Where a picture stands and how large it is packed: equal on several pages, it is the same picture."""
    return (picture.packed, *(round(edge / 3) for edge in picture.box))


def _recognised(recogniser: ocr.Recogniser, page: Any) -> Sheet:
    width, height = page.get_size()
    scale = min(ocr.DPI / 72, (ocr.MAX_PIXELS / max(1.0, width * height)) ** 0.5)
    return recogniser.read(page.render(scale=scale).to_numpy(), scale)


def _read_scans(
    recogniser: ocr.Recogniser, document: Any, sheets: list[Sheet], scans: list[int], composer: Composer
) -> None:
    """Read the pages ``scans``; one that OCR fails on stays empty. Raises ``Unrecognised`` if nothing else is left."""
    for number in scans:
        try:
            sheets[number] = _recognised(recogniser, document[number])
        except ocr.Unrecognised as error:
            if len(scans) == len(sheets) == 1:
                raise
            composer.warnings.append(f"page {number + 1} was not read: {error}")


def _read_pictures(
    recogniser: ocr.Recogniser, document: Any, sheets: list[Sheet], composer: Composer, seconds: float
) -> None:
    """Read the pictures on pages with text of their own; results of only a few letters are dropped.

    A repeated picture is read once. After ``seconds`` of CPU time the remaining pictures are not read. A picture that
    cannot be read costs its own text alone.
    """
    done = failed = 0
    end = time.process_time() + seconds
    known: dict[tuple[tuple[int, ...], str], str] = {}
    for number, sheet in enumerate(sheets):
        if sheet.recognised or sheet.turned or not sheet.pictures:
            continue
        page = document[number]
        if page.get_rotation():
            continue
        for index, picture in enumerate(sheet.pictures):
            pixels = _pixels(page, sheet, picture)
            key = (pixels.shape, hashlib.sha256(pixels.tobytes()).hexdigest())
            if key not in known:
                if done == _MAX_PICTURES or time.process_time() > end:
                    composer.warnings.append(f"only the first {done} pictures were read for text")
                    return
                done += 1
                try:
                    known[key] = recogniser.words(pixels, _shown(sheet, picture, pixels.shape[1]))
                except ocr.Unrecognised as error:
                    failed += 1
                    known[key] = ""
                    if failed == 1:
                        composer.warnings.append(f"at least one picture was not read for text: {error}")
                if failed == _MOST_FAILED:
                    return
            words = known[key]
            if sum(len(word) >= 3 and word.isalpha() for word in words.split()) >= _MIN_WORDS:
                sheet.pictures[index] = Picture(*picture.box, words, picture.packed)


def _shown(sheet: Sheet, picture: Picture, width: int) -> list[Box]:
    """Where text of the page stands in a drawing of ``picture`` that is ``width`` pixels wide, which shows it too."""
    left, bottom = max(0.0, picture.left), max(0.0, picture.bottom)
    scale = width / max(1.0, min(sheet.width, picture.right) - left)
    return [
        (
            (piece.left - left) * scale,
            (piece.bottom - bottom) * scale,
            (piece.right - left) * scale,
            (piece.top - bottom) * scale,
        )
        for piece in sheet.pieces
        if piece.text.strip() and piece.right > picture.left and piece.left < picture.right
    ]


def _pixels(page: Any, sheet: Sheet, picture: Picture) -> Any:
    scale = _PICTURE_DPI / 72
    crop = (
        max(0.0, picture.left),
        max(0.0, picture.bottom),
        max(0.0, sheet.width - picture.right),
        max(0.0, sheet.height - picture.top),
    )
    if (sheet.width - crop[0] - crop[2]) * (sheet.height - crop[1] - crop[3]) * scale**2 > ocr.MAX_PIXELS:
        scale = 1.0
    return page.render(scale=scale, crop=crop).to_numpy()
