"""Finds the entities of a graph that a question names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mainspring.rag.graph import resolve
from mainspring.rag.graph.assemble import Graph
from mainspring.rag.graph.read.name_rules import names
from mainspring.rag.text import terms

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 8
_SHORTEST = 3


def linked(graph: Graph, question: str) -> list[int]:
    """The entities that ``question`` names, in ascending order: names as a text's are found, and whatever words of it
    are an entity's name in any case, longer ones first."""
    found = set()
    for each in names(question, 0, len(question)):
        known = graph.keys.get(resolve.key(each.name, each.kind))
        if known is not None:
            found.add(known)
    words = _WORD.findall(question.casefold().replace("’", "'").replace("'s", ""))
    used: set[int] = set()
    for size in range(min(_LONGEST, len(words)), 0, -1):
        for at in range(len(words) - size + 1):
            place = range(at, at + size)
            if used.intersection(place) or (size == 1 and not _alone(words[at])):
                continue
            entity = next((graph.keys[word] for word in _forms(words[at : at + size]) if word in graph.keys), None)
            if entity is not None:
                found.add(entity)
                used.update(place)
    return sorted(found)


def entity(graph: Graph, name: str) -> int | None:
    """The entity called ``name``; None if there is none."""
    for kind in ("name", "term"):
        known = graph.keys.get(resolve.key(name, kind))
        if known is not None:
            return known
    return None


def _alone(word: str) -> bool:
    return len(word) >= _SHORTEST and not terms.stops(word)


def _forms(words: list[str]) -> Iterator[str]:
    yield " ".join(words)
    yield " ".join([*words[:-1], resolve.singular(words[-1])])
