"""Rows of the encoders' recipes, checked: each error names the side, the row and the field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mainspring.core.errors import InvalidRequest, NothingLearned
from mainspring.training.recipe import Side, Work

R = TypeVar("R")
_HELD_OUT = 0.1
_MOST_HELD_OUT = 1_000
NLI_LABELS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts that are read together; ``label`` is a relevance in [0, 1] or the number of a class. Rows of one
    ``group`` are compared with each other and stay on one side of a split."""

    first: str
    second: str
    label: float
    group: str


@dataclass(frozen=True, slots=True)
class Triplet:
    """A query with a passage that answers it and, perhaps, one that does not."""

    anchor: str
    positive: str
    negative: str = ""

    @property
    def group(self) -> str:
        return self.anchor


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and its class."""

    text: str
    label: str

    @property
    def group(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """A question about a passage. ``start`` and ``end`` are the answer's characters in the passage, -1 and -1 if it is
    not there word by word; ``answerable`` says whether the passage answers the question at all."""

    question: str
    passage: str
    start: int
    end: int
    answerable: bool

    @property
    def group(self) -> str:
        return self.question


def text_of(row: Mapping[str, Any], name: str, at: str, *, empty: bool = False) -> str:
    """The text of a field. Raises ``InvalidRequest``."""
    value = row.get(name, "" if empty else None)
    if not isinstance(value, str) or not (empty or value.strip()):
        raise InvalidRequest(
            f"{at}: {name} must be a text that is not empty", remedy=f"Give each row a {name}", param=f"{at}.{name}"
        )
    return value


def rerank(row: Mapping[str, Any], at: str) -> Pair:
    """``query``, ``passage``, ``label`` in [0, 1], as exports of the kind ``rerank`` have them."""
    label = row.get("label")
    if not isinstance(label, int | float) or not 0 <= label <= 1:
        raise InvalidRequest(f"{at}: label must be a number from 0 to 1", param=f"{at}.label")
    query = text_of(row, "query", at)
    return Pair(query, text_of(row, "passage", at), float(label), query)


def nli(row: Mapping[str, Any], at: str) -> Pair:
    """``premise``, ``hypothesis``, ``label``: one of ``NLI_LABELS`` or its number."""
    label = row.get("label")
    if isinstance(label, str) and label in NLI_LABELS:
        label = NLI_LABELS.index(label)
    if isinstance(label, bool) or not isinstance(label, int) or not 0 <= label < len(NLI_LABELS):
        raise InvalidRequest(f"{at}: label must be one of {', '.join(NLI_LABELS)}", param=f"{at}.label")
    premise = text_of(row, "premise", at)
    return Pair(premise, text_of(row, "hypothesis", at), float(label), premise)


def triplet(row: Mapping[str, Any], at: str) -> Triplet:
    """``anchor``, ``positive`` and, if there is one, ``negative``."""
    return Triplet(text_of(row, "anchor", at), text_of(row, "positive", at), text_of(row, "negative", at, empty=True))


def labelled(row: Mapping[str, Any], at: str) -> Labelled:
    """``text`` and ``label``."""
    label = row.get("label")
    return Labelled(text_of(row, "text", at), str(label) if isinstance(label, int) else text_of(row, "label", at))


def reading(row: Mapping[str, Any], at: str) -> Reading:
    """``question``, ``passage`` and ``answer``: its text, with ``start`` where it begins (else its first occurrence);
    null or empty: the passage holds none. ``answerable`` true without an answer: it is there in other words."""
    question, passage = text_of(row, "question", at), text_of(row, "passage", at)
    answer = row.get("answer") or ""
    if not isinstance(answer, str):
        raise InvalidRequest(f"{at}: answer must be a text or null", param=f"{at}.answer")
    answerable = row.get("answerable", bool(answer))
    if not isinstance(answerable, bool) or (answer and not answerable):
        raise InvalidRequest(f"{at}: answerable must be true where there is an answer", param=f"{at}.answerable")
    if not answer:
        return Reading(question, passage, -1, -1, answerable)
    start: Any = row.get("start")
    if start is None and (start := passage.find(answer)) < 0:
        raise InvalidRequest(f"{at}: the passage does not hold the answer", param=f"{at}.answer")
    whole = isinstance(start, int) and not isinstance(start, bool) and start >= 0
    if not whole or passage[start : start + len(answer)] != answer:
        raise InvalidRequest(
            f"{at}: the passage does not hold the answer at start", remedy="Leave start out", param=f"{at}.start"
        )
    return Reading(question, passage, start, start + len(answer), True)


def read(work: Work, side: Side, row: Callable[[Mapping[str, Any], str], R], most: int) -> list[R]:
    """The rows of a side. Raises ``InvalidRequest`` for one that is wrong and for more than ``most``."""
    found: list[R] = []
    for number, each in enumerate(work.rows(side), 1):
        if number > most:
            raise InvalidRequest(
                f"{side} has more than {most} rows", remedy="Take a part of them, or set most_rows", param="most_rows"
            )
        found.append(row(each, f"{side}:{number}"))
    return found


@dataclass(frozen=True, slots=True)
class Sides(Generic[R]):
    """The rows of the three sides. ``notes`` say what was missing."""

    train: Sequence[R]
    validation: Sequence[R]
    test: Sequence[R]
    notes: tuple[str, ...] = ()


def sides(work: Work, row: Callable[[Mapping[str, Any], str], R], most: int) -> Sides[R]:
    """All rows. Without validation rows, groups of the training rows are held out for it.

    Raises ``NothingLearned`` without training rows.
    """
    train, validation, test = (read(work, side, row, most) for side in ("train", "validation", "test"))
    notes: list[str] = []
    if not train:
        raise NothingLearned("there are no training rows", remedy="Give train.jsonl rows", param="train")
    if not validation:
        train, validation = held_out(train)
        if validation:
            notes.append(f"there was no validation side: {len(validation)} training rows were held out for it")
    if not test:
        notes.append("there was no test side, so no figures are claimed")
    return Sides(train, validation, test, tuple(notes))


def held_out(rows: Sequence[R]) -> tuple[list[R], list[R]]:
    """The rows without, and with, those of a tenth of the groups; a group is never split. Deterministic by content."""
    import hashlib

    def drawn(group: str) -> float:
        return int.from_bytes(hashlib.sha256(group.encode("utf-8", "replace")).digest()[:8], "big") / 2**64

    # The order is that of a hash of their group, so neither order nor seed decides.
    order = sorted({group_of(each) for each in rows}, key=drawn)
    kept = order[: int(len(order) * _HELD_OUT)]
    most, chosen, count = min(_MOST_HELD_OUT, len(rows) // 2), set[str](), 0
    sizes: dict[str, int] = {}
    for each in rows:
        sizes[group_of(each)] = sizes.get(group_of(each), 0) + 1
    for group in kept:
        if count + sizes[group] <= most:
            chosen.add(group)
            count += sizes[group]
    return (
        [each for each in rows if group_of(each) not in chosen],
        [each for each in rows if group_of(each) in chosen],
    )


def group_of(row: Any) -> str:
    return str(row.group)


def distinct(values: Iterable[object]) -> int:
    return len(set(values))
