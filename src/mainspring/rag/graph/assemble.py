"""One graph of many documents, restricted to those that the caller may see.

Names are resolved over these documents only, so that a document which is hidden cannot even make two names one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mainspring.rag.graph import resolve
from mainspring.rag.graph.read.graph_model import VALUES, DocumentGraph, Kind

# Names in one sentence that count as related: the nearest ones, up to this number.
_NEAR = 4
_STRONG: frozenset[Kind] = frozenset(("name", "term", "acronym", "code"))


@dataclass(frozen=True, slots=True)
class TextPlace:
    """``text[start:end]`` of a document."""

    document_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GraphChunk:
    """A chunk, and the document that it is of."""

    document_id: str
    chunk_id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """``subject`` -``predicate``-> ``object`` (numbers of entities), stated at ``place``."""

    subject: int
    predicate: str
    object: int
    place: TextPlace


@dataclass(frozen=True)
class Graph:
    """Entities, chunks, and the connections between them. Entities are numbers into ``names``; chunks into ``chunks``.

    ``of``, ``within`` and ``weights`` (int64, int64, float64 of one length) say that entity ``of`` is mentioned in
    chunk ``within``; ``ends`` (int64, (n, 2)) and ``ties`` (float64, (n,)) are pairs of entities and how close they
    are, in (0, 1]. ``seen`` is, for each pair, a place that mentions both entities.
    """

    names: Sequence[str]
    kinds: Sequence[Kind]
    keys: Mapping[str, int]
    chunks: Sequence[GraphChunk]
    of: Any
    within: Any
    weights: Any
    ends: Any
    ties: Any
    seen: Sequence[TextPlace]
    statements: Sequence[Statement]
    said: Mapping[int, Sequence[TextPlace]]
    spelled: Mapping[int, Sequence[str]]

    @cached_property
    def numbers(self) -> Mapping[tuple[str, str], int]:
        """The number of each chunk by (document id, chunk id)."""
        return {(chunk.document_id, chunk.chunk_id): number for number, chunk in enumerate(self.chunks)}

    @cached_property
    def rarity(self) -> Any:
        """For each entity, float64 in (0, 1]: 1 where one chunk mentions it, less the more there are."""
        counts = np.bincount(self.of, minlength=len(self.names))
        most = math.log(1 + len(self.chunks)) or 1.0
        return np.log(1 + len(self.chunks) / np.maximum(counts, 1)) / most if len(self.chunks) else np.ones(0)

    @cached_property
    def rarity_of_documents(self) -> Any:
        """As ``rarity``, by documents."""
        homes: dict[int, set[str]] = defaultdict(set)
        for entity, chunk in zip(self.of.tolist(), self.within.tolist(), strict=True):
            homes[entity].add(self.chunks[chunk].document_id)
        documents = len({chunk.document_id for chunk in self.chunks})
        counts = np.array([len(homes[entity]) or 1 for entity in range(len(self.names))], np.float64)
        return np.log(1 + documents / counts) / (math.log(1 + documents) or 1.0)

    @cached_property
    def about(self) -> Mapping[tuple[int, int], float]:
        """For each (entity, chunk) from 0 (mentioned once) to 1 (the chunk's heading names it, or nearly so)."""
        shares = np.clip(self.weights / 1.1 - 0.63, 0.0, 1.0)
        pairs = zip(self.of.tolist(), self.within.tolist(), strict=True)
        return dict(zip(pairs, shares.tolist(), strict=True))

    @cached_property
    def mentioned(self) -> Mapping[int, Sequence[int]]:
        """The chunks that mention each entity."""
        found: dict[int, list[int]] = defaultdict(list)
        for entity, chunk in zip(self.of.tolist(), self.within.tolist(), strict=True):
            found[entity].append(chunk)
        return found

    @cached_property
    def entities_of(self) -> Mapping[int, Sequence[int]]:
        """The entities that each chunk mentions."""
        found: dict[int, list[int]] = defaultdict(list)
        for entity, chunk in zip(self.of.tolist(), self.within.tolist(), strict=True):
            found[chunk].append(entity)
        return found

    @cached_property
    def stated(self) -> Mapping[tuple[int, int], Sequence[Statement]]:
        """The statements about each pair of entities, the smaller number first."""
        found: dict[tuple[int, int], list[Statement]] = defaultdict(list)
        for each in self.statements:
            found[min(each.subject, each.object), max(each.subject, each.object)].append(each)
        return found

    @cached_property
    def by_subject(self) -> Mapping[int, Sequence[Statement]]:
        """The statements of each subject."""
        found: dict[int, list[Statement]] = defaultdict(list)
        for each in self.statements:
            found[each.subject].append(each)
        return found

    @cached_property
    def neighbours(self) -> Mapping[int, Sequence[tuple[int, int]]]:
        """(other entity, number of the pair) of each entity."""
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, (one, other) in enumerate(self.ends.tolist()):
            found[one].append((other, number))
            found[other].append((one, number))
        return found


def assemble(parts: Mapping[str, DocumentGraph]) -> Graph:
    """The graph of ``parts``, by document id. The same parts give the same graph in any order."""
    return _Assembly(sorted(parts.items())).graph()


class _Assembly:
    def __init__(self, parts: Sequence[tuple[str, DocumentGraph]]) -> None:
        self._parts = parts
        self._keys = [[resolve.key(entity.name, entity.kind) for entity in part.entities] for _, part in parts]
        self._kept = self._kept_keys()
        self._best = self._resolved()
        self._numbers = {name: number for number, name in enumerate(sorted(set(self._best.values())))}

    def graph(self) -> Graph:
        local = [[self._number(word) for word in words] for words in self._keys]
        names, kinds, spelled = self._called(local)
        chunks: list[GraphChunk] = []
        counts: Counter[tuple[int, int]] = Counter()
        pairs: Counter[tuple[int, int]] = Counter()
        seen: dict[tuple[int, int], TextPlace] = {}
        said: dict[int, list[TextPlace]] = defaultdict(list)
        statements: list[Statement] = []
        for (document_id, part), numbers in zip(self._parts, local, strict=True):
            first = len(chunks)
            chunks += [GraphChunk(document_id, piece.chunk_id, piece.start, piece.end) for piece in part.pieces]
            _mentions(part, numbers, first, counts)
            for place, entities in _together(document_id, part, numbers):
                for entity in dict.fromkeys(entities):
                    said[entity].append(place)
                for pair in _near(entities, kinds):
                    pairs[pair] += 1
                    seen.setdefault(pair, place)
            for each in part.relations:
                subject, thing = numbers[each.subject], numbers[each.object]
                if subject is not None and thing is not None and subject != thing:
                    place = TextPlace(document_id, each.start, each.end)
                    statements.append(Statement(subject, each.predicate, thing, place))
                    seen.setdefault((min(subject, thing), max(subject, thing)), place)
        ends, ties = _ties(pairs, statements, said)
        of, within, weights = _columns(counts)
        return Graph(
            names,
            kinds,
            {word: self._numbers[best] for word, best in self._best.items()},
            chunks,
            of,
            within,
            weights,
            np.array(ends, np.int64).reshape(-1, 2),
            np.array(ties, np.float64),
            [seen[pair] for pair in ends],
            statements,
            said,
            spelled,
        )

    def _number(self, word: str) -> int | None:
        return self._numbers[self._best[word]] if word in self._best else None

    def _kept_keys(self) -> frozenset[str]:
        """A phrase counts if something else has that name, or if at least two documents but only a few use it."""
        strong: set[str] = set()
        used: Counter[str] = Counter()
        for (_, part), words in zip(self._parts, self._keys, strict=True):
            strong.update(word for word, each in zip(words, part.entities, strict=True) if each.kind != "phrase")
            used.update({word for word, each in zip(words, part.entities, strict=True) if each.kind == "phrase"})
        few = max(4, len(self._parts) // 50)
        return frozenset(word for word in {*strong, *(w for w, n in used.items() if 2 <= n <= few)} if word)

    def _resolved(self) -> dict[str, str]:
        counts: Counter[str] = Counter()
        aliases: set[tuple[str, str]] = set()
        shorts: set[tuple[str, str]] = set()
        for (_, part), words in zip(self._parts, self._keys, strict=True):
            counts.update(words[mention.entity] for mention in part.mentions)
            counts.update(words)
            for one, other in part.aliases:
                kinds = part.entities[one].kind, part.entities[other].kind
                if "acronym" in kinds:
                    short, long = (one, other) if kinds[0] == "acronym" else (other, one)
                    shorts.add((words[short], words[long]))
                else:
                    aliases.add((words[one], words[other]))
        return resolve.resolve({word: counts[word] for word in counts if word in self._kept}, aliases, shorts)

    def _called(self, local: Sequence[Sequence[int | None]]) -> tuple[list[str], list[Kind], dict[int, list[str]]]:
        """The most frequent spelling and kind of each entity."""
        votes: list[Counter[tuple[str, Kind]]] = [Counter() for _ in self._numbers]
        for (_, part), numbers in zip(self._parts, local, strict=True):
            for entity, number in zip(part.entities, numbers, strict=True):
                if number is not None:
                    votes[number][entity.name, entity.kind] += 1
        best = [min(each.items(), key=lambda item: (item[0][1] == "phrase", -item[1], item[0]))[0] for each in votes]
        spelled = {number: sorted({name for name, _ in each}) for number, each in enumerate(votes) if len(each) > 1}
        return [name for name, _ in best], [kind for _, kind in best], spelled


def _mentions(part: DocumentGraph, numbers: Sequence[int | None], first: int, counts: Counter[tuple[int, int]]) -> None:
    pieces = part.pieces
    at = 0
    for mention in sorted(part.mentions, key=lambda each: each.start):
        number = numbers[mention.entity]
        while at < len(pieces) and pieces[at].end < mention.end:
            at += 1
        if number is None:
            continue
        place = at
        while place < len(pieces) and pieces[place].start <= mention.start:
            if mention.end <= pieces[place].end:
                counts[number, first + place] += 1
            place += 1
    for entity, piece in part.about:
        number = numbers[entity]
        if number is not None:
            counts[number, first + piece] += 2


def _together(
    document_id: str, part: DocumentGraph, numbers: Sequence[int | None]
) -> Iterator[tuple[TextPlace, list[int]]]:
    """The entities of each sentence, in order."""
    inside: dict[int, list[int]] = defaultdict(list)
    for mention in part.mentions:
        number = numbers[mention.entity]
        if number is not None:
            inside[mention.sentence].append(number)
    for sentence in sorted(inside):
        start, end = part.sentences[sentence]
        yield TextPlace(document_id, start, end), inside[sentence]


def _near(entities: Sequence[int], kinds: Sequence[Kind]) -> Iterator[tuple[int, int]]:
    for index, one in enumerate(entities):
        for other in entities[index + 1 : index + 1 + _NEAR]:
            if one != other and kinds[one] not in VALUES and kinds[other] not in VALUES:
                yield min(one, other), max(one, other)


def _ties(
    pairs: Mapping[tuple[int, int], int],
    statements: Sequence[Statement],
    said: Mapping[int, Sequence[TextPlace]],
) -> tuple[list[tuple[int, int]], list[float]]:
    """Pairs and their closeness: normalised pointwise mutual information of occurring in one sentence (Bouma 2009), and
    at least a half if a sentence relates them."""
    total = max(2, len({place for places in said.values() for place in places}))
    ties: dict[tuple[int, int], float] = {}
    for (one, other), count in pairs.items():
        count = min(count, len(said[one]), len(said[other]))
        mutual = math.log(count * total / (len(said[one]) * len(said[other])))
        close = mutual / -math.log(count / total) if count < total else 1.0
        if close > 0:
            ties[one, other] = min(1.0, close) / 2
    for each in statements:
        pair = min(each.subject, each.object), max(each.subject, each.object)
        ties[pair] = min(1.0, max(ties.get(pair, 0.0), 0.0) + 0.5)
    ordered = sorted(ties)
    return ordered, [ties[pair] for pair in ordered]


def _columns(counts: Mapping[tuple[int, int], int]) -> tuple[Any, Any, Any]:
    ordered = sorted(counts)
    cells = np.array(ordered, np.int64).reshape(-1, 2)
    weights = np.log1p(np.array([counts[pair] for pair in ordered], np.float64))
    return cells[:, 0], cells[:, 1], weights
