"""The graphs of collections as a caller may see them: loads, joins, caches and searches them.

Cached data depends on the exact documents and generations that a search for the same groups would read, so a removed,
replaced or closed document is in no graph, path or theme from the next question on.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cachetools import LRUCache

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.types import Context
from mainspring.engines.base import Embedder
from mainspring.rag.graph import communities, entity_linking, paths, spreading_activation
from mainspring.rag.graph.assemble import Graph, GraphChunk, TextPlace, assemble
from mainspring.rag.graph.read.graph_model import DocumentGraph
from mainspring.rag.graph.results import CitedStep, GraphResult, Path, Theme
from mainspring.rag.search import filters as filtering
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.retrieve import Filters, Retriever
from mainspring.rag.search.scope import Groups, Scope
from mainspring.rag.search.selection import GraphMode
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.stores.documents.collections import Collection
from mainspring.stores.documents.graphs import Graphs as GraphStore
from mainspring.stores.vectors.base import CurrentGenerations

# Mentions that are kept in memory: of single documents, and of joined graphs.
_PART_MENTIONS = 4_000_000
_GRAPH_MENTIONS = 4_000_000
# Chunks of other documents that one search brings in.
_MOST_REACHED = 50
# The number of paths shown, and of hits that they may lead to: those that the graph lifted among the first ones.
_MOST_PATHS = 5
_LOOKED_AT = 10


@dataclass(frozen=True, slots=True)
class JoinedGraph:
    """The graph of the visible part of some collections; ``homes`` and ``generations`` are those of each document."""

    graph: Graph
    homes: dict[str, Collection]
    generations: dict[str, int]
    currents: tuple[CurrentGenerations, ...]
    themes: list[communities.Community] | None = None


class Graphs:
    """Graph search over what ``retriever`` searches."""

    def __init__(self, store: GraphStore, retriever: Retriever) -> None:
        self._store = store
        self._retriever = retriever
        self._parts: LRUCache[tuple[str, str, str], DocumentGraph] = LRUCache(
            _PART_MENTIONS, getsizeof=lambda part: len(part.mentions) + 1
        )
        self._joined: LRUCache[Any, JoinedGraph] = LRUCache(
            _GRAPH_MENTIONS, getsizeof=lambda joined: len(joined.graph.of) + 1
        )
        self._joining = asyncio.Lock()
        self._read_by: Callable[[Embedder], Embedder] = retriever.reading

    def charged(self, context: Context, charged: ChargedModels) -> Graphs:
        """These graphs with the shared caches; embedding is charged to ``context``."""
        bound = copy.copy(self)
        bound._read_by = lambda embedder: self._retriever.reading(embedder, context, charged)
        return bound

    async def of(
        self, within: Collection | Sequence[Collection], groups: Groups, filters: Filters | None = None
    ) -> JoinedGraph:
        """The graph of the documents that ``groups`` may see and a filter keeps, over all collections."""
        chosen = [within] if isinstance(within, Collection) else list(within)
        tree = filtering.parse(filters)
        scopes = [await self._retriever.scopes.of(collection, groups, tree) for collection in chosen]
        versions = [self._retriever.scopes.version(collection) for collection in chosen]
        key = tuple(
            (scope.collection.tenant, scope.collection.id, version, id(scope.current))
            for scope, version in zip(scopes, versions, strict=True)
        )
        async with self._joining:
            joined = self._joined.get(key)
            # Equal addresses say nothing of a mapping that is gone.
            same = joined is not None and all(a is b.current for a, b in zip(joined.currents, scopes, strict=True))
            if joined is None or not same:
                parts: dict[str, DocumentGraph] = {}
                homes: dict[str, Collection] = {}
                generations: dict[str, int] = {}
                for scope in scopes:
                    found = await self._load(scope)
                    parts.update(found)
                    homes.update(dict.fromkeys(found, scope.collection))
                    generations.update({name: scope.current[name] for name in found})
                joined = JoinedGraph(
                    await asyncio.to_thread(assemble, parts), homes, generations, tuple(each.current for each in scopes)
                )
                self._keep(key, joined)
        return joined

    async def find(
        self,
        mode: GraphMode,
        within: Collection | Sequence[Collection],
        question: str,
        hits: Sequence[Hit],
        k: int,
        *,
        groups: Groups,
        filters: Filters | None = None,
    ) -> GraphResult:
        """``local`` or ``globally``, depending on ``mode``; the unchanged hits if the mode is off."""
        if mode == "off":
            return GraphResult(list(hits))
        if mode == "local":
            return await self.local(within, question, hits, groups=groups, filters=filters)
        return await self.globally(within, question, hits, k, groups=groups, filters=filters)

    async def local(
        self,
        within: Collection | Sequence[Collection],
        question: str,
        hits: Sequence[Hit],
        *,
        groups: Groups,
        filters: Filters | None = None,
    ) -> GraphResult:
        """``hits`` (best first) together with the chunks that the graph reaches from them, in a new order; scores stay
        in [0, 1]."""
        joined = await self.of(within, groups, filters)
        graph = joined.graph
        numbers = graph.numbers
        scores = {numbers[_id(hit)]: hit.score for hit in hits if _id(hit) in numbers}
        asked = entity_linking.linked(graph, question)
        found = await asyncio.to_thread(spreading_activation.spread, graph, asked, scores)
        known = {_id(hit): hit for hit in hits}
        new = await self._fetched(joined, found, known, groups, question)
        merged = []
        for hit in [*hits, *new]:
            how = found.get(numbers.get(_id(hit), -1))
            gained = 0.0 if how is None else spreading_activation.gain(how, hit.dense_score)
            merged.append(
                replace(
                    hit, score=(hit.score + spreading_activation.WEIGHT * gained) / (1 + spreading_activation.WEIGHT)
                )
            )
        merged.sort(key=lambda hit: (-hit.score, hit.chunk_id))
        before = {_id(hit): place for place, hit in enumerate(hits)}
        lifted = [hit for place, hit in enumerate(merged[:_LOOKED_AT]) if place < before.get(_id(hit), len(merged))]
        return GraphResult(merged, await self._paths_to(joined, asked, lifted, found, groups))

    async def path(
        self, within: Collection | Sequence[Collection], start: str, end: str, *, groups: Groups, most: int = 4
    ) -> Path:
        """How the entity called ``start`` is joined to the one called ``end``. Raises ``NotFound`` for a name that no
        document has, or if no path of that many steps connects the two."""
        joined = await self.of(within, groups)
        ends = [self._entity(joined.graph, name, field) for name, field in ((start, "start"), (end, "end"))]
        steps = await asyncio.to_thread(paths.between, joined.graph, ends[0], ends[1], most)
        if not steps:
            raise NotFound(f"no path of {most} steps leads from {start} to {end}", param="end")
        return Path(await self._cited(joined, steps, groups))

    async def around(
        self, within: Collection | Sequence[Collection], name: str, k: int, *, groups: Groups
    ) -> tuple[str, list[CitedStep]]:
        """The entity called ``name`` in its most frequent spelling, and the statements about it and its ``k``
        nearest."""
        from mainspring.rag.graph.pagerank import nearest

        joined = await self.of(within, groups)
        entity = self._entity(joined.graph, name, "name")
        others = await asyncio.to_thread(nearest, joined.graph, entity, k)
        steps = [paths.step(joined.graph, entity, other) for other in others]
        return joined.graph.names[entity], list(await self._cited(joined, steps, groups))

    async def themes(
        self,
        within: Collection | Sequence[Collection],
        k: int,
        *,
        groups: Groups,
        filters: Filters | None = None,
        question: str = "",
    ) -> tuple[JoinedGraph, list[tuple[communities.Community, Theme]]]:
        """The ``k`` weightiest communities in words, or with a ``question`` those that say most about it."""
        joined = await self.of(within, groups, filters)
        found = joined.themes
        if found is None:
            found = await asyncio.to_thread(communities.communities, joined.graph)
            self._remember(joined, found)
        return joined, await self._worded(joined, found[: max(k, _MOST_REACHED)], k, question, groups)

    async def globally(
        self,
        within: Collection | Sequence[Collection],
        question: str,
        hits: Sequence[Hit],
        k: int,
        *,
        groups: Groups,
        filters: Filters | None = None,
    ) -> GraphResult:
        """The themes that say most about ``question``, with the most informative chunk of each as a hit, before the
        ``hits`` of the plain search."""
        joined, found = await self.themes(within, k, groups=groups, filters=filters, question=question)
        graph = joined.graph
        wanted = [
            (graph.chunks[number], theme)
            for community, theme in found
            if (number := _holding(graph, community)) is not None
        ]
        chunks = {chunk.chunk_id: theme for chunk, theme in reversed(wanted)}
        new = await self._read(joined, [chunk for chunk, _ in wanted], groups, question)
        lead = [replace(hit, score=0.5 + 0.5 * chunks[hit.chunk_id].score) for hit in new]
        lead.sort(key=lambda hit: (-hit.score, hit.chunk_id))
        taken = {_id(hit) for hit in lead}
        rest = [replace(hit, score=hit.score / 2) for hit in hits if _id(hit) not in taken]
        return GraphResult([*lead, *rest], themes=tuple(theme for _, theme in found))

    # --- inside ---------------------------------------------------------------------------------------------------

    async def _load(self, scope: Scope) -> dict[str, DocumentGraph]:
        """The graphs of the scope's documents; cached ones are not read again."""
        collection = scope.collection
        marks = await self._store.marks(collection)
        found: dict[str, DocumentGraph] = {}
        wanted: dict[str, int] = {}
        for document_id, generation in scope.current.items():
            made, mark = marks.get(document_id, (0, ""))
            known = self._parts.get((collection.id, document_id, mark))
            if made == generation and known is not None:
                found[document_id] = known
            elif made == generation:
                wanted[document_id] = generation
        texts = await self._store.read(collection, wanted)
        read = await asyncio.to_thread(lambda: {name: DocumentGraph.load(text) for name, text in texts.items()})
        for document_id, part in read.items():
            if len(part.mentions) < _PART_MENTIONS // 4:
                self._parts[collection.id, document_id, marks[document_id][1]] = part
        return found | read

    def _keep(self, key: Any, joined: JoinedGraph) -> None:
        if len(joined.graph.of) < _GRAPH_MENTIONS:
            self._joined[key] = joined

    def _remember(self, joined: JoinedGraph, found: list[communities.Community]) -> None:
        for key, known in list(self._joined.items()):
            if known is joined:
                self._joined[key] = replace(joined, themes=found)

    def _entity(self, graph: Graph, name: str, param: str) -> int:
        if not name.strip():
            raise InvalidRequest(f"{param} is empty", param=param)
        found = entity_linking.entity(graph, name)
        if found is None:
            raise NotFound(
                f"no document names {name!r}", remedy="`mainspring rag graph show` lists the names", param=param
            )
        return found

    async def _fetched(
        self,
        joined: JoinedGraph,
        found: dict[int, spreading_activation.ReachedChunk],
        known: dict[tuple[str, str], Hit],
        groups: Groups,
        question: str,
    ) -> list[Hit]:
        """The most active of the chunks that the search itself did not find."""
        graph = joined.graph
        fresh = [
            number for number in found if (graph.chunks[number].document_id, graph.chunks[number].chunk_id) not in known
        ]
        fresh.sort(key=lambda number: (-found[number].activation, number))
        return await self._read(joined, [graph.chunks[number] for number in fresh[:_MOST_REACHED]], groups, question)

    async def _read(
        self, joined: JoinedGraph, chunks: Sequence[GraphChunk], groups: Groups, question: str
    ) -> list[Hit]:
        wanted: dict[str, dict[str, set[str]]] = {}
        homes = {home.id: home for home in joined.homes.values()}
        for chunk in chunks:
            home = joined.homes[chunk.document_id]
            wanted.setdefault(home.id, {}).setdefault(chunk.document_id, set()).add(chunk.chunk_id)
        found = await asyncio.gather(
            *(
                self._retriever.chunks(homes[name], part, question, groups=groups, read_by=self._read_by)
                for name, part in wanted.items()
            )
        )
        return [hit for part in found for hit in part]

    async def _paths_to(
        self,
        joined: JoinedGraph,
        asked: Sequence[int],
        hits: Sequence[Hit],
        found: dict[int, spreading_activation.ReachedChunk],
        groups: Groups,
    ) -> tuple[Path, ...]:
        made = []
        for hit in hits:
            number = joined.graph.numbers.get(_id(hit), -1)
            how = found.get(number)
            if how is None or how.origin is None:
                continue
            steps = paths.reached(joined.graph, asked, number, how)
            cited = await self._cited(joined, steps, groups)
            if len(cited) > 1:
                made.append(Path(cited, hit.document_id, hit.chunk_id))
        return tuple(made[:_MOST_PATHS])

    async def _cited(
        self, joined: JoinedGraph, steps: Sequence[paths.PathStep], groups: Groups
    ) -> tuple[CitedStep, ...]:
        """The steps with their quotes; none if one of their documents was replaced, removed or closed in the
        meantime."""
        quotes = await self._quotes(joined, [step.place for step in steps], groups)
        found = [(step, quotes[step.place]) for step in steps if step.place in quotes]
        if len(found) < len(steps):
            return ()
        return tuple(
            replace(quote, subject=step.subject, predicate=step.predicate, object=step.object) for step, quote in found
        )

    async def _quotes(
        self, joined: JoinedGraph, places: Sequence[TextPlace], groups: Groups
    ) -> dict[TextPlace, CitedStep]:
        """The words of each place whose document is unchanged since the graph was built, and visible."""
        found: dict[TextPlace, CitedStep] = {}
        for home in {joined.homes[place.document_id].id: joined.homes[place.document_id] for place in places}.values():
            mine = [place for place in places if joined.homes[place.document_id].id == home.id]
            documents = await self._retriever.scopes.named(home, {place.document_id for place in mine}, groups)
            for place in mine:
                document = documents.get(place.document_id)
                if document is None or document.generation != joined.generations[place.document_id]:
                    continue
                try:
                    text = await self._retriever.text(document.text_blob)
                except NotFound:
                    continue
                quote = text[place.start : place.end]
                found[place] = CitedStep("", "", "", place.document_id, document.name, quote, place.start, place.end)
        return found

    async def _worded(
        self,
        joined: JoinedGraph,
        found: Sequence[communities.Community],
        k: int,
        question: str,
        groups: Groups,
    ) -> list[tuple[communities.Community, Theme]]:
        graph = joined.graph
        chosen = list(found if question else found[:k])
        quotes = await self._quotes(joined, [place for each in chosen for place in each.places], groups)
        made = []
        for each in chosen:
            sentences = [quotes[place] for place in each.places if place in quotes]
            names = tuple(graph.names[entity] for entity in each.entities[:8])
            made.append((each, Theme(names, tuple(sentences), each.weight, len(each.entities))))
        if not made:
            return []
        most = max(community.weight for community, _ in made)
        likeness = [0.0] * len(made)
        if question:
            embedder = self._read_by(self._retriever.embedder)
            vector = (await embedder.embed([question], "query")).vectors[0]
            texts = [
                " ".join([", ".join(theme.entities), *(one.quote for one in theme.sentences)]) for _, theme in made
            ]
            vectors = (await embedder.embed(texts)).vectors
            likeness = [max(0.0, float(row @ vector)) for row in vectors]
        scored = [
            (community, replace(theme, score=round(0.5 * community.weight / most + 0.5 * like, 6)))
            for (community, theme), like in zip(made, likeness, strict=True)
        ]
        return sorted(scored, key=lambda pair: (-pair[1].score, pair[0].entities))[:k]


def _id(hit: Hit) -> tuple[str, str]:
    return hit.document_id, hit.chunk_id


def _holding(graph: Graph, community: communities.Community) -> int | None:
    """The community's chunk that holds its first sentence, or else its most telling chunk."""
    for place in community.places[:1]:
        for number in community.chunks:
            chunk = graph.chunks[number]
            if chunk.document_id == place.document_id and chunk.start <= place.start and place.end <= chunk.end:
                return number
    return community.chunks[0] if community.chunks else None
