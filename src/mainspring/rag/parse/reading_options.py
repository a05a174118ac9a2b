"""Options for reading documents, which the parent passes to the parser's child process with each document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Route = Literal["auto", "rules", "layout", "layout-model"]


@dataclass(frozen=True, slots=True)
class Options:
    """``ocr`` reads scans and pictures; ``parser`` and ``max_pages`` are the settings ``rag.parser`` and
    ``rag.parse_max_pages``. ``layout_model`` is the graph of the layout model, where ``parser`` asks for it,
    ``pictures_s`` the seconds that pictures beside text are read for at most. ``images`` cuts figures out."""

    ocr: bool = True
    parser: Route = "auto"
    max_pages: int = 5000
    layout_model: str = ""
    pictures_s: float = 30.0
    images: bool = False
