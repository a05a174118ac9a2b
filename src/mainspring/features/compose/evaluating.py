"""How well suggestions are: perplexity, exact matches of three words, and a user who accepts what is right.

The user types a mail word by word, and accepts the first suggestion if it is how the mail goes on. Only what people
wrote is measured: the frame around it, ``from`` and ``until`` of a row, is not.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mainspring.features.compose.model.decoder import Floats
from mainspring.features.compose.model.layout import header
from mainspring.features.compose.model.packed import Packed
from mainspring.features.compose.model.search import LanguageModel, Searching, Vocabulary, phrases
from mainspring.features.compose.suggesting import MailDraft

Row = Mapping[str, Any]
_WORD = re.compile(r"\S+\s*")
EXACT = Searching(beams=4, most_words=3, most_tokens=12, least=1e-12, length_power=0.0)
"""The search for the likeliest three words."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a mail at which a word was just typed: what is before it, and what follows."""

    row: Row
    before: str
    after: str

    def asked(self, **more: Any) -> MailDraft:
        return MailDraft(self.before, "", str(self.row.get("subject", "")), str(self.row.get("to", "")), **more)


def span(row: Row) -> tuple[int, int]:
    """The part of a row's text that somebody wrote."""
    text = str(row["text"])
    return int(row.get("from", 0)), int(row.get("until", len(text)))


def places(row: Row, least_words: int = 3) -> list[Place]:
    """The places behind each word from the third on, with words to come."""
    text, (begin, end) = str(row["text"]), span(row)
    found = []
    for number, match in enumerate(_WORD.finditer(text, begin, end), 1):
        if number >= least_words and match.end() < end:
            found.append(Place(row, text[: match.end()], text[match.end() : end]))
    return found


def drawn(rows: Sequence[Row], a_mail: int, words: int = 3, seed: int = 0) -> list[Place]:
    """Up to ``a_mail`` places of each mail, each with ``words`` words to come."""
    draw = random.Random(seed)
    found = []
    for row in rows:
        fit = [each for each in places(row) if len(each.after.split()) >= words]
        found += sorted(draw.sample(fit, min(a_mail, len(fit))), key=lambda each: len(each.before))
    return found


def exact(model: LanguageModel[Any], vocabulary: Vocabulary, place: Place, ids: Sequence[int]) -> bool:
    """Whether the likeliest three words are those that follow. Punctuation behind the last word does not count."""
    blank = not place.before.rstrip(" ").endswith("\n")
    found = [each for each in phrases(model, vocabulary, ids, EXACT, blank=blank) if each.words == 3]
    return bool(found) and same(found[0].text.split(), place.after.split()[:3])


def same(words: Sequence[str], others: Sequence[str]) -> bool:
    """Whether they are equal, apart from punctuation at the end."""
    if len(words) != len(others) or not words:
        return False
    return list(words[:-1]) == list(others[:-1]) and words[-1].rstrip(".,!?;:") == others[-1].rstrip(".,!?;:")


def right(suggestion: str, after: str) -> bool:
    """Whether somebody who writes ``after`` would accept it."""
    words = suggestion.split()
    return same(words, after.split()[: len(words)])


@dataclass(frozen=True, slots=True)
class Typed:
    """What came of typing a mail: places that asked, suggestions, those that were right, and characters, of which some
    were not typed."""

    asked: int
    shown: int
    accepted: int
    characters: int
    saved: int


def typed(row: Row, suggest: Callable[[Place], str | None]) -> Typed:
    """Type a mail. ``suggest`` gives the first suggestion, or None."""
    text, (begin, end) = str(row["text"]), span(row)
    asked = shown = accepted = saved = 0
    at = begin
    words = 0
    while at < end:
        match = _WORD.match(text, at, end)
        if match is None:
            break
        at, words = match.end(), words + 1
        while words >= 3 and at < end:
            asked += 1
            found = suggest(Place(row, text[:at], text[at:end]))
            if found is None:
                break
            shown += 1
            if not right(found, text[at:end]):
                break
            accepted += 1
            count = len(found.split())
            taken = re.match(rf"(?:\S+\s*){{{count}}}", text[at:end])
            assert taken is not None
            saved += len(found) - 1
            at, words = at + taken.end(), words + count
    return Typed(asked, shown, accepted, end - begin, saved)


class Likelihoods(Protocol):
    """Gives the natural-log probability of each token but the first."""

    def likelihoods(self, ids: Sequence[int]) -> Floats: ...


def losses(packed: Packed, model: Likelihoods, row: Row) -> tuple[Floats, int]:
    """The loss (nats) of each token of what somebody wrote of a mail, and its words. A long one is read in parts."""
    text, (begin, end) = str(row["text"]), span(row)
    before = header(packed.tokenizer, str(row.get("to", "")), str(row.get("subject", "")))
    read = packed.tokenizer.encode(text, add_special_tokens=False)
    room = packed.sizes.length - len(before)
    found = []
    for start in range(0, len(read.ids), room):
        likely = model.likelihoods([*before, *read.ids[start : start + room]])[len(before) - 1 :]
        offsets = read.offsets[start : start + room]
        found += [-each for each, (first, last) in zip(likely, offsets, strict=True) if begin <= first and last <= end]
    return np.asarray(found, np.float32), len(text[begin:end].split())


def nats(packed: Packed, row: Row) -> tuple[float, int]:
    """The loss of what is served over what somebody wrote of a mail, and its words."""
    found, words = losses(packed, packed.model, row)
    return float(found.sum()), words


def perplexity(found: Sequence[tuple[float, int]]) -> float:
    """Per word, of (nats, words)."""
    return math.exp(sum(each for each, _ in found) / max(1, sum(words for _, words in found)))
