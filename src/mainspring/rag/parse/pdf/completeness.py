"""Checks that a page of a PDF was read completely: compares its words and numbers with pdfium's text.

Numbers are compared separately, because a page of figures without one number is wrong, while a page of prose without
one word hardly is. A page that loses too much is given as pdfium's plain text instead.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mainspring.rag.parse.markup import markdown
from mainspring.rag.parse.pdf.geometry import Sheet
from mainspring.rag.parse.pdf.hyphens import Mender
from mainspring.rag.parse.pdf.layout import Block

# A page may lose this share of its words, by rules about furniture and hyphens, and of its numbers.
MAX_LOSS = 0.02
_MAX_NUMBERS = 0.005
# Fewer lost words are no share of anything.
_FEW = 3
# Letters of formulas and marks of notes are set high or low; their word is a matter of taste.
_WORD = re.compile(r"[^\W\d_]{3,}")
_NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")
_MIN_DIGITS = 3
_ENDS = re.compile(r"[.!?:;…][\"'”’)\]]*$")
_FIGURES = re.compile(r"[-–—$€£¥%()]*\d[\d.,]*[)%]*|[-–—$€£¥%]+")
_MAX_PAGES_NAMED = 20
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class Loss:
    """The parts of another text that a text lacks: words and numbers of three digits and more, each with the total."""

    words: int
    of_words: int
    numbers: tuple[str, ...]
    of_numbers: int

    @property
    def too_much(self) -> bool:
        """Whether the text must not stand for the other."""
        words = self.words >= _FEW and self.words > MAX_LOSS * self.of_words
        return words or len(self.numbers) > _MAX_NUMBERS * self.of_numbers


def compare(reference: str, text: str) -> Loss:
    """The parts of ``reference`` that ``text`` lacks, in any position."""
    numbers = _numbers(reference)
    lost = numbers - _numbers(text)
    words = Counter(_WORD.findall(reference))
    missing = words - Counter(_WORD.findall(text))
    # The halves of a word that was broken at the end of a line are parts of the whole one.
    count = sum(max(0, words[word] - text.count(word)) for word in missing)
    return Loss(count, words.total(), tuple(lost.elements()), numbers.total())


def _numbers(text: str) -> Counter[str]:
    found = _NUMBER.findall(text)
    return Counter(number for number in found if sum(map(str.isdigit, number)) >= _MIN_DIGITS)


@dataclass(slots=True)
class Checks:
    """The findings of the checks on a document's pages."""

    plain: list[int] = field(default_factory=list)
    lacking: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def page(self, number: int, sheet: Sheet, blocks: list[Block], dropped: Iterable[str]) -> list[Block]:
        """``blocks`` of page ``number``, or the page's plain text if the blocks lack too much of it. ``dropped`` is the
        text that was left out on purpose."""
        if not sheet.reference:
            return blocks
        aside = "\n".join([*(text for text, _ in sheet.asides), *dropped])
        loss = compare(sheet.reference, f"{_text(blocks)}\n{aside}")
        if not loss.too_much:
            if loss.numbers:
                self.lacking.append((number, loss.numbers))
            return blocks
        self.plain.append(number)
        figures = [Block(picture=each.picture, box=each.box) for each in blocks if each.picture is not None]
        return [*plain(sheet.reference), *figures]

    def warnings(self) -> list[str]:
        """A sentence for each kind of finding."""
        found = []
        if self.plain:
            found.append(f"the layout of {_pages(self.plain)} lost words or numbers: given as plain text instead")
        for number, numbers in self.lacking[:_MAX_NAMED]:
            found.append(f"page {number} lacks {', '.join(numbers[:_MAX_NAMED])}")
        if len(self.lacking) > _MAX_NAMED:
            found.append(f"{len(self.lacking) - _MAX_NAMED} more pages lack a number")
        return found


def plain(reference: str) -> list[Block]:
    """pdfium's text of a page as paragraphs; a line of figures is a paragraph of its own."""
    lines = [" ".join(line.split()).lstrip("|# ") for line in reference.splitlines()]
    mender = Mender(lines)
    blocks: list[Block] = []
    goes_on = False
    for line in lines:
        words = line.split()
        figures = sum(_FIGURES.fullmatch(word) is not None for word in words)
        tabular = figures >= 2 and figures >= 0.3 * len(words)
        if goes_on and line and not tabular:
            blocks[-1].text = mender.join(blocks[-1].text, line)
        elif line:
            blocks.append(Block(line))
        # A short line is a title or ends its paragraph.
        goes_on = bool(line) and not tabular and len(line) > 40 and _ENDS.search(line) is None
    return blocks


def _text(blocks: Sequence[Block]) -> str:
    """The text that ``blocks`` will produce."""
    parts: list[str] = []
    for block in blocks:
        parts.append(block.caption)
        if block.cells is not None:
            parts.extend(markdown.grid(block.cells).lines)
        elif block.picture is None:
            parts.append(block.text)
    return "\n".join(parts)


def _pages(numbers: Sequence[int]) -> str:
    named = ", ".join(map(str, numbers[:_MAX_PAGES_NAMED]))
    more = len(numbers) - _MAX_PAGES_NAMED
    return f"page {named}" if len(numbers) == 1 else f"pages {named}" + (f" and {more} more" if more > 0 else "")
