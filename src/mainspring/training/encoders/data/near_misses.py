"""Questions that a passage seems to answer and does not, made of those that it answers.

SQuAD's own (Rajpurkar et al., 2018) were written by people. These are made: the question of another passage that is
closest in words, the passage without the sentences that hold the answer, and the question with a name or a number
exchanged. Nothing here needs torch.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from random import Random
from typing import Literal

from mainspring.rag.text import terms
from mainspring.rag.text.sentences import split

Kind = Literal["answered", "other passage", "answer removed", "value swapped", "off topic"]
_NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*\d(?![\w])|(?<![\w.])\d(?![\w])")
_NAME = re.compile(r"(?<=[a-z,;:] )(?:[A-Z][\w'’-]+)(?: (?:of |the |de |van )?[A-Z][\w'’-]+)*")


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """A question, a passage that answers it, and the answer; ``document`` names what the passage is part of."""

    question: str
    passage: str
    answer: str
    document: str


@dataclass(frozen=True, slots=True)
class Example:
    """A question about a passage. ``answer`` is empty unless the passage answers it; ``kind`` says how it was made.
    All examples of one ``source`` stay on one side of a split."""

    question: str
    passage: str
    answer: str
    kind: Kind
    source: str

    @property
    def answerable(self) -> bool:
        return self.kind == "answered"


def plain(text: str) -> str:
    """Words in small letters with single spaces, without punctuation."""
    return " ".join(re.findall(r"\w+", text.lower()))


def holds(passage: str, answer: str) -> bool:
    """Whether the passage holds the answer, word by word, however it is written."""
    wanted = plain(answer)
    return bool(wanted) and f" {wanted} " in f" {plain(passage)} "


def without_answer(passage: str, answer: str) -> str:
    """The passage without the sentences that hold the answer; empty if none do, or if nothing is left."""
    kept: list[str] = []
    gone = 0
    for each in split(passage):
        text = passage[each.start : each.end]
        if holds(text, answer):
            gone += 1
        else:
            kept.append(text)
    left = " ".join(kept)
    return left if gone and left and not holds(left, answer) else ""


def without_one(passage: str, answer: str, random: Random) -> str:
    """The passage without one of the sentences that do not hold the answer, so that a missing sentence alone says
    nothing; the passage itself if there are none. The answer stays."""
    sentences = [passage[each.start : each.end] for each in split(passage)]
    others = [place for place, text in enumerate(sentences) if not holds(text, answer)]
    if len(sentences) < 2 or not others:
        return passage
    gone = random.choice(others)
    left = " ".join(text for place, text in enumerate(sentences) if place != gone)
    return left if holds(left, answer) else passage


def window(passage: str, answer: str, most: int, random: Random) -> str:
    """Neighbouring sentences of at most about ``most`` words; they hold the answer where the passage does."""
    sentences = [passage[each.start : each.end] for each in split(passage)]
    if not sentences:
        return passage
    inside = [place for place, text in enumerate(sentences) if answer and holds(text, answer)]
    first = last = random.choice(inside) if inside else random.randrange(len(sentences))
    words = len(sentences[first].split())
    while True:
        sides = [each for each in (first - 1, last + 1) if 0 <= each < len(sentences)]
        fitting = [each for each in sides if words + len(sentences[each].split()) <= most]
        if not fitting:
            return " ".join(sentences[first : last + 1])
        taken = random.choice(fitting)
        words += len(sentences[taken].split())
        first, last = min(first, taken), max(last, taken)


def swapped(question: str, others: Sequence[str], random: Random) -> str:
    """The question with one number or name exchanged for another of the same kind from ``others`` (texts); empty if
    there is none to exchange or none to take."""
    found = [(pattern, match) for pattern in (_NUMBER, _NAME) for match in pattern.finditer(question)]
    random.shuffle(found)
    here = f" {plain(question)} "
    for pattern, match in found:
        known = {each.group() for text in others for each in pattern.finditer(text)}
        rest = sorted(each for each in known if f" {plain(each)} " not in here)
        if rest:
            return question[: match.start()] + random.choice(rest) + question[match.end() :]
    return ""


class Passages:
    """Passages by their words, to find the one that is closest to a question."""

    def __init__(self, passages: Sequence[str]) -> None:
        self.passages = list(dict.fromkeys(passages))
        self._words = [Counter(terms.words(each)) for each in self.passages]
        self._where: Mapping[str, list[int]] = defaultdict(list)
        for place, words in enumerate(self._words):
            for word in words:
                self._where[word].append(place)

    def closest(self, question: str, answer: str, own: str) -> str:
        """The passage that shares most of the question's words, weighted by how rare they are, and neither is ``own``
        nor holds the answer; empty if there is none."""
        scores: dict[int, float] = defaultdict(float)
        for word in set(terms.words(question)):
            places = self._where.get(word, [])
            for place in places:
                scores[place] += log(1 + len(self.passages) / len(places))
        for place in sorted(scores, key=lambda each: (-scores[each], each)):
            passage = self.passages[place]
            if passage != own and not holds(passage, answer):
                return passage
        return ""


def examples(rows: Sequence[AnsweredQuestion], seed: int, *, words: int = 0) -> Iterator[Example]:
    """Of each row the answered question and the near misses that can be made of it.

    ``words`` cuts passages to about so many (0: they stay whole). Answers that their passages do not hold word by word
    stay, but nothing can be removed for them.
    """
    random = Random(seed)
    passages = Passages([each.passage for each in rows])
    by_document: dict[str, list[str]] = defaultdict(list)
    for each in rows:
        by_document[each.document].append(each.passage)

    def cut(passage: str, answer: str = "") -> str:
        return window(passage, answer, words, random) if words else passage

    for each in rows:
        shown = each.passage
        if random.random() < 0.5:
            shown = without_one(shown, each.answer, random)
        yield Example(each.question, cut(shown, each.answer), each.answer, "answered", each.document)
        if other := passages.closest(each.question, each.answer, each.passage):
            yield Example(each.question, cut(other), "", "other passage", each.document)
        if left := without_answer(each.passage, each.answer):
            yield Example(each.question, cut(left), "", "answer removed", each.document)
        texts = [each.passage, *by_document[each.document]]
        if question := swapped(each.question, texts, random):
            yield Example(question, cut(each.passage, each.answer), "", "value swapped", each.document)
