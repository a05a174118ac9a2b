"""Measures of an answer's wording against passages, without a model.

Copied runs are the extractive coverage of Grusky, Naaman and Artzi (NAACL 2018), here from runs of three words on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Mapping, Sequence

from mainspring.rag.text import terms

_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
_NAME = re.compile(r"(?<=[\w,;:]\s)[A-Z][\w’'-]+|\d+(?:[.,:]\d+)*")
_RUN = 3


def copied(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's words that the passages have; 0 without words."""
    return _share(_words(answer), {word for each in passages for word in _words(each)})


def copied_pairs(answer: str, passages: Sequence[str]) -> float:
    """The share of neighbouring words of the answer that are neighbours in a passage."""
    return _share(_runs(_words(answer), 2), {pair for each in passages for pair in _runs(_words(each), 2)})


def copied_runs(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's words that stand in a run of three and more which a passage has."""
    said = _words(answer)
    known = {run for each in passages for run in _runs(_words(each), _RUN)}
    inside = [False] * len(said)
    for place, run in enumerate(_runs(said, _RUN)):
        if run in known:
            inside[place : place + _RUN] = [True] * _RUN
    return sum(inside) / len(said) if said else 0.0


def covered(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's content words, stemmed, that the passages have."""
    return _share(sorted(terms.content(answer)), terms.content(" ".join(passages)))


def names(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's names and numbers that the passages have; 1 if it has none."""
    said = _NAME.findall(answer)
    there = " ".join(passages).casefold()
    return sum(each.casefold() in there for each in said) / len(said) if said else 1.0


MEASURES: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "copied": copied,
    "copied_pairs": copied_pairs,
    "copied_runs": copied_runs,
    "covered": covered,
    "names": names,
}


def words(text: str) -> int:
    """How many there are."""
    return len(_WORD.findall(text))


def is_object(text: str) -> bool:
    """Whether a text is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _runs(said: Sequence[str], length: int) -> list[tuple[str, ...]]:
    return [tuple(said[place : place + length]) for place in range(len(said) - length + 1)]


def _share(parts: Sequence[object], known: Container[object]) -> float:
    return sum(each in known for each in parts) / len(parts) if parts else 0.0
