"""Derives a title from the name of a file."""

from __future__ import annotations

import re
from pathlib import Path


def title_of(name: str) -> str:
    """The content indicated by a file's name: ``returns-and-refunds.pdf`` -> ``returns and refunds``."""
    title = " ".join(Path(name).stem.replace("-", " ").replace("_", " ").split())[:120]
    # Names such as ``scan0012`` or ``p17`` say nothing.
    return title if re.search(r"(?<![a-z])[a-z]{3,}(?!\w)", title, re.IGNORECASE) else ""


def read_as(name: str) -> tuple[str, str]:
    """The effect of a document's name on its chunks: its title, and by its extension its reader."""
    return title_of(name), Path(name).suffix.lower()
