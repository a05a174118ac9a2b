"""Documents without the card numbers in them, where ``compliance.documents`` asks for that."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from mainspring.core.cards import cover
from mainspring.rag.parse.parsed import Parsed
from mainspring.rag.parse.parser import Parser


class CoveringParser(Parser):
    """Reads documents and covers each digit of a card number, so that offsets stay valid."""

    async def parse(self, source: Path | bytes, name: str = "", *, images: bool = False) -> Parsed:
        return covered(await super().parse(source, name, images=images))


def covered(parsed: Parsed) -> Parsed:
    """``parsed`` with card numbers covered, in its text and in all copies of its parts."""
    text = cover(parsed.text)
    if text is parsed.text:
        return parsed
    return dataclasses.replace(
        parsed,
        text=text,
        headings=tuple(dataclasses.replace(each, title=cover(each.title)) for each in parsed.headings),
        tables=tuple(
            dataclasses.replace(
                each, rows=tuple(tuple(map(cover, row)) for row in each.rows), caption=cover(each.caption)
            )
            for each in parsed.tables
        ),
        # A picture would show the masked text.
        figures=tuple(
            dataclasses.replace(each, caption=cover(each.caption), text=cover(each.text), image=b"")
            for each in parsed.figures
        ),
        dropped=tuple(dataclasses.replace(each, text=cover(each.text)) for each in parsed.dropped),
    )
