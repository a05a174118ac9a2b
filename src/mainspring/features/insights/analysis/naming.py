"""Names of topics: their most telling words, by class-based TF-IDF (Grootendorst 2022, "BERTopic").

A word that fewer conversations than a threshold used is never part of a name: it might be a person's.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.serving.memory.terms import words

_LETTERS = re.compile(r"[^\W\d_]")
# Numbers of orders, tickets and articles, such as LS-20417, say nothing of what a topic is about.
_CODES = re.compile(r"\b[A-Za-z]{1,6}[-#]?\d{2,}(?:[-/]\d{1,9}){0,3}\b")
IN_A_NAME = 3
# Characters of a turn that are read for names.
_READ = 4_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn of a topic: its text, and the conversation that it is of."""

    text: str
    conversation: str


def telling(topics: Mapping[str, Sequence[Spoken]], *, anonymity: int, most: int = 8) -> dict[str, list[str]]:
    """The most telling words of each topic, best first: frequent in it and rare in the others, used in at least
    ``anonymity`` of its conversations."""
    counts: dict[str, Counter[str]] = {}
    users: dict[str, dict[str, set[str]]] = {}
    shown: dict[str, Counter[str]] = {}
    for topic, turns in topics.items():
        counts[topic], users[topic] = Counter(), {}
        for turn in turns:
            said = _CODES.sub(" ", turn.text[:_READ])
            for word in words(said):
                if not _LETTERS.search(word) or len(word) < 2:
                    continue
                counts[topic][word] += 1
                users[topic].setdefault(word, set()).add(turn.conversation)
            _forms(said, shown)
    total: Counter[str] = Counter()
    for each in counts.values():
        total.update(each)
    average = sum(total.values()) / max(1, len(counts))
    found = {}
    for topic, mine in counts.items():
        scores = {
            word: count / max(1, sum(mine.values())) * math.log(1 + average / total[word])
            for word, count in mine.items()
            if len(users[topic][word]) >= anonymity
        }
        best = sorted(scores, key=lambda word: (-scores[word], word))[:most]
        found[topic] = [shown[word].most_common(1)[0][0] for word in best]
    return found


def name_of(told: Sequence[str]) -> str:
    """A name made of the most telling words; empty without any."""
    return ", ".join(told[:IN_A_NAME])


def rare(text: str, used: Mapping[str, int], anonymity: int) -> bool:
    """Whether ``text`` has a content word that fewer than ``anonymity`` conversations used; ``used`` counts them by
    word."""
    return any(used.get(word, 0) < anonymity for word in words(text))


def usage(turns: Sequence[Spoken]) -> dict[str, int]:
    """By content word, the number of conversations that used it."""
    users: dict[str, set[str]] = {}
    for turn in turns:
        for word in words(turn.text[:_READ]):
            users.setdefault(word, set()).add(turn.conversation)
    return {word: len(each) for word, each in users.items()}


def _forms(text: str, shown: dict[str, Counter[str]]) -> None:
    """Count the written forms of each stem, so that a name shows words and not stems."""
    for written in re.findall(r"\w+(?:['’]\w+)?", text.lower()):
        for stem in words(written):
            shown.setdefault(stem, Counter())[written] += 1
