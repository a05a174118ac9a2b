"""Beam search for the phrase that comes next.

A phrase begins a new word, and ends where a word ends: its probability is that of its tokens and of the word's end
behind them. Since a phrase is only as likely as its beginning, beams below the least confidence are given up; where
nothing is likely, the search ends after a step or two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mainspring.features.compose.model.decoder import Floats
from mainspring.features.compose.model.layout import END, SPECIAL

_SPACE, _LINE = "\u0120", "\u010a"
# How byte-level BPE writes a blank and the end of a line.
_ENDS = (".", "!", "?")
Mixing = Callable[[Sequence[int], Floats], Floats]
"""Changes the probabilities (natural log) after the tokens of a beam: a person's own phrases."""


class State(Protocol):
    """Tokens that were read; ``next`` are the natural-log probabilities of the next one, (vocabulary,)."""

    @property
    def next(self) -> Floats: ...


S = TypeVar("S", bound=State)


class LanguageModel(Protocol[S]):
    """What reads tokens and says what follows."""

    def read(self, ids: Sequence[int]) -> S: ...

    def step(self, seen: Sequence[S], tokens: Sequence[int]) -> list[S]:
        """What each of ``seen`` becomes with its token."""
        ...


@dataclass(frozen=True, slots=True)
class Searching:
    """How phrases are searched. A phrase is ranked by its probability times the power ``length_power`` of its number of
    words: with 0 the likeliest is first, with 1 the one that has most words right on average."""

    beams: int = 4
    most_words: int = 10
    most_tokens: int = 20
    least: float = 0.15
    length_power: float = 0.7


@dataclass(frozen=True, slots=True)
class Phrase:
    """A continuation without the blank before it. ``confidence`` is its probability."""

    text: str
    confidence: float
    words: int
    score: float
    tokens: tuple[int, ...] = ()


class Vocabulary:
    """Which tokens begin a word, end a line, and end a sentence."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        size = tokenizer.get_vocab_size()
        self._raw = [tokenizer.id_to_token(number) or "" for number in range(size)]
        self.special = np.asarray([each in SPECIAL for each in self._raw])
        self.blank = np.asarray([each.startswith(_SPACE) and len(each) > 1 for each in self._raw])
        self.line = np.asarray([_LINE in each for each in self._raw])
        self.letters = np.asarray([each[:1].isalpha() and each[0] not in (_SPACE, _LINE) for each in self._raw])
        self.after_word = self.blank | self.line | (np.arange(size) == END)

    @cached_property
    def sentence_end(self) -> frozenset[int]:
        """Tokens that end a sentence."""
        return frozenset(n for n, each in enumerate(self._raw) if each.endswith(_ENDS) and not self.special[n])

    def begins_word(self, token: int) -> bool:
        return bool(self.blank[token])

    def words(self, tokens: Sequence[int]) -> int:
        """Words of a phrase: its first token begins one, whatever it is."""
        return 1 + sum(self.begins_word(each) for each in tokens[1:])

    def text(self, tokens: Sequence[int]) -> str:
        found: str = self.tokenizer.decode(list(tokens), skip_special_tokens=False)
        return found.lstrip(" ")


@dataclass(frozen=True, slots=True)
class _Beam(Generic[S]):
    seen: S
    tokens: tuple[int, ...]
    logp: float


def phrases(
    model: LanguageModel[S],
    vocabulary: Vocabulary,
    ids: Sequence[int],
    how: Searching,
    *,
    blank: bool = True,
    mixing: Mixing | None = None,
) -> list[Phrase]:
    """The phrases that may follow ``ids`` with at least the least confidence, best first. ``blank``: a blank was typed
    and is not among ``ids``; else the phrase begins a line or a text."""
    floor = math.log(how.least)
    seen = model.read(ids)
    allowed = vocabulary.blank if blank else vocabulary.letters
    beams: list[_Beam[S]] = [_Beam(seen, (), 0.0)]
    found: dict[str, Phrase] = {}
    for number in range(how.most_tokens):
        grown: list[tuple[float, int, _Beam[S]]] = []
        for beam in beams:
            following = beam.seen.next if mixing is None else mixing([*ids, *beam.tokens], beam.seen.next)
            if beam.tokens:
                _note(found, vocabulary, beam, following, how)
                if _over(vocabulary, beam, how):
                    continue
            likely = _starting(following, allowed) if number == 0 else _within(following, vocabulary)
            for token in _best(likely, how.beams):
                logp = beam.logp + float(likely[token])
                if logp >= floor:
                    grown.append((logp, int(token), beam))
        # Equal ones by their token: the order is the same each time.
        grown.sort(key=lambda each: (-each[0], each[1]))
        grown = grown[: how.beams]
        if not grown:
            break
        stepped = model.step([each.seen for _, _, each in grown], [token for _, token, _ in grown])
        beams = [
            _Beam(made, (*beam.tokens, token), logp) for made, (logp, token, beam) in zip(stepped, grown, strict=True)
        ]
    return sorted(found.values(), key=lambda each: (-each.score, each.text))


def _note(
    found: dict[str, Phrase], vocabulary: Vocabulary, beam: _Beam[Any], following: Floats, how: Searching
) -> None:
    """Note the phrase of a beam with the probability that its last word ends there."""
    words = vocabulary.words(beam.tokens)
    if words > how.most_words:
        return
    # Nothing needs to follow the end of a sentence.
    ended = 0.0 if beam.tokens[-1] in vocabulary.sentence_end else _log_sum(following[vocabulary.after_word])
    confidence = math.exp(min(0.0, beam.logp + ended))
    if confidence < how.least:
        return
    text = vocabulary.text(beam.tokens)
    score = math.log(confidence) + how.length_power * math.log(words)
    kept = found.get(text)
    if kept is None or kept.confidence < confidence:
        found[text] = Phrase(text, confidence, words, score, beam.tokens)


def _over(vocabulary: Vocabulary, beam: _Beam[Any], how: Searching) -> bool:
    """Whether nothing follows: a sentence ended, or there are too many words."""
    return beam.tokens[-1] in vocabulary.sentence_end or vocabulary.words(beam.tokens) > how.most_words


def _starting(following: Floats, allowed: NDArray[Any]) -> Floats:
    """Where a blank was typed, a word begins: what else might have followed counts no more."""
    kept = np.where(allowed, following, np.float32(-np.inf))
    return kept - np.float32(_log_sum(following[allowed]))


def _within(following: Floats, vocabulary: Vocabulary) -> Floats:
    return np.where(vocabulary.special | vocabulary.line, np.float32(-np.inf), following)


def _best(likely: Floats, most: int) -> list[int]:
    most = min(most, len(likely))
    near = np.argpartition(-likely, most - 1)[:most]
    return sorted((int(each) for each in near), key=lambda each: (-float(likely[each]), each))


def _log_sum(values: Floats) -> float:
    if not len(values):
        return -math.inf
    top = float(values.max())
    return -math.inf if top == -math.inf else top + math.log(float(np.exp(values - np.float32(top)).sum()))
