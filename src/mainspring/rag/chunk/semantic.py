"""Chunks that end where the subject changes: at the lowest cosines between the text before and after a sentence.

Each sentence is embedded once; a group of sentences is the mean of their vectors. (Hearst's TextTiling, 1997, with
embeddings in place of word counts.)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mainspring.engines.base import Embedder
from mainspring.rag.chunk.base import Material, Span
from mainspring.rag.chunk.structure import Tile, spans

# Sentences on either side of a possible break that are compared.
_GROUP = 3
# A chunk this full may end at a break.
_MIN_FRACTION = 0.25


async def embedded(material: Material, tiles: Sequence[Tile], embedder: Embedder) -> NDArray[np.float32]:
    """One vector a sentence, (sentences, dimensions), L2-normalised."""
    vectors: Any = (await embedder.embed([material.text[tile.start : tile.end] for tile in tiles])).vectors
    return np.asarray(vectors, np.float32)


def similarities(vectors: NDArray[np.float32], group: int = _GROUP) -> NDArray[np.float32]:
    """(sentences - 1,): the cosine of the ``group`` sentences before each boundary and the ``group`` behind it."""
    count = len(vectors)
    sums = np.vstack([np.zeros((1, vectors.shape[1]), np.float32), np.cumsum(vectors, axis=0, dtype=np.float64)])
    at = np.arange(1, count)
    before = sums[at] - sums[np.maximum(0, at - group)]
    behind = sums[np.minimum(count, at + group)] - sums[at]
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(behind, axis=1)
    found: NDArray[np.float32] = ((before * behind).sum(axis=1) / np.maximum(lengths, 1e-12)).astype(np.float32)
    return found


def semantic(material: Material, tiles: Sequence[Tile], cosines: NDArray[np.float32], percentile: float) -> list[Span]:
    """Break at cosines up to the ``percentile`` (0 to 100) of the document's, and where a chunk would be too long.

    A chunk that must end takes the lowest cosine in it. Headings stay with what follows them.
    """
    if not tiles:
        return []
    threshold = float(np.percentile(cosines, percentile)) if len(cosines) else -1.0
    least = material.size * _MIN_FRACTION
    runs: list[tuple[int, int]] = []
    first, total = 0, 0
    for index, tile in enumerate(tiles):
        if index > first and not tiles[index - 1].leads and total >= least and cosines[index - 1] <= threshold:
            runs.append((first, index - 1))
            first, total = index, 0
        while index > first and total + tile.tokens > material.size:
            last = _weakest(tiles, cosines, first, index, least)
            runs.append((first, last))
            first = last + 1
            total = sum(part.tokens for part in tiles[first:index])
        total += tile.tokens
    runs.append((first, len(tiles) - 1))
    return spans(tiles, runs)


def _weakest(tiles: Sequence[Tile], cosines: NDArray[np.float32], first: int, index: int, least: float) -> int:
    """The tile before ``index`` after which the cosine is lowest, of those that leave a chunk of some weight."""
    total = 0
    candidates: list[int] = []
    for at in range(first, index):
        total += tiles[at].tokens
        if total >= least and not tiles[at].leads:
            candidates.append(at)
    return min(candidates, key=lambda at: (cosines[at], -at)) if candidates else index - 1
