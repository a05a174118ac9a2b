"""Citations: made from passages, and only after the quote was found at its place in the stored text."""

from __future__ import annotations

from mainspring.core.errors import StoreError
from mainspring.core.types import Citation
from mainspring.rag.answer.verbatim.extract import Passage


def cite(index: int, passage: Passage, text: str, support: float | None = None) -> Citation:
    """The citation numbered ``index`` of ``passage``; ``text`` is the stored text of its document.

    Raises ``StoreError`` if ``text[start:end]`` is not the passage: an answer never shows a citation that it cannot
    prove.
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
        vector_store_id=passage.hit.collection_id,
        file_id=passage.hit.file_id,
    )


class Numbers:
    """The numbers of one answer's citations: each passage has one, from 1, in the order of their first use."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int, int], int] = {}
        self.passages: list[Passage] = []

    def of(self, passage: Passage) -> tuple[int, bool]:
        """The number of ``passage``, and whether it is new."""
        key = (passage.hit.document_id, passage.start, passage.end)
        new = key not in self._numbers
        if new:
            self._numbers[key] = len(self._numbers) + 1
            self.passages.append(passage)
        return self._numbers[key], new
