"""Citations: made from passages, and only after the quote was found at its place in the stored text."""

from __future__ import annotations

from mainspring.errors import StoreError
from mainspring.rag.extract import Passage
from mainspring.types import Citation


def cite(index: int, passage: Passage, text: str, support: float | None = None) -> Citation:
    """The citation numbered ``index`` of ``passage``; ``text`` is the stored text of its document.

    Raises ``StoreError`` when ``text[start:end]`` is not the passage: an answer never shows what it cannot prove.
    """
    if text[passage.start : passage.end] != passage.text:
        raise StoreError(f"the index of {passage.hit.source} does not fit its text", remedy="Ingest the document again")
    return Citation(
        index=index,
        document_id=passage.hit.document_id,
        source=passage.hit.source,
        quote=passage.text,
        start=passage.start,
        end=passage.end,
        page=passage.hit.page,
        heading=passage.heading,
        support=support,
    )
