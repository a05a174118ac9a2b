"""The weights that choose sentences: for each term of a sentence's score, and for sentences beside a chosen one.

The defaults were set on questions that no report uses; the recipe ``answering`` fits others to a tenant's own.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

from mainspring.core.errors import InvalidRequest

_MOST = 10.0

REVISION = 4
"""To be raised when the same passages give other answers under the same weights and settings: those in caches are not
given any more."""


@dataclass(frozen=True, slots=True)
class ChoiceWeights:
    """``TERMS`` are weights of what a sentence has, each at least 0; what counts against it is a negative term.

    ``own``, ``before``, ``after``, ``heading`` and ``around`` weigh the question's words, by rarity, in the sentence,
    its neighbours, its heading and the rest of its chunk; ``offer`` and ``wanted`` weigh the kind of thing that the
    question asks for; ``fused`` and ``chunk_cosine`` its chunk's scores; ``latest`` the words of a follow-up itself;
    ``key`` and ``range`` a row's key (or the term that a line explains, if its meaning is asked for) and its range of
    values. Against it count ``said`` (a pair whose value is in the question), ``case`` (a row beside the one that is
    named), ``elsewhere`` (a chunk that is not among the most similar), ``identifier`` and ``name`` (one of the question
    that others have is missing). ``cosine`` and ``cosine_under_heading`` are to the question, ``asked`` is that of a
    heading which asks it. ``read`` weighs a cross-encoder's reading.

    ``silent`` is the share of ``identifier`` for a sentence that names no other one in a document that has the right
    one. ``next`` is the bonus beside a chosen sentence: readers continue there. A sentence loses ``same_document`` for
    each one chosen from its document, times the doubt about that document; a document whose best chunk scores
    ``temperature`` less is 1/e times as likely the right one. Nothing further than ``near`` below the best is shown.
    """

    own: float = 0.9
    before: float = 0.35
    after: float = 0.12
    heading: float = 0.3
    around: float = 0.28
    offer: float = 0.07
    wanted: float = 0.12
    fused: float = 0.45
    chunk_cosine: float = 0.5
    latest: float = 0.6
    key: float = 0.3
    range: float = 0.35
    said: float = 0.6
    case: float = 0.3
    elsewhere: float = 0.1
    identifier: float = 0.8
    name: float = 0.5
    cosine: float = 0.8
    cosine_under_heading: float = 0.7
    asked: float = 1.0
    read: float = 1.0
    silent: float = 0.4
    next: float = 0.2
    same_document: float = 0.5
    temperature: float = 0.06
    near: float = 0.4

    @property
    def lexical(self) -> tuple[float, ...]:
        """The weights of ``LEXICAL``, in their order."""
        return tuple(getattr(self, name) for name in LEXICAL)

    def score(self, terms: Sequence[float]) -> float:
        """The score of a sentence with these values of the first of ``TERMS``."""
        return float(sum(map(mul, (getattr(self, name) for name in TERMS), terms)))

    @classmethod
    def of(cls, given: Mapping[str, Any], param: str = "weights") -> ChoiceWeights:
        """The defaults, with the ``given`` ones in their places. Raises ``InvalidRequest`` naming the one at fault."""
        known = {field.name for field in dataclasses.fields(cls)}
        for name, value in given.items():
            at = f"{param}.{name:.60}"
            if name not in known:
                raise InvalidRequest(f"{at} is not a weight of choosing", remedy=f"Use {', '.join(known)}", param=at)
            number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
            if not number or not 0 <= value <= _MOST:
                raise InvalidRequest(f"{at} must be a number from 0 to {_MOST:g}", param=at)
        if given.get("temperature") == 0:
            raise InvalidRequest(f"{param}.temperature must be above 0", param=f"{param}.temperature")
        return cls(**{name: float(value) for name, value in given.items()})


LEXICAL = (
    *("own", "before", "after", "heading", "around", "offer", "wanted", "fused", "chunk_cosine", "latest"),
    *("key", "range", "said", "case", "elsewhere", "identifier", "name"),
)
"""The terms that need no embedding of the sentence."""
TERMS = (*LEXICAL, "cosine", "cosine_under_heading", "asked", "read")
"""All terms of a sentence's score, in the order in which a passage has them; ``read`` only if it was read."""
SHIPPED = ChoiceWeights()
