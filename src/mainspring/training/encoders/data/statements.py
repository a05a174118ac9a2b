"""Statements about passages for a support check: what the passage says, shortened; the same with a value exchanged or
the opposite said; and statements of other passages. After FactCC (Kryscinski et al., 2020). Nothing here needs torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from mainspring.rag.text.sentences import split
from mainspring.training.encoders.data.near_misses import Passages, plain, swapped, window

Label = Literal["entailment", "neutral", "contradiction"]
_BRACKETS = re.compile(r"(?:(?<!\s)\s+)?\([^()]*\)")
_LAST_PART = re.compile(r",\s+(?:which|who|where|and|but|while|although|as|with|including)\b[^,.]*(?=\.$)")
_FIRST_PART = re.compile(r"^(?:In|On|At|After|Before|During|While|However|Although|Since|By|For)\b[^,]{0,60},\s+(?=\w)")
_VERB = re.compile(r"\b(is|are|was|were|has|have|had|can|will|would|could|should|may)\b(?! not\b)")
_LEAST, _MOST = 6, 45


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement about a passage. Statements of one ``source`` stay on one side of a split."""

    premise: str
    hypothesis: str
    label: Label
    source: str


def shortened(sentence: str, random: Random) -> str:
    """The sentence without brackets and, perhaps, without its first or last part: it says less and nothing else."""
    found = _BRACKETS.sub("", sentence)
    for pattern in random.sample((_LAST_PART, _FIRST_PART), 2):
        if random.random() < 0.5:
            cut = pattern.sub("", found, count=1)
            if len(cut.split()) >= _LEAST:
                found = cut
    return found[:1].upper() + found[1:]


def opposite(sentence: str, random: Random) -> str:
    """The sentence with one verb negated, or without the negation that it has; empty if there is no such verb."""
    if " not " in sentence:
        return sentence.replace(" not ", " ", 1)
    found = list(_VERB.finditer(sentence))
    if not found:
        return ""
    match = random.choice(found)
    return f"{sentence[: match.end()]} not{sentence[match.end() :]}"


def statements(passages: Sequence[str], seed: int, *, words: int = 90) -> Iterator[Statement]:
    """Of each passage some statements with each label. Premises have about ``words`` words."""
    random = Random(seed)
    known = Passages(passages)
    for passage in known.passages:
        sentences = [passage[each.start : each.end] for each in split(passage)]
        usable = [text for text in sentences if _LEAST <= len(text.split()) <= _MOST and text.endswith(".")]
        source = passage[:80]
        for sentence in random.sample(usable, min(2, len(usable))):
            premise = window(passage, sentence, words, random)
            said = shortened(sentence, random)
            yield Statement(premise, said, "entailment", source)
            wrong = swapped(said, [passage], random) if random.random() < 0.7 else opposite(said, random)
            if wrong and plain(wrong) != plain(said):
                yield Statement(premise, wrong, "contradiction", source)
            rest = " ".join(text for text in sentences if text != sentence)
            other = rest if random.random() < 0.5 else known.closest(said, sentence, passage)
            if other:
                yield Statement(window(other, "", words, random), said, "neutral", source)
