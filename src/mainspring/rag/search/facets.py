"""Facets: how many of the documents that a search found have each value of an attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.rag.search.hit import Hit

# Fields of a document that can be counted beside its attributes.
FIELDS = ("name", "document_id")


@dataclass(frozen=True, slots=True)
class FacetCount:
    """``documents`` have ``value``."""

    value: str | int | float | bool
    documents: int


def facets(hits: Sequence[Hit], names: Sequence[str], most: int = 20) -> dict[str, list[FacetCount]]:
    """For each attribute the ``most`` frequent values among the documents of ``hits``, the most frequent first.

    Each document counts once for a value. ``hits`` should be the candidates of a search rather than the few that are
    shown: the counts are over these, and deeper with more ``effort``.
    """
    documents = {hit.document_id: hit for hit in hits}
    found: dict[str, list[FacetCount]] = {}
    for name in names:
        counts = Counter(value for hit in documents.values() for value in _values(hit, name))
        # True and 1 are one key to a dictionary: the kind keeps them apart.
        order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        found[name] = [FacetCount(value, count) for (_, _, value), count in order[:most]]
    return found


def _values(hit: Hit, name: str) -> set[tuple[str, str, Any]]:
    value = hit.attributes.get(name)
    if value is None and name in FIELDS:
        value = hit.source if name == "name" else hit.document_id
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    return {(type(each).__name__, str(each), each) for each in values}
