"""The evidence in passages for and against a claim: the features of ``Triad``'s support.

Each is a number that anyone can check by eye. None needs a model of its own: vectors are the embedding model's.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mainspring.rag.text import sentences, terms

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_NAME = re.compile(r"(?<=[\w,;:]\s)[A-Z][\w’'-]+")
_NEGATION = re.compile(r"\b(?:not|never|no|none|neither|nor|without|cannot|nobody|nothing)\b|n[’']t\b", re.IGNORECASE)
# Words that reverse a statement when one replaces the other.
_UP = (
    r"increas|rais|rise|rose|higher|more|greater|gain|improv|enhanc|promot|activat|upregulat|induc|stimulat|positiv|"
    r"early"
)
_DOWN = (
    r"decreas|reduc|lower|less|fewer|fall|fell|los[st]|impair|worse|prevent|inhibit|downregulat|suppress|block|negativ|"
    r"late"
)
_WAYS = tuple(re.compile(rf"\b(?:{stems})\w*", re.IGNORECASE) for stems in (_UP, _DOWN))
# Content words this close in a sentence are taken to belong to each other.
_NEAR = 5


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
    sentence with its neighbours, and in it alone; ``rare``: like ``beside``, with a higher weight for rare words.
    ``anywhere``: the share in all passages. ``together``: the share of the claim's neighbouring content words that are
    close together in one sentence. ``placed``: whether the words that the claim adds to the question are close to the
    rest of the claim: 1 in the best sentence for the rest, less in another, 0 nowhere; the mean (without a question:
    the value of the word furthest from the rest). ``number``, ``name``: 1 if the claim has one that is in no passage.
    ``negation``, ``turned``: 1 where only one of claim and sentence is negated, or one speaks of a rise and the other
    of a fall.
    """

    cosine: float
    beside: float
    within: float
    rare: float
    anywhere: float
    together: float
    placed: float
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


def gather(claim: str, found: Sequence[Unit], cosine: Callable[[str], float], question: str) -> tuple[Evidence, int]:
    """The evidence of ``found`` (at least one) for ``claim`` (which has content words), and the index of the sentence
    that is closest. ``cosine`` is that of the claim to a sentence, ``question`` may be empty."""
    words = terms.content(claim)
    contents = [terms.content(unit.around) for unit in found]
    alone = [terms.content(unit.text) for unit in found]
    cosines = [max(0.0, cosine(unit.text)) for unit in found]
    shares = [len(words & each) / len(words) for each in contents]
    closest = max(range(len(found)), key=lambda at: cosines[at] + shares[at])
    best = found[closest]
    everything = " ".join(unit.text for unit in found)
    seen = Evidence(
        cosine=cosines[closest],
        beside=shares[closest],
        within=len(words & alone[closest]) / len(words),
        rare=terms.overlap(terms.rarity(words, contents), words & contents[closest]),
        anywhere=len(words & terms.content(everything)) / len(words),
        together=_together(claim, found),
        placed=_placed(words, terms.content(question), alone, cosines),
        number=float(bool(set(_NUMBER.findall(claim)) - set(_NUMBER.findall(everything)))),
        name=float(any(name.lower() not in everything.lower() for name in _NAME.findall(claim))),
        negation=float(bool(_NEGATION.search(claim)) != bool(_NEGATION.search(best.text))),
        turned=float(_turned(claim, best.text)),
    )
    return seen, closest


def _placed(
    words: frozenset[str], asked: frozenset[str], contents: Sequence[frozenset[str]], cosines: Sequence[float]
) -> float:
    """For each word that the claim adds (or each word): how well its best sentence covers the other words, as a share
    of the best coverage by any sentence. For the added words the mean, 0 for one that no sentence has; for all words in
    some sentence the minimum."""
    added = words - asked if asked else frozenset[str]()
    looked_at = added or words & frozenset(word for each in contents for word in each)
    if not looked_at:
        return 0.0
    rare = terms.rarity(words, contents)
    shares = []
    for word in looked_at:
        rest = (words & asked if added else words) - {word}
        total = sum(rare[each] for each in rest) or 1.0
        spoken = [
            sum(rare[w] for w in rest & each) / total + near for each, near in zip(contents, cosines, strict=True)
        ]
        there = [value for value, each in zip(spoken, contents, strict=True) if word in each]
        shares.append(max(there, default=0.0) / (max(spoken) or 1.0))
    return sum(shares) / len(shares) if added else min(shares)


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
