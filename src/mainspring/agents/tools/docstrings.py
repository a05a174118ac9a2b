"""Docstrings in Google's, NumPy's and Sphinx' style: what a function does, and what its arguments are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Style = Literal["google", "numpy", "sphinx"]
_STYLES: tuple[tuple[Style, re.Pattern[str]], ...] = (
    ("google", re.compile(r"^[ \t]*(Args|Arguments|Parameters|Params|Returns|Raises|Yields):[ \t]*$", re.MULTILINE)),
    ("numpy", re.compile(r"^[ \t]*(Parameters|Returns|Raises)[ \t]*\n[ \t]*-{3,}[ \t]*$", re.MULTILINE)),
    ("sphinx", re.compile(r"^[ \t]*:(param|parameter|arg|argument|returns?|raises?)\b[^:\n]*:", re.MULTILINE)),
)


def read(doc: str) -> tuple[str, Mapping[str, str]]:
    """The text before the sections, and the words about each argument."""
    style = next((name for name, mark in _STYLES if mark.search(doc)), None)
    if style is None:
        return doc.strip(), {}
    # Only functions with such sections need the parser, which is slow to import.
    import griffe

    said: list[str] = []
    arguments: dict[str, str] = {}
    for section in griffe.Docstring(doc).parse(style, warnings=False):
        if section.kind is griffe.DocstringSectionKind.text and not arguments:
            said.append(str(section.value))
        elif section.kind is griffe.DocstringSectionKind.parameters:
            arguments |= {each.name.lstrip("*"): " ".join(each.description.split()) for each in section.value}
    return "\n\n".join(said).strip(), arguments
