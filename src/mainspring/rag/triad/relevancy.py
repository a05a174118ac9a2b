"""Whether an answer is about the question: the features of ``Triad``'s answer relevancy.

The shown passages reveal the answer's origin: an answer to this question is found close to the question's words, an
answer to another one elsewhere. Without passages, there are only the two texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mainspring.rag.text import terms
from mainspring.rag.triad.claim_evidence import Unit

# A sentence holds an answer that has this share of the answer's words, or nearly as many as any.
_HELD, _NEARLY = 0.34, 0.8
_SHORT = 4


@dataclass(frozen=True, slots=True)
class Relevance:
    """The features of one answer, each in [0, 1].

    ``cosine``: of question and answer. ``shared``: the share of the question's words in the answer; ``echo``: of the
    answer's words in the question. ``offers``: 1 if it has the kind of thing asked for, 0 if not, 0.5 if unknown.
    ``short``: 1 for at most four content words. For the sentence that contains the answer: ``held``, the share of the
    question's words in it (rare ones weigh more); ``lead``, that share relative to the best of any sentence; ``near``,
    its cosine minus that of the closest sentence, plus one. Where no sentence holds it, these are 0.
    """

    cosine: float
    shared: float
    echo: float
    offers: float
    short: float
    held: float
    lead: float
    near: float

    def vector(self) -> Any:
        """The features in the order of ``NAMES``; float64 (features,)."""
        return np.array([getattr(self, name) for name in NAMES], np.float64)


NAMES = tuple(field.name for field in fields(Relevance))
ALONE = ("cosine", "shared", "echo", "offers", "short")
"""The features that need no passages."""


def gather(question: str, answer: str, units: Sequence[Unit], cosine: Callable[[str, str], float]) -> Relevance:
    """The features of ``answer``; ``units`` are the sentences of the passages (none: only what needs none)."""
    asked, given = terms.content(question), terms.content(answer)
    shared = len(asked & given) / len(asked) if asked else 0.0
    echo = len(asked & given) / len(given) if given else 1.0
    offers = (terms.offers(terms.asked_kind(question), answer, asked) + 1) / 2
    place = _place(question, asked, given, units, cosine) if units and given else (0.0, 0.0, 0.0)
    return Relevance(max(0.0, cosine(question, answer)), shared, echo, offers, float(len(given) <= _SHORT), *place)


def _place(
    question: str,
    asked: frozenset[str],
    given: frozenset[str],
    units: Sequence[Unit],
    cosine: Callable[[str, str], float],
) -> tuple[float, float, float]:
    """``held``, ``lead``, ``near``."""
    contents = [terms.content(unit.text) for unit in units]
    coverage = [len(given & words) / len(given) for words in contents]
    if max(coverage) < _HELD:
        return 0.0, 0.0, 0.0
    holders = {at for at, share in enumerate(coverage) if share >= _NEARLY * max(coverage)}
    rare = terms.rarity(asked, contents)
    overlaps = [terms.overlap(rare, words & asked) for words in contents]
    cosines = [max(0.0, cosine(question, unit.text)) for unit in units]
    held = max(overlaps[at] for at in holders)
    near = 1 + max(cosines[at] for at in holders) - max(cosines)
    return held, held / (max(overlaps) or 1.0), float(np.clip(near, 0, 1))
