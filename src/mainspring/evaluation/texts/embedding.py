"""Measures of texts by an embedding model: what is said in other words is still near.

``similarity`` is the cosine between the vectors of a whole prediction and a whole reference. ``similarity-f1`` matches
sentences as BERTScore (Zhang et al., ICLR 2020) matches tokens: recall is the mean, over the reference's sentences, of
the largest cosine to one of the prediction's, precision the same the other way round, and the value is their F1, where
a mean below 0 counts as 0. It is not BERTScore: units are sentences, since an embedder has one vector for a text, and
values are neither weighted by rarity nor rescaled. Values of different embedding models cannot be compared, and
neither measure sees a wrong number or a negation well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import InvalidRequest
from mainspring.evaluation.texts.measures import Scores
from mainspring.rag.text.sentences import split

if TYPE_CHECKING:
    from mainspring.engines.base import Embedder

SIMILARITY, MATCHED = "similarity", "similarity-f1"
MEASURES = (SIMILARITY, MATCHED)
_MOST_SENTENCES = 200
_AT_ONCE = 256


async def score(
    embedder: Embedder, predictions: Sequence[str], references: Sequence[Sequence[str]], measures: Sequence[str]
) -> dict[str, Scores]:
    """What each of ``measures`` says; of several references the best counts. A text counts up to the embedder's bound
    of tokens, and its first 200 sentences; an empty one is 0. Raises ``InvalidRequest`` for an unknown measure, for no
    examples, and for an example without a reference."""
    if not predictions or len(predictions) != len(references) or not all(references):
        raise InvalidRequest("each prediction needs references, and there must be one at least", param="predictions")
    found: dict[str, Scores] = {}
    for name in measures:
        if name not in MEASURES:
            raise InvalidRequest(
                f"there is no measure {name:.50}", param="measures", remedy=f"Use {', '.join(MEASURES)}"
            )
        cut = _whole if name == SIMILARITY else _sentences
        parts = [[cut(own), *map(cut, several)] for own, several in zip(predictions, references, strict=True)]
        vectors = await _vectors(
            embedder, list(dict.fromkeys(text for texts in parts for each in texts for text in each))
        )
        each = [max(_f1(own, other, vectors) for other in several) for own, *several in parts]
        found[name] = Scores(sum(each) / len(each), tuple(each), True, 1.0)
    return found


def _whole(text: str) -> list[str]:
    return [text] if text.strip() else []


def _sentences(text: str) -> list[str]:
    found = (text[each.start : each.end].strip() for each in split(text))
    return [each for each in found if each][:_MOST_SENTENCES]


async def _vectors(embedder: Embedder, texts: Sequence[str]) -> dict[str, Any]:
    """Unit vectors by text."""
    import numpy as np

    found: dict[str, Any] = {}
    for start in range(0, len(texts), _AT_ONCE):
        part = texts[start : start + _AT_ONCE]
        rows = np.asarray((await embedder.embed(part)).vectors, np.float64)
        found |= zip(part, rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), strict=True)
    return found


def _f1(own: Sequence[str], other: Sequence[str], vectors: dict[str, Any]) -> float:
    import numpy as np

    if not own or not other:
        return 0.0
    cosines = np.stack([vectors[each] for each in own]) @ np.stack([vectors[each] for each in other]).T
    if cosines.size == 1:
        # Of one text each, precision and recall are the cosine itself, also below 0.
        return float(cosines[0, 0])
    precision, recall = max(0.0, float(cosines.max(1).mean())), max(0.0, float(cosines.max(0).mean()))
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
