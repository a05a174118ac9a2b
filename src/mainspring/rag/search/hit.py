"""A hit of a search: a chunk, its place, and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that was found. ``source`` is its document's name, ``text`` is ``[start:end]`` of that document.

    ``score`` is the fused score in [0, 1]: comparable within one search only. ``dense_score`` is the cosine to the
    query and ``lexical_score`` the BM25 score (None: not found by words), of several queries the greatest; ranks count
    from 1 among the candidates. ``attributes`` are the document's, ``modified_at`` Unix seconds.
    ``[parent_start:parent_end]`` is the larger passage around the chunk (-1: none). ``file_id`` is the uploaded file
    that the document was made of (None: it came from elsewhere). ``rerank_score`` is the reranker's score (None: it did
    not read the chunk). ``foreign``: the cosine is by another model than ``models.embedding``, and means something only
    beside others of that model.
    """

    chunk_id: str
    document_id: str
    collection_id: str
    source: str
    text: str
    start: int
    end: int
    page: int | None
    heading: str
    score: float
    dense_score: float
    lexical_score: float | None
    dense_rank: int
    lexical_rank: int | None
    text_blob: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    modified_at: float = 0.0
    parent_start: int = -1
    parent_end: int = -1
    file_id: str | None = None
    rerank_score: float | None = None
    foreign: bool = False
