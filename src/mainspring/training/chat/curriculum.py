"""The order in which RAFT's rows are seen. No torch here.

A mixture of hundreds of rows taught a small model to refuse nearly everything: a refusal is the cheapest way out (it is
always the same words). So answerable questions come first, then refusals over documents of other subjects, then near
misses, and no stage has more refusals than a share.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from mainspring.rag.answer.generate import REFUSAL

T = TypeVar("T")
Difficulty = Literal["answerable", "off-topic", "near-miss"]
ORDER: tuple[Difficulty, ...] = ("answerable", "off-topic", "near-miss")
_WORDS = re.compile(r"[a-z0-9]{3,}")
_COMMON = frozenset(
    "the and for are was were did does what which who whom when where why how that this with from".split()
)


def refusal(row: Mapping[str, Any]) -> bool:
    """Whether the right answer is that the documents do not say."""
    answer = row.get("answer") or (row["messages"][-1].get("content") if row.get("messages") else "")
    return str(answer).strip().startswith(REFUSAL[:-1])


def difficulty(row: Mapping[str, Any]) -> Difficulty:
    """What a row says (``difficulty``), else: a refusal over documents that have half of the question's words is a near
    miss."""
    said = row.get("difficulty")
    for each in ORDER:
        if said == each:
            return each
    if not refusal(row):
        return "answerable"
    asked = set(_WORDS.findall(str(row.get("question", "")).lower())) - _COMMON
    shown = set(_WORDS.findall(" ".join(map(str, row.get("documents", ()))).lower()))
    return "near-miss" if asked and len(asked & shown) >= len(asked) / 2 else "off-topic"


def ordered(rows: Sequence[tuple[Difficulty, T]], *, refusals: float, seed: int) -> list[T]:
    """The rows by difficulty: the later stages mix their refusals with answerable rows, half of which come first.
    Refusals beyond the share ``refusals`` of a stage are left out."""
    drawn = random.Random(seed)
    by = {each: [row for difficulty, row in rows if difficulty == each] for each in ORDER}
    for found in by.values():
        drawn.shuffle(found)
    answerable = by["answerable"]
    if not by["off-topic"] and not by["near-miss"]:
        return answerable
    half = len(answerable) // 2
    rest = len(answerable) - half
    made = answerable[:half]
    stages = [each for each in ORDER[1:] if by[each]]
    for number, stage in enumerate(stages):
        part = answerable[half + number * rest // len(stages) : half + (number + 1) * rest // len(stages)]
        most = int(len(part) * refusals / (1 - refusals)) if refusals < 1 else len(by[stage])
        # The first refusals that are learned stay in what comes later.
        pool = by[stage] if number == 0 else [*by[stage][: max(most // 2, most - len(by[stages[0]]))], *by[stages[0]]]
        mixed = [*part, *pool[:most]]
        drawn.shuffle(mixed)
        made += mixed
    return made
