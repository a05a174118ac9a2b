"""Paths: how one entity is joined to another, each step with the place in a document that says so."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

from mainspring.rag.graph.assemble import Graph, GraphChunk, TextPlace
from mainspring.rag.graph.spreading_activation import ReachedChunk

MENTIONED = "is mentioned with"
MOST_STEPS = 4
# Steps through what everything names are held back by this much.
_COMMON = 2.0


@dataclass(frozen=True, slots=True)
class PathStep:
    """``subject`` -``predicate``-> ``object``, as ``place`` says; names, not numbers."""

    subject: str
    predicate: str
    object: str
    place: TextPlace


def between(graph: Graph, start: int, end: int, most: int = MOST_STEPS) -> list[PathStep]:
    """The shortest path of at most ``most`` steps; empty if there is none, or both are the same."""
    best: dict[tuple[int, int], float] = {(start, 0): 0.0}
    came: dict[tuple[int, int], tuple[int, int]] = {}
    waiting: list[tuple[float, int, int]] = [(0.0, 0, start)]
    while waiting:
        cost, steps, here = heapq.heappop(waiting)
        if here == end:
            return _steps(graph, came, (here, steps))
        if steps == most or cost > best[here, steps]:
            continue
        for other, pair in graph.neighbours.get(here, ()):
            node = (other, steps + 1)
            dear = cost + _cost(graph, other, pair, last=other == end)
            if dear < best.get(node, math.inf):
                best[node] = dear
                came[node] = (here, steps)
                heapq.heappush(waiting, (dear, steps + 1, other))
    return []


def _cost(graph: Graph, other: int, pair: int, *, last: bool) -> float:
    common = 0.0 if last else _COMMON * -math.log(max(1e-3, float(graph.rarity_of_documents[other])))
    return 1.0 - math.log(max(1e-3, float(graph.ties[pair]))) + common


def _steps(graph: Graph, came: dict[tuple[int, int], tuple[int, int]], node: tuple[int, int]) -> list[PathStep]:
    found: list[PathStep] = []
    while node in came:
        before = came[node]
        found.append(step(graph, before[0], node[0]))
        node = before
    return found[::-1]


def step(graph: Graph, one: int, other: int, within: GraphChunk | None = None) -> PathStep:
    """The statement about two entities, in the chunk ``within`` if it has one: a statement, a sentence that names both,
    or (for two unconnected ones) the chunk naming the second."""
    pair = min(one, other), max(one, other)
    stated = [each for each in graph.stated.get(pair, ()) if within is None or _inside(each.place, within)]
    if stated:
        best = min(
            stated, key=lambda each: (each.subject != one, len(each.predicate), each.predicate, each.place.start)
        )
        return PathStep(graph.names[best.subject], best.predicate, graph.names[best.object], best.place)
    places = [] if within is None else [place for place in graph.said.get(other, ()) if _inside(place, within)]
    both = [place for place in places if place in set(graph.said.get(one, ()))]
    if both:
        return PathStep(graph.names[one], MENTIONED, graph.names[other], both[0])
    if places or within is not None:
        place = places[0] if places else TextPlace(within.document_id, within.start, within.end)  # type: ignore[union-attr]
        return PathStep(graph.names[one], MENTIONED, graph.names[other], place)
    number = next(number for neighbour, number in graph.neighbours[one] if neighbour == other)
    return PathStep(graph.names[one], MENTIONED, graph.names[other], graph.seen[number])


def reached(graph: Graph, asked: Sequence[int], chunk: int, how: ReachedChunk) -> list[PathStep]:
    """The path to the chunk: from the question's entity, or the first chunk's subject, to the entity that both chunks
    name, and on to the second chunk's statement about it."""
    there = graph.chunks[chunk]
    bridge = how.entity
    steps: list[PathStep] = []
    if how.origin is not None:
        here = graph.chunks[how.origin]
        inside = [entity for entity in asked if entity in set(graph.entities_of.get(how.origin, ()))]
        first = _nearest(graph, inside, bridge, here)
        if first is None:
            first = _subject(graph, how.origin, bridge)
        if first is not None:
            steps.append(step(graph, first, bridge, here))
    said = [
        each for each in graph.by_subject.get(bridge, ()) if _inside(each.place, there) and each.object not in asked
    ]
    if said:
        best = min(said, key=lambda each: (each.place.start, each.predicate))
        steps.append(PathStep(graph.names[bridge], best.predicate, graph.names[best.object], best.place))
        return steps
    other = _subject(graph, chunk, bridge)
    steps.append(step(graph, bridge, bridge if other is None else other, there))
    return steps


def _nearest(graph: Graph, inside: Sequence[int], bridge: int, within: GraphChunk) -> int | None:
    """The entity that a statement of the chunk connects with the bridge, or else the rarest one."""
    others = [entity for entity in inside if entity != bridge]
    for entity in others:
        pair = min(entity, bridge), max(entity, bridge)
        if any(_inside(each.place, within) for each in graph.stated.get(pair, ())):
            return entity
    return max(others, key=lambda entity: (float(graph.rarity[entity]), -entity), default=None)


def _subject(graph: Graph, chunk: int, but: int) -> int | None:
    """The chunk's subject, judged by headings and mentions."""
    others = [entity for entity in graph.entities_of.get(chunk, ()) if entity != but]
    return max(
        others, key=lambda entity: (graph.about[entity, chunk], float(graph.rarity[entity]), -entity), default=None
    )


def _inside(place: TextPlace, chunk: GraphChunk) -> bool:
    return place.document_id == chunk.document_id and chunk.start <= place.start and place.end <= chunk.end
