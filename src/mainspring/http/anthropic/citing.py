"""Citations of documents that came with a request: what an answer says in a document's own words is cited.

Models here do not mark their sources. So nothing is cited but sentences that stand in a document word for word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from mainspring.http.anthropic.blocks import Source

LEAST = 16
"""Characters of a sentence that is looked for: shorter ones stand anywhere."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_EDGES = " \t\"'\u201c\u201d\u2018\u2019*-"


def citations(text: str, sources: Sequence[Source]) -> Iterator[dict[str, Any]]:
    """A citation for each sentence of ``text`` that a source has, in the order of the text."""
    told = set()
    for part in _SENTENCES.split(text):
        for piece in (part.strip(_EDGES), part.strip(_EDGES + ".!?")):
            found = _found(piece, sources) if len(piece) >= LEAST else None
            if found is not None:
                if (key := tuple(found.items())) not in told:
                    told.add(key)
                    yield found
                break


def _found(piece: str, sources: Sequence[Source]) -> dict[str, Any] | None:
    for source in sources:
        if source.kind == "document" and len(source.blocks) == 1:
            start = source.blocks[0].find(piece)
            if start >= 0:
                return {
                    "type": "char_location",
                    "cited_text": piece,
                    "document_index": source.index,
                    "document_title": source.title,
                    "start_char_index": start,
                    "end_char_index": start + len(piece),
                }
            continue
        for index, block in enumerate(source.blocks):
            if piece in block:
                return _of_block(source, index)
    return None


def _of_block(source: Source, index: int) -> dict[str, Any]:
    place = {"start_block_index": index, "end_block_index": index + 1}
    if source.kind == "document":
        named = {"document_index": source.index, "document_title": source.title}
        return {"type": "content_block_location", "cited_text": source.blocks[index], **named, **place}
    named = {"search_result_index": source.index, "source": source.place, "title": source.title}
    return {"type": "search_result_location", "cited_text": source.blocks[index], **named, **place}
