"""Communities of entities by the Louvain method (Blondel et al. 2008), and what their documents say in few sentences.

Deterministic: nodes are visited in order, and of equal gains the smallest community wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mainspring.rag.graph.assemble import Graph, TextPlace
from mainspring.rag.graph.read.graph_model import VALUES

_ROUNDS = 20
_LEVELS = 10
_SMALLEST = 3
_SENTENCES = 3
_LONGEST_PLACE = 600


@dataclass(frozen=True, slots=True)
class Community:
    """Entities that belong together, the most central first, with their most informative places. ``chunks`` are the
    numbers of the chunks that name several of the entities, in descending order. ``weight`` in (0, 1] is its share of
    all relations."""

    entities: tuple[int, ...]
    places: tuple[TextPlace, ...]
    chunks: tuple[int, ...]
    weight: float


def louvain(size: int, edges: Sequence[tuple[int, int, float]]) -> list[int]:
    """The community of each of ``size`` nodes, numbered by their smallest node; ``edges`` are (node, node, weight)."""
    member = list(range(size))
    links = list(edges)
    for _ in range(_LEVELS):
        nodes = 1 + max((max(a, b) for a, b, _ in links), default=-1)
        nodes = max(nodes, 1 + max(member, default=-1))
        moved, homes = _level(nodes, links)
        if not moved:
            break
        names = {home: number for number, home in enumerate(sorted(set(homes)))}
        member = [names[homes[node]] for node in member]
        merged: dict[tuple[int, int], float] = defaultdict(float)
        for a, b, weight in links:
            one, other = names[homes[a]], names[homes[b]]
            merged[min(one, other), max(one, other)] += weight
        links = [(a, b, weight) for (a, b), weight in sorted(merged.items())]
    first: dict[int, int] = {}
    return [first.setdefault(home, node) for node, home in enumerate(member)]


def _level(size: int, links: Sequence[tuple[int, int, float]]) -> tuple[bool, list[int]]:
    """One level: nodes move to the neighbouring community that modularity gains most by, until none moves."""
    near: list[dict[int, float]] = [defaultdict(float) for _ in range(size)]
    degree = [0.0] * size
    for a, b, weight in links:
        degree[a] += weight
        degree[b] += weight
        if a != b:
            near[a][b] += weight
            near[b][a] += weight
    total = sum(degree)
    homes = list(range(size))
    if total == 0:
        return False, homes
    inside = degree.copy()
    any_moved = False
    for _ in range(_ROUNDS):
        moved = False
        for node in range(size):
            own = homes[node]
            toward: dict[int, float] = defaultdict(float)
            for other, weight in near[node].items():
                toward[homes[other]] += weight
            inside[own] -= degree[node]
            best, gain = own, toward.get(own, 0.0) - inside[own] * degree[node] / total
            for home in sorted(toward):
                better = toward[home] - inside[home] * degree[node] / total
                if better > gain + 1e-12:
                    best, gain = home, better
            inside[best] += degree[node]
            if best != own:
                homes[node] = best
                moved = any_moved = True
        if not moved:
            break
    return any_moved, homes


def communities(graph: Graph) -> list[Community]:
    """The communities of at least three entities, the weightiest first."""
    edges = [
        (one, other, float(tie))
        for (one, other), tie in zip(graph.ends.tolist(), graph.ties.tolist(), strict=True)
        if graph.kinds[one] not in VALUES and graph.kinds[other] not in VALUES
    ]
    homes = louvain(len(graph.names), edges)
    members: dict[int, list[int]] = defaultdict(list)
    for entity, home in enumerate(homes):
        if graph.kinds[entity] not in VALUES:
            members[home].append(entity)
    central = np.zeros(len(graph.names))
    for one, other, tie in edges:
        if homes[one] == homes[other]:
            central[one] += tie
            central[other] += tie
    total = float(central.sum()) or 1.0
    found = [
        _community(graph, sorted(those, key=lambda entity: (-central[entity], entity)), central, total)
        for those in members.values()
        if len(those) >= _SMALLEST
    ]
    return sorted(found, key=lambda each: (-each.weight, each.entities))


def _community(graph: Graph, entities: list[int], central: np.ndarray, total: float) -> Community:
    counts: dict[int, float] = defaultdict(float)
    said: dict[TextPlace, float] = defaultdict(float)
    for entity in entities:
        for chunk in graph.mentioned.get(entity, ()):
            counts[chunk] += float(central[entity])
        for place in graph.said.get(entity, ()):
            said[place] += float(central[entity])
    chunks = sorted(counts, key=lambda chunk: (-counts[chunk], chunk))
    weight = float(sum(central[entity] for entity in entities)) / total
    return Community(tuple(entities), _places(graph, entities, said), tuple(chunks[:20]), weight)


def _places(graph: Graph, entities: Sequence[int], said: Mapping[TextPlace, float]) -> tuple[TextPlace, ...]:
    """The sentences that name most of the community; each further sentence counts by the entities that the others have
    not named."""
    names: dict[TextPlace, set[int]] = defaultdict(set)
    for entity in entities:
        for place in graph.said.get(entity, ()):
            names[place].add(entity)
    weights = dict(zip(entities, np.linspace(1.0, 0.1, len(entities)).tolist(), strict=True))
    waiting = sorted(said, key=lambda place: (-said[place], place.document_id, place.start))[:100]
    chosen: list[TextPlace] = []
    covered: set[int] = set()
    while waiting and len(chosen) < _SENTENCES:
        best = max(waiting, key=lambda place: sum(weights[entity] for entity in names[place] - covered))
        if best.end - best.start <= _LONGEST_PLACE:
            chosen.append(best)
            covered |= names[best]
        waiting.remove(best)
    return tuple(chosen)
