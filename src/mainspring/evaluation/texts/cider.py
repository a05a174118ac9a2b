"""CIDEr: consensus of a caption with several references (Vedantam, Zitnick and Parikh, CVPR 2015).

It is the CIDEr-D of the COCO caption evaluation: n-grams of 1 to 4 words, weighted by how rare they are among the
references of all examples, clipped to the reference's, and a penalty for another length. Texts are split at spaces;
give both sides tokenized alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

_LONGEST = 4
_SIGMA = 6.0
"""Standard deviation of the penalty for a difference in length, in words."""
_SCALE = 10.0

Grams = Mapping[tuple[str, ...], int]


def cider(predictions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """The score of each prediction, from 0 to 10; the corpus's is their mean.

    Rarity is that in ``references`` of all examples: a single example has no rare words and scores 0.
    """
    said = [_grams(each) for each in predictions]
    wanted = [[_grams(each) for each in several] for several in references]
    found: Counter[tuple[str, ...]] = Counter()
    for several in wanted:
        found.update({gram for grams in several for gram in grams})
    total = math.log(max(1, len(references)))
    return [
        _SCALE * sum(_alike(own, other, found, total) for other in several) / len(several) / _LONGEST
        for own, several in zip(said, wanted, strict=True)
    ]


def _alike(own: Grams, other: Grams, found: Mapping[tuple[str, ...], int], total: float) -> float:
    """The sum over lengths of n-grams of the clipped cosine, with the penalty for another length."""
    dots, ours, theirs = [0.0] * _LONGEST, [0.0] * _LONGEST, [0.0] * _LONGEST
    for gram, count in own.items():
        weight = count * (total - math.log(max(1, found.get(gram, 0))))
        ours[len(gram) - 1] += weight**2
    for gram, count in other.items():
        weight = total - math.log(max(1, found.get(gram, 0)))
        theirs[len(gram) - 1] += (count * weight) ** 2
        if gram in own:
            dots[len(gram) - 1] += min(own[gram], count) * weight * count * weight
    apart = _length(own) - _length(other)
    penalty = math.exp(-(apart**2) / (2 * _SIGMA**2))
    return sum(
        penalty * (dot / (math.sqrt(mine) * math.sqrt(its)) if mine and its else dot)
        for dot, mine, its in zip(dots, ours, theirs, strict=True)
    )


def _length(grams: Grams) -> int:
    # The reference implementation counts pairs of words.
    return sum(count for gram, count in grams.items() if len(gram) == 2)


def _grams(text: str) -> Grams:
    words = text.split()
    return Counter(
        tuple(words[start : start + size]) for size in range(1, _LONGEST + 1) for start in range(len(words) - size + 1)
    )
