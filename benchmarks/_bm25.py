"""BM25 over whole documents, computed exactly: the yardstick beside the store's own, which sees chunks."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping

from mainspring.rag.text import terms

# The usual defaults: Robertson and Zaragoza 2009; Lucene, Elasticsearch and Lance have the same.
K1, B = 1.2, 0.75


class Bm25:
    """An inverted index of ``texts`` by id: stemmed words without stop words."""

    def __init__(self, texts: Mapping[str, str], k1: float = K1, b: float = B) -> None:
        self._postings: dict[str, list[tuple[str, float]]] = defaultdict(list)
        counted = {name: Counter(terms.words(text)) for name, text in texts.items()}
        lengths = {name: sum(counts.values()) for name, counts in counted.items()}
        mean = sum(lengths.values()) / max(1, len(lengths))
        for name, counts in counted.items():
            norm = k1 * (1 - b + b * lengths[name] / mean)
            for word, count in counts.items():
                self._postings[word].append((name, count * (k1 + 1) / (count + norm)))
        self._documents = len(texts)

    def scores(self, query: str) -> dict[str, float]:
        """The score of every document that has a word of ``query``."""
        scores: dict[str, float] = defaultdict(float)
        for word in terms.words(query):
            found = self._postings.get(word, [])
            idf = math.log(1 + (self._documents - len(found) + 0.5) / (len(found) + 0.5))
            for name, weight in found:
                scores[name] += idf * weight
        return scores

    def search(self, query: str, depth: int) -> list[str]:
        """The ids of the best ``depth`` documents, best first; equal scores in the order of their ids."""
        scores = self.scores(query)
        return sorted(scores, key=lambda name: (-scores[name], name))[:depth]
