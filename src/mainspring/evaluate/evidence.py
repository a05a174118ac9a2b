"""What speaks for and against a claim in the passages that it is held against: the features of ``Triad``'s support.

Each is a number that anyone can check by eye. None needs a model of its own: vectors are the embedding model's, the
alignment of tokens is its last layer but one (``engines.late``).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np

from mainspring.rag import sentences, terms

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<=[\w,;:]\s)[A-Z][\w’'-]+")
_NEGATION = re.compile(r"\b(?:not|never|no|none|neither|nor|without|cannot|nobody|nothing)\b|n[’']t\b", re.IGNORECASE)
# Words that turn a statement round when one stands in the place of the other.
_UP = (
    r"increas|rais|rise|rose|higher|more|greater|gain|improv|enhanc|promot|activat|upregulat|induc|stimulat|positiv|"
    r"early"
)
_DOWN = (
    r"decreas|reduc|lower|less|fewer|fall|fell|los[st]|impair|worse|prevent|inhibit|downregulat|suppress|block|negativ|"
    r"late"
)
_WAYS = tuple(re.compile(rf"\b(?:{stems})\w*", re.IGNORECASE) for stems in (_UP, _DOWN))
# Content words this close in a sentence are taken to be said of each other.
_NEAR = 5
_WINDOWS = 4
_WORST = 2


class Aligner(Protocol):
    """``engines.late.LateInteraction``, as far as it is needed."""

    async def aligned(self, text: str, passages: Sequence[str]) -> Any: ...


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence of passage number ``passage``, with its neighbours as ``around``."""

    passage: int
    text: str
    around: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The features of one claim, each in [0, 1] but where it says otherwise.

    ``cosine``: to the closest sentence. ``beside`` and ``within``: the share of the claim's content words in that
    sentence with its neighbours, and in it alone; ``rare``: ``beside`` with rare words weighing more. ``anywhere``:
    the share in all passages. ``together``: of neighbouring content words of the claim, the share that stands close
    together in one sentence. ``aligned`` and ``worst``: the mean token's best cosine in the best window, and that of
    the claim's worst-matched words. ``number``, ``name``: 1 for one that no passage has. ``negation``, ``turned``: 1
    where only one of claim and sentence is negated, or one speaks of a rise and the other of a fall.
    """

    cosine: float
    beside: float
    within: float
    rare: float
    anywhere: float
    together: float
    aligned: float
    worst: float
    number: float
    name: float
    negation: float
    turned: float

    def vector(self) -> Any:
        """The features in the order of ``NAMES``; float64 (features,)."""
        return np.array([getattr(self, name) for name in NAMES], np.float64)


NAMES = tuple(field.name for field in fields(Evidence))


def units(passages: Sequence[str]) -> list[Unit]:
    """The sentences of all passages."""
    found: list[Unit] = []
    for number, passage in enumerate(passages):
        texts = [passage[one.start : one.end] for one in sentences.split(passage)] or [passage]
        found += [Unit(number, text, " ".join(texts[max(0, at - 1) : at + 2])) for at, text in enumerate(texts)]
    return found


async def gather(
    claim: str, found: Sequence[Unit], cosine: Callable[[str], float], aligner: Aligner | None
) -> tuple[Evidence, int]:
    """The evidence of ``found`` (at least one) for ``claim`` (which has content words), and the index of the sentence
    that is closest. ``cosine`` is that of the claim to a sentence. Without an ``aligner`` words are matched as they
    are."""
    words = terms.content(claim)
    contents = [terms.content(unit.around) for unit in found]
    cosines = [max(0.0, cosine(unit.text)) for unit in found]
    scores = [cosines[at] + len(words & contents[at]) / len(words) for at in range(len(found))]
    order = sorted(range(len(found)), key=lambda at: -scores[at])
    best = found[order[0]]
    rarity = terms.rarity(words, contents)
    everything = " ".join(unit.text for unit in found)
    held = words & terms.content(everything)
    windows = list(dict.fromkeys(found[at].around for at in order[:_WINDOWS]))
    aligned, worst = await _alignment(claim, windows, aligner, len(words & contents[order[0]]) / len(words))
    return (
        Evidence(
            cosines[order[0]],
            len(words & contents[order[0]]) / len(words),
            len(words & terms.content(best.text)) / len(words),
            terms.overlap(rarity, words & contents[order[0]]),
            len(held) / len(words),
            _together(claim, found),
            aligned,
            worst,
            float(bool(set(_NUMBER.findall(claim)) - set(_NUMBER.findall(everything)))),
            float(any(name.lower() not in everything.lower() for name in _NAME.findall(claim))),
            float(bool(_NEGATION.search(claim)) != bool(_NEGATION.search(best.text))),
            float(_turned(claim, best.text)),
        ),
        order[0],
    )


async def _alignment(
    claim: str, windows: Sequence[str], aligner: Aligner | None, fallback: float
) -> tuple[float, float]:
    if aligner is None:
        return fallback, fallback
    found = await aligner.aligned(claim, windows)
    spans = [(start, end) for _, start, end in terms.located(claim)]
    inside = [
        [token for token, (begin, close) in enumerate(found.spans) if begin < end and close > start]
        for start, end in spans
    ]
    places = [tokens for tokens in inside if tokens]
    if not places:
        return fallback, fallback
    by_word = np.array([[row[tokens].mean() for tokens in places] for row in found.cosines])
    row = by_word[int(by_word.mean(1).argmax())]
    return float(np.clip(row.mean(), 0, 1)), float(np.clip(np.sort(row)[:_WORST].mean(), 0, 1))


def _together(claim: str, found: Sequence[Unit]) -> float:
    said = terms.words(claim)
    pairs = [(one, other) for one, other in itertools.pairwise(said) if one != other]
    if not pairs:
        return float(any(said[0] in terms.content(unit.text) for unit in found))
    close: set[tuple[str, str]] = set()
    for unit in found:
        words = terms.words(unit.text)
        for at, word in enumerate(words):
            for other in words[at + 1 : at + 1 + _NEAR]:
                close |= {(word, other), (other, word)}
    return sum(pair in close for pair in pairs) / len(pairs)


def _turned(claim: str, closest: str) -> bool:
    ours = [bool(way.search(claim)) for way in _WAYS]
    theirs = [bool(way.search(closest)) for way in _WAYS]
    return sum(ours) == 1 and sum(theirs) == 1 and ours != theirs
