"""Spreading activation: from the best hits of a search to chunks that name the same rare things.

A question that needs two passages often names the subject of the first one but not that of the second one; the first
passage names the second subject. Each of the best hits activates the entities that it names and the question does not.
Each entity activates the chunks that name it, more strongly if the entity is rare, and if the chunk's heading names it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mainspring.rag.graph.assemble import Graph
from mainspring.rag.graph.read.graph_model import VALUES

# The number of hits from which activation starts, and the weight of activation in a chunk's score, beside 1 for its
# own score. These values were chosen on development questions of HotpotQA, MuSiQue and the sample handbook:
# docs/guides/graph.md.
SEEDS = 5
WEIGHT = 0.6
# A chunk under a heading that names the entity counts up to twice; the exponent of the entity's rarity.
_ABOUT = 1.0
_RARITY = 2.0
# The activation that an entity in the question gives to chunks that name it.
_ASKED = 0.5
# The share of a chunk's similarity to the question in its bonus.
_MEANING = 0.3
# An entity that more chunks name than this says nothing about any of the chunks.
_MOST_CHUNKS = 500


@dataclass(frozen=True, slots=True)
class ReachedChunk:
    """How a chunk was reached: ``activation`` in [0, 2], through ``entity`` from the chunk ``origin`` (None: the
    question names the entity itself)."""

    activation: float
    entity: int
    origin: int | None


def gain(how: ReachedChunk, dense: float) -> float:
    """The bonus of a reached chunk, in [0, 1]; more if its cosine to the question (``dense``) is high."""
    return min(1.0, how.activation * (1 - _MEANING + _MEANING * max(0.0, dense)))


def spread(graph: Graph, asked: Sequence[int], scores: Mapping[int, float]) -> dict[int, ReachedChunk]:
    """The chunks reached from those of ``scores`` (score by number, the best ``SEEDS`` of them count) and from the
    entities ``asked`` for, by number. Within one document nothing is gained by going on."""
    found: dict[int, ReachedChunk] = {}
    about = graph.about
    best = sorted(scores, key=lambda number: (-scores[number], number))[:SEEDS]
    named = set(asked)
    for origin in best:
        for entity in graph.entities_of.get(origin, ()):
            if entity not in named:
                _reach(graph, about, found, entity, origin, scores[origin])
    for entity in asked:
        _reach(graph, about, found, entity, None, _ASKED)
    return found


def _reach(
    graph: Graph,
    about: Mapping[tuple[int, int], float],
    found: dict[int, ReachedChunk],
    entity: int,
    origin: int | None,
    base: float,
) -> None:
    chunks = graph.mentioned[entity]
    if graph.kinds[entity] in VALUES or len(chunks) > _MOST_CHUNKS:
        return
    home = None if origin is None else graph.chunks[origin].document_id
    base *= float(graph.rarity_of_documents[entity]) ** _RARITY
    for chunk in chunks:
        if graph.chunks[chunk].document_id == home:
            continue
        activation = base * (1 + _ABOUT * about[entity, chunk])
        known = found.get(chunk)
        if known is None or activation > known.activation:
            found[chunk] = ReachedChunk(activation, entity, origin)
