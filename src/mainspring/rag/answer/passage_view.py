"""A cited passage opened in its document: the passage, its surroundings, and its place."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.errors import InvalidRequest
from mainspring.stores.documents.catalogue import Document

# Characters of one answer: longer documents are read in parts.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class PassageView:
    """``text[start:end]`` of a document of ``length`` characters, with ``before`` and ``after`` it."""

    document: Document
    text: str
    start: int
    end: int
    before: str
    after: str
    length: int


def opened(document: Document, text: str, start: int, end: int | None, around: int) -> PassageView:
    """Open ``text[start:end]`` (None: as much as one answer holds) with about ``around`` characters on either side, cut
    between words.

    Raises ``InvalidRequest`` if there is no such span, or it has more than ``MOST`` characters.
    """
    if start > len(text):
        raise InvalidRequest(f"{document.name} has {len(text)} characters", param="start")
    last = min(len(text), start + MOST) if end is None else end
    if not start <= last <= len(text):
        raise InvalidRequest(f"end must be from start to {len(text)}, the document's length", param="end")
    if last - start > MOST:
        raise InvalidRequest(
            f"{last - start} characters were requested, but the maximum at once is {MOST}", param="end"
        )
    first, final = _edge(text, start - around, start, 1), _edge(text, last + around, last, -1)
    return PassageView(document, text[start:last], start, last, text[first:start], text[last:final], len(text))


def _edge(text: str, at: int, inner: int, step: int) -> int:
    """``at`` moved towards ``inner`` until it is not inside a word."""
    at = min(max(at, 0), len(text))
    edge = at
    while edge != inner and 0 < edge < len(text) and text[edge - 1].isalnum() and text[edge].isalnum():
        edge += step
    return edge
