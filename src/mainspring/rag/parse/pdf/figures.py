"""Pictures of the figures of a PDF, cut out of its pages."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mainspring.core.errors import MissingExtra
from mainspring.rag.parse import ocr
from mainspring.rag.parse.parsed import Box, Figure, Parsed
from mainspring.rag.parse.pdf.geometry import Sheet

DPI = 150
_MOST = 200


def with_images(document: Any, parsed: Parsed, sheets: Sequence[Sheet]) -> Parsed:
    """``parsed`` with a PNG of each of its first 200 figures, at 150 dpi if that is not too large.

    Figures of rotated pages have none: their place is that on the upright page. Raises ``MissingExtra`` without Pillow.
    """
    figures = [
        _with_image(document, figure, sheets) if number < _MOST else figure
        for number, figure in enumerate(parsed.figures)
    ]
    return replace(parsed, figures=tuple(figures))


def _with_image(document: Any, figure: Figure, sheets: Sequence[Sheet]) -> Figure:
    if figure.page is None or figure.box is None:
        return figure
    sheet, page = sheets[figure.page - 1], document[figure.page - 1]
    try:
        if sheet.turned or page.get_rotation():
            return figure
        return replace(figure, image=_png(page, sheet, figure.box))
    finally:
        page.close()


def _png(page: Any, sheet: Sheet, box: Box) -> bytes:
    left, bottom, right, top = box
    crop = (max(0.0, left), max(0.0, bottom), max(0.0, sheet.width - right), max(0.0, sheet.height - top))
    scale = DPI / 72
    if (sheet.width - crop[0] - crop[2]) * (sheet.height - crop[1] - crop[3]) * scale**2 > ocr.MAX_PIXELS:
        scale = 1.0
    try:
        picture = page.render(scale=scale, crop=crop).to_pil()
    except ImportError:
        raise MissingExtra(
            "pictures of figures need Pillow", remedy="Install it with: pip install 'mainspring[documents]'"
        ) from None
    packed = io.BytesIO()
    picture.save(packed, format="PNG")
    return packed.getvalue()
