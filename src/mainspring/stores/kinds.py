"""The kinds of stores in the registry: what their factories receive and return."""

from __future__ import annotations

from dataclasses import dataclass

from mainspring.core.plugins import Kind
from mainspring.core.settings import Settings
from mainspring.stores.cache.answers import AnswerStore
from mainspring.stores.cache.similar_questions import SimilarStore
from mainspring.stores.sql.redis import Redis
from mainspring.stores.vectors.base import VectorStore


@dataclass(frozen=True, slots=True)
class CacheStores:
    """Where a cache keeps answers, and the questions that the semantic cache compares."""

    answers: AnswerStore
    similar: SimilarStore


VECTORS: Kind[[Settings], VectorStore] = Kind(
    "vectors", VectorStore, ("settings",), builtins="mainspring.stores.builtin", setting="stores.vectors"
)
"""Keeps the chunks of documents; nothing is connected to or made before it is used."""
CACHE: Kind[[Settings, Redis | None], CacheStores] = Kind(
    "cache", CacheStores, ("settings", "redis"), builtins="mainspring.stores.builtin", setting="stores.cache"
)
