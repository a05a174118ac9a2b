"""More like this: documents about the same subjects as a text, a document or a part of one."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.engines.base import Embedder
from mainspring.rag.ingest.vocabulary import Vocabularies, Vocabulary
from mainspring.rag.query.plan import Query, QueryPlan
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.retrieve import Filters, Retriever
from mainspring.rag.search.scope import Groups
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.text import terms
from mainspring.stores.documents.collections import Collection

# A text is represented by its rarest frequent words, and this many evenly spread pieces.
_TERMS = 24
_PIECES, _PIECE_CHARACTERS = 8, 700
# This many candidates are searched for each wanted document: several chunks belong to one document.
_CANDIDATES_EACH = 8


class Similar:
    """Finds documents that are like something."""

    def __init__(self, retriever: Retriever, vocabularies: Vocabularies) -> None:
        self._retriever = retriever
        self._vocabularies = vocabularies

    async def to_document(
        self,
        collection: Collection,
        document_id: str,
        k: int,
        *,
        groups: Groups,
        span: tuple[int, int] | None = None,
        filters: Filters | None = None,
        embedder: Embedder | None = None,
    ) -> list[Hit]:
        """The ``k`` documents most like one, or like ``[start:end]`` of its text; itself left out.

        Raises ``NotFound`` for a document that ``groups`` may not see, ``InvalidRequest`` for an empty span.
        """
        found = await self._retriever.scopes.named(collection, {document_id}, groups)
        document = found.get(document_id)
        if document is None or not document.text_blob:
            raise NotFound(f"there is no document {document_id} in {collection.name}", param="document_id")
        text = await self._retriever.text(document.text_blob)
        if span is not None:
            text = text[span[0] : span[1]]
            if not text.strip():
                raise InvalidRequest(f"the document has no text at {span[0]}:{span[1]}", param="start")
        return await self.to_text(
            collection, text, k, groups=groups, filters=filters, without=document_id, embedder=embedder
        )

    async def to_text(
        self,
        collection: Collection,
        text: str,
        k: int,
        *,
        groups: Groups,
        filters: Filters | None = None,
        without: str = "",
        embedder: Embedder | None = None,
    ) -> list[Hit]:
        """The ``k`` documents most like ``text``, each by its best chunk, best first; ``without`` that one.

        ``embedder`` is the collection's embedder to use (None: the default).
        """
        vocabulary = await self._vocabularies.of([collection], groups)
        words = await asyncio.to_thread(key_terms, text, vocabulary)
        if not words:
            raise InvalidRequest("the text has no words to search by", param="text")
        query = Query(" ".join(words), vector=await self._vector(text, collection, embedder))
        found = await self._retriever.candidates(
            collection,
            query.text,
            (k + 1) * _CANDIDATES_EACH,
            filters,
            groups=groups,
            plan=QueryPlan((query,)),
            options=SearchOptions(),
        )
        return best_of_documents([hit for hit in found if hit.document_id != without])[:k]

    async def _vector(self, text: str, collection: Collection, embedder: Embedder | None) -> Any:
        """The mean of the embeddings of evenly spread pieces, float32 of shape (dimensions,), L2-normalised."""
        count = max(1, min(_PIECES, math.ceil(len(text) / _PIECE_CHARACTERS)))
        step = max(1, len(text) // count)
        pieces = [text[at : at + _PIECE_CHARACTERS] for at in range(0, len(text), step)][:count]
        # Where all pieces fell on blanks, the beginning speaks for the text.
        chosen = [piece for piece in pieces if piece.strip()] or [text.strip()[:_PIECE_CHARACTERS]]
        embedder = embedder or await self._retriever.embedder_of(collection)
        embedded = await embedder.embed(chosen)
        mean = np.asarray(embedded.vectors, dtype=np.float32).mean(axis=0)
        return mean / (np.linalg.norm(mean) or 1.0)


def key_terms(text: str, vocabulary: Vocabulary, most: int = _TERMS) -> list[str]:
    """The words of ``text`` that characterise it best: frequent in it, rare in the documents."""
    total = sum(vocabulary.counts.values()) or 1
    counts = Counter(word for word in terms.plain(text) if not terms.stops(word) and len(word) > 2)
    weights = {
        word: count * math.log(1 + total / (1 + vocabulary.counts.get(word, 0))) for word, count in counts.items()
    }
    return sorted(weights, key=lambda word: (-weights[word], word))[:most]


def best_of_documents(hits: Sequence[Hit]) -> list[Hit]:
    """The first hit of each document."""
    found: dict[str, Hit] = {}
    for hit in hits:
        found.setdefault(hit.document_id, hit)
    return list(found.values())
