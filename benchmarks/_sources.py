"""What a LaTeX source says, as far as its PDF must repeat it: sentences in order, headings, rows of tables, captions.

The source is read by pandoc. Sentences with formulas, citations or references in them are left out, as their text is
not the source's; footnotes too, since where they are read is a matter of taste.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_MIN_WORDS = 7
_UNKNOWN = "\x00"
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\Wa-z\d_])")
# What pandoc cannot know the text of.
_OPAQUE = {"Math", "Cite", "RawInline", "Image", "Code"}


@dataclass(slots=True)
class Source:
    """``rows`` are the cells of each table row that has two or more, empty ones left out; all squeezed to letters."""

    sentences: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    captions: list[str] = field(default_factory=list)


def squeezed(text: str) -> str:
    """Letters and digits alone: line ends, hyphens, ligatures and quotation marks are not what is judged."""
    return re.sub(r"[\W_]", "", text).casefold()


def read(path: Path, pandoc: str) -> Source | None:
    """The source at ``path`` (.tex or .tex.gz); None where pandoc cannot read it."""
    text = path.read_bytes()
    if path.suffix == ".gz":
        text = gzip.decompress(text)
    done = subprocess.run(
        [pandoc, "-f", "latex", "-t", "json"], input=text, capture_output=True, timeout=60, check=False
    )
    if done.returncode:
        return None
    source = Source()
    for block in json.loads(done.stdout)["blocks"]:
        _block(block, source)
    once = Counter(source.sentences)
    source.sentences = [each for each in source.sentences if once[each] == 1]
    return source


def _block(block: dict[str, Any], source: Source) -> None:
    kind = block["t"]
    content: Any = block.get("c")
    if kind in ("Para", "Plain"):
        source.sentences += _sentences(_text(content))
    elif kind == "Header":
        title = _text(content[2])
        if _UNKNOWN not in title and squeezed(title):
            source.headings.append(squeezed(title))
    elif kind == "Table":
        _table(content, source)
    elif kind == "Figure":
        caption = " ".join(_text(each["c"]) for each in content[1][1] if each["t"] in ("Para", "Plain"))
        if _UNKNOWN not in caption and len(caption.split()) >= 2:
            source.captions.append(squeezed(caption))
        for each in content[2]:
            if each["t"] == "Table":
                _block(each, source)
    else:
        for each in _inner(content):
            _block(each, source)


def _inner(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict):
        if content.get("t") in ("Para", "Plain", "Header", "Table", "Figure", "Div", "BlockQuote", "BulletList",
                                "OrderedList", "DefinitionList"):  # fmt: skip
            yield content
    elif isinstance(content, list):
        for each in content:
            yield from _inner(each)


def _table(content: list[Any], source: Source) -> None:
    head, bodies = content[3], content[4]
    for row in [*head[1], *(row for body in bodies for row in (*body[2], *body[3]))]:
        cells = [" ".join(_text(each["c"]) for each in cell[4] if each["t"] in ("Para", "Plain")) for cell in row[1]]
        plain = tuple(squeezed(cell) for cell in cells if squeezed(cell))
        if len(plain) >= 2 and not any(_UNKNOWN in cell for cell in cells):
            source.rows.append(plain)


def _text(inlines: Any) -> str:
    parts = []
    for each in inlines:
        kind, content = each["t"], each.get("c")
        if kind == "Str":
            parts.append(content)
        elif kind in ("Space", "SoftBreak", "LineBreak"):
            parts.append(" ")
        elif kind in _OPAQUE or (kind in ("Link", "Span") and "reference" in str(content[0])):
            parts.append(_UNKNOWN)
        elif kind != "Note":
            parts.append(_text(content if kind in ("Emph", "Strong", "Underline", "Strikeout", "SmallCaps",
                                                   "Superscript", "Subscript") else content[1]))  # fmt: skip
    return "".join(parts)


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        if _UNKNOWN not in sentence and len(sentence.split()) >= _MIN_WORDS:
            yield squeezed(sentence)
