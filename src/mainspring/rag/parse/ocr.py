"""Text in images, by rapidocr: whole scans, pictures on a page, image files."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
from collections.abc import Sequence
from typing import Any

from mainspring.core.errors import MissingExtra, UnreadableDocument
from mainspring.rag.parse.parsed import Box
from mainspring.rag.parse.pdf.geometry import Piece, Sheet

DPI = 200
MAX_PIXELS = 40_000_000
# The least that a picture must say to be worth a paragraph of its text.
_MIN_SCORE = 0.7
# A line this many times as long as high, with fewer letters than this for each time, was seen and not read.
_MIN_LENGTH = 4.0
_MIN_LETTERS = 0.8
_MANY_UNREAD = 0.3


class Unrecognised(UnreadableDocument):
    """OCR failed on a picture: what else the document has can still be read."""


class Recogniser:
    """OCR that is loaded when it is first needed. ``name`` is the document's name in errors.

    Raises ``MissingExtra`` on first use if rapidocr is not installed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._engine: Any = None
        self._used = False
        self._lines = self._unread = 0

    def read(self, pixels: Any, scale: float) -> Sheet:
        """The text in ``pixels`` (height x width x 3) with ``scale`` pixels a point, as a sheet of the same size.

        Raises ``Unrecognised`` if the engine fails on it twice, the second time with empty memory.
        """
        result = self._recognised(pixels)
        height, width = pixels.shape[0] / scale, pixels.shape[1] / scale
        pieces = []
        if result.boxes is not None:
            for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True):
                xs, ys = box[:, 0] / scale, box[:, 1] / scale
                left, right = float(xs.min()), float(xs.max())
                unsure = score < _MIN_SCORE * 0.7
                self._count(text if not unsure else "", (right - left) / max(1.0, float(ys.max() - ys.min())))
                if unsure:
                    continue
                pieces.append(Piece(left, height - float(ys.max()), right, height - float(ys.min()), text))
        return Sheet(pieces, height=height, width=width, recognised=True)

    def _recognised(self, pixels: Any) -> Any:
        engine = self.load()
        try:
            return engine(pixels)
        except Exception:
            # The engine keeps memory for each size that it has seen, up to the limit of this process.
            self._engine = engine = None
        _give_back()
        try:
            return self.load()(pixels)
        except Exception as error:
            self._engine = None
            said = str(error).strip()
            if isinstance(error, MemoryError) or "MemoryError" in said or "allocate" in said:
                raise Unrecognised(
                    f"{self._name} has a picture that needs more memory than rag.parse_memory_mb allows",
                    remedy="Raise it, or set rag.ocr to false",
                ) from None
            reason = said.splitlines()[-1][:200] if said else type(error).__name__
            raise Unrecognised(
                f"{self._name} has a picture that OCR cannot read ({reason})", remedy="Save the picture again"
            ) from None

    def words(self, pixels: Any, shown: Sequence[Box] = ()) -> str:
        """The text in a picture, line by line; empty if it is too little to mean anything. ``shown`` are the places, in
        pixels from below, of text that is drawn over the picture and known: it is not said again."""
        if min(pixels.shape[:2]) < 12:
            return ""
        from mainspring.rag.parse.pdf import geometry, tables

        pieces = [piece for piece in self.read(pixels, 1.0).pieces if not _shown(piece, shown)]
        return "\n".join(tables.line(row) for row in geometry.rows(pieces))

    def _count(self, text: str, length: float) -> None:
        """Record whether a line of ``length`` times its height has as much text as usual for that length."""
        if length >= _MIN_LENGTH:
            self._lines += 1
            self._unread += len("".join(text.split())) < _MIN_LETTERS * length

    @property
    def warning(self) -> str:
        """A warning that much of the page was not read; empty otherwise."""
        if self._unread <= _MANY_UNREAD * self._lines:
            return ""
        return (
            f"OCR saw {self._lines} lines and could not read {self._unread} of them: it knows Latin letters, Chinese "
            "and Japanese, no other script and no handwriting"
        )

    @property
    def used(self) -> bool:
        """Whether anything was read."""
        return self._used

    def load(self) -> Any:
        """The engine. Raises ``MissingExtra``."""
        if self._engine is None:
            try:
                from rapidocr import EngineType, RapidOCR
            except ImportError:
                raise MissingExtra(
                    f"{self._name} is a scan without text, and the extra `ocr` that reads it is not installed",
                    remedy="pip install 'mainspring[ocr]'",
                ) from None
            engine, self._used = EngineType.OPENVINO, True
            self._engine = RapidOCR(
                params={
                    "Det.engine_type": engine,
                    "Cls.engine_type": engine,
                    "Rec.engine_type": engine,
                    # The classifier turns upright lines upside down more often than it finds a real one.
                    "Global.use_cls": False,
                    "Global.log_level": "error",
                    # Lines that it is not sure of are counted before they are left out.
                    "Global.text_score": 0.0,
                }
            )
        return self._engine


def _shown(piece: Piece, shown: Sequence[Box]) -> bool:
    """Whether half of the line of ``piece`` is in the boxes ``shown``."""
    over = sum(
        max(0.0, min(right, piece.right) - max(left, piece.left))
        for left, bottom, right, top in shown
        if bottom <= piece.middle <= top
    )
    return over > 0.5 * (piece.right - piece.left)


def _give_back() -> None:
    """Free what nothing uses, for the kernel's count too."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def installed() -> bool:
    """Whether the extra ``ocr`` is there."""
    from importlib.util import find_spec

    return find_spec("rapidocr") is not None


def pixels_of(data: bytes, name: str) -> Any:
    """The pixels of an image file. Raises ``UnreadableDocument``: damaged, or more than 40 megapixels according to its
    header, which is read before unpacking."""
    import cv2
    import numpy
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
    except Image.DecompressionBombError:
        raise UnreadableDocument(
            f"{name} has more than {MAX_PIXELS // 10**6} million pixels", remedy="Scale it down"
        ) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UnreadableDocument(f"{name} is a damaged image ({error})", remedy="Get the file again") from None
    if width * height > MAX_PIXELS:
        raise UnreadableDocument(
            f"{name} has {width} x {height} pixels, more than {MAX_PIXELS // 10**6} million", remedy="Scale it down"
        )
    try:
        pixels = cv2.imdecode(numpy.frombuffer(data, numpy.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise UnreadableDocument(f"{name} is a damaged image", remedy="Get the file again")
    return pixels
