"""What else stands where an answer came from, for those who ask for more of it."""

from __future__ import annotations

from collections.abc import Sequence

from mainspring.rag.answer.verbatim.extract import Passage


def left(passages: Sequence[Passage], shown: Sequence[Passage]) -> list[Passage]:
    """The ``passages`` that are not ``shown``, of the same sections, or of the same documents where none is left."""
    rest = [each for each in passages if not any(_overlap(each, other) for other in shown)]
    sections = {(each.hit.document_id, each.heading) for each in shown}
    documents = {each.hit.document_id for each in shown}
    near = [each for each in rest if (each.hit.document_id, each.heading) in sections]
    return near or [each for each in rest if each.hit.document_id in documents]


def _overlap(one: Passage, other: Passage) -> bool:
    same = one.hit.document_id == other.hit.document_id
    return same and one.start < other.end and other.start < one.end
