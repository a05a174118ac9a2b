"""Research: for each question the sentences of documents and of pages that speak of it, with their places.

Sentences come word for word. What leans on the sentence before it, or is an item of a list, brings that along. What the
guards keep from models is left out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mainspring.core.errors import (
    DeadlineExceeded,
    InvalidRequest,
    MainspringError,
    Overloaded,
    RateLimited,
    UpstreamError,
)
from mainspring.core.types import Context, Usage
from mainspring.engines.base import Embedder
from mainspring.feature import Rooms
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.store.research import ResearchCache
from mainspring.features.content.text.article import Brief, Findings, Note, Plan, Source
from mainspring.features.content.text.readable import alone_unclear, fit
from mainspring.features.content.write.budgets import StepBudget
from mainspring.features.content.write.plan import below, of_headings
from mainspring.rag.answer.evidence.score import evidence
from mainspring.rag.answer.findings import named
from mainspring.rag.answer.verbatim import extract
from mainspring.rag.answer.verbatim.extract import Passage
from mainspring.rag.search.filters import Comparison, Compound, Filter
from mainspring.rag.search.hit import Hit
from mainspring.rag.search.search_service import SearchRequest
from mainspring.rag.search.selection import SearchOptions
from mainspring.rag.text import sentences, terms
from mainspring.rag.websearch.base import FoundPage
from mainspring.stores.documents.collections import Collection

_log = logging.getLogger(__name__)
_NOTES = 24
# Items of a list that are shown; the cosine below which a sentence is not about a question.
_ITEMS, _CLOSE = 8, 0.2
# Passages that a plan is made of, in each collection.
_PLANNED = 30
# How far before a sentence what it leans on may be, in characters.
_AROUND = 1500


@dataclass(frozen=True, slots=True)
class Scope:
    """Where research looks: ``collections``, ``documents`` of them (none: all), and the web. ``fingerprint`` stands for
    their state and for who asks."""

    collections: tuple[Collection, ...]
    documents: tuple[str, ...]
    web: bool
    domains: tuple[str, ...]
    fingerprint: str


class Researcher:
    """Researches questions for callers."""

    def __init__(self, rooms: Rooms, settings: ContentSettings, cache: ResearchCache) -> None:
        self._rooms = rooms
        self._settings = settings
        self._cache = cache

    async def scope(self, brief: Brief, context: Context) -> Scope:
        """Where the brief has research look. Raises ``NotFound`` for a collection that the caller does not see."""
        library, principal = self._rooms.library, context.principal
        trusted = frozenset(self._settings.trusted_collections if self._settings.only_trusted else ())
        if brief.collections:
            found = [await library.get(principal, name) for name in brief.collections]
            if beyond := [each.name for each in found if trusted and each.name not in trusted]:
                problem = f"{beyond[0]} is not a trusted source"
                raise InvalidRequest(problem, remedy="Name others, or none", param="collections")
        else:
            found = [each for each in await library.collections(principal) if not trusted or each.name in trusted]
        web = self._settings.web if brief.web is None else brief.web
        if web:
            library.web.check("web")
        domains = brief.domains
        state = [
            sorted((each.id, self._rooms.stores.collections.version(each), each.embedder) for each in found),
            sorted(principal.groups),
            sorted(brief.documents),
            [web, sorted(domains), self._settings.passages, self._settings.only_trusted],
        ]
        digest = hashlib.sha256(repr(state).encode()).hexdigest()
        return Scope(tuple(found), brief.documents, web, domains, digest)

    async def plan(self, brief: Brief, context: Context, budget: StepBudget) -> tuple[Plan, Usage]:
        """The plan by the headings of the sources, and what it used. Raises ``InvalidRequest`` if none speaks of the
        topic, ``DeadlineExceeded``."""
        scope = await self.scope(brief, context)
        topic = " ".join([brief.topic, *brief.keywords])
        try:
            async with budget.call(context) as (inner, spent):
                each = await asyncio.gather(
                    *(self._searched(topic, one, scope, inner, _PLANNED) for one in scope.collections)
                )
        except TimeoutError:
            raise DeadlineExceeded("the plan took longer than it may", remedy="Raise content.plan.seconds") from None
        hits = sorted((hit for found in each for hit in found), key=lambda hit: -hit.score)
        return of_headings(brief, hits), spent.usage

    async def find(self, question: str, scope: Scope, context: Context, budget: StepBudget, person: str) -> Findings:
        """What the sources say of ``question``; findings with a ``limit`` if the step's limits end it before."""
        if limit := budget.reached():
            return Findings(question, limit=limit)
        found, spent = Findings(question, limit="time"), None
        try:
            async with budget.call(context) as (inner, spent):
                found = await self._found(question, scope, inner, person)
        except TimeoutError:
            pass
        assert spent is not None
        usage = spent.usage
        return dataclasses.replace(found, tokens=usage.total_tokens, cost_nanousd=usage.cost_nanousd)

    async def _found(self, question: str, scope: Scope, context: Context, person: str) -> Findings:
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        vector = (await embedder.embed([question], "query")).vectors[0]
        kept = await self._cache.get(context.principal, scope.fingerprint, question, vector)
        if kept is not None:
            self._told(kept, context)
            return dataclasses.replace(kept, question=question, cached=True, tokens=0, cost_nanousd=0)
        each = await asyncio.gather(*(self._searched(question, one, scope, context) for one in scope.collections))
        hits = sorted((hit for found in each for hit in found), key=lambda hit: -hit.score)
        texts = {hit.document_id: await self._rooms.library.search.text(hit.text_blob) for hit in hits}
        ranked = await self._read(question, hits, texts, embedder, vector)
        likely = evidence(question, hits, ranked)
        names = {each.id: each.name for each in scope.collections}
        notes = [note for each in ranked for note in _notes(each, names, texts)]
        notes = list({(each.source.id, each.start): each for each in reversed(notes)}.values())[::-1]
        notes = [each for each in notes if _about(each, question)]
        read = await self._rooms.path.sift([each.text for each in notes], context) if notes else []
        may = [note for note, good in zip(notes, read, strict=True) if good]
        pages, refused = await self._pages(question, scope, embedder, vector, context) if scope.web else ([], 0)
        if pages:
            likely = max(likely, _likely(pages))
            may = sorted([*may, *pages], key=lambda note: -note.score)
        left_out = len(notes) - len([note for note, good in zip(notes, read, strict=True) if good]) + refused
        found = Findings(question, tuple(may[:_NOTES]), round(likely, 4), left_out=left_out)
        self._told(found, context)
        await self._cache.put(context, scope.fingerprint, found, vector, person)
        return found

    async def _read(
        self, question: str, hits: Sequence[Hit], texts: Mapping[str, str], embedder: Embedder, vector: Any
    ) -> list[Passage]:
        """The sentences of ``hits``, best first. Those below the heading that the question names are read on their own:
        else what is closest to the topic would take their place."""
        heading = question.rpartition(": ")[2] if ": " in question else ""
        own = [hit for hit in hits if below(hit.heading, heading)]
        rest = [hit for hit in hits if hit not in own]
        parts = [part for part in (own, rest) if part]
        each = [await extract.passages(question, part, hits, texts, embedder, vector) for part in parts]
        return sorted((one for part in each for one in part), key=lambda one: -one.score)

    async def _searched(
        self, question: str, collection: Collection, scope: Scope, context: Context, most: int = 0
    ) -> Sequence[Hit]:
        k = most or self._settings.passages
        wanted = SearchRequest((question,), k, _only(scope.documents), SearchOptions(), highlights=False)
        try:
            found = await self._rooms.library.search.search(context, collection.id, wanted)
        except MainspringError:
            if len(scope.collections) == 1:
                raise
            # One of several collections may be embedded by a model that is gone.
            return ()
        return [each.hit for each in found.hits]

    async def _pages(
        self, question: str, scope: Scope, embedder: Embedder, vector: Any, context: Context
    ) -> tuple[list[Note], int]:
        """The sentences of pages of the web, and how many the guards keep back. A failing endpoint finds nothing."""
        web = self._rooms.library.web
        try:
            trusted = self._settings.only_trusted
            count = self._settings.web_pages
            found = await web.search(question, count, context, domains=scope.domains, only_trusted=trusted)
        except (UpstreamError, Overloaded, RateLimited) as error:
            _log.warning("the web was not searched: %s", error.code)
            return [], 0
        notes = [note for each in found for note in web_notes(each)]
        if not notes:
            return [], 0
        rows = np.asarray((await embedder.embed([each.text for each in notes])).vectors)
        cosines = (rows @ np.asarray(vector)).tolist()
        asked = terms.content(question)
        scored = [
            dataclasses.replace(each, score=round(_score(each.text, asked, cosine), 4), cosine=round(cosine, 4))
            for each, cosine in zip(notes, cosines, strict=True)
        ]
        scored = sorted(scored, key=lambda note: -note.score)[:_NOTES]
        read = await self._rooms.path.sift([each.text for each in scored], context)
        return [note for note, good in zip(scored, read, strict=True) if good], read.count(False)

    def _told(self, found: Findings, context: Context) -> None:
        """The fact of what was read: it decides who may see the article, and the article is erased with it."""
        mine = [each.source for each in found.notes if each.source.kind == "document"]
        if mine:
            collections, documents = {each.collection_id for each in mine}, {each.id for each in mine}
            context.settlement.records.append(named(context, "content", sorted(collections), sorted(documents)))


def web_notes(page: FoundPage) -> list[Note]:
    """The sentences of an extract that may stand in an article, each with the one that it leans on."""
    source = Source("web", page.url, page.title, url=page.url, text=page.text)
    notes, before = [], None
    for one in sentences.split(page.text):
        text = page.text[one.start : one.end]
        lead, lead_start = "", -1
        if before is not None and (one.kind == "item" or alone_unclear(text)):
            lead, lead_start = page.text[before.start : before.end], before.start
        if one.showable and fit(text, one.kind, lead):
            notes.append(Note(source, text, one.start, one.end, one.kind, lead=lead, lead_start=lead_start))
        before = one if one.kind == "sentence" else before
    return notes


def _score(text: str, asked: frozenset[str], cosine: float) -> float:
    """On the scale of the sentences of documents: closeness in meaning, and the question's words."""
    return 1.5 * cosine + 0.9 * (len(asked & terms.content(text)) / len(asked) if asked else 0.0)


def _likely(notes: Sequence[Note]) -> float:
    """How likely pages speak of the question, by their closest sentence: a search engine has chosen them."""
    return min(1.0, max(each.cosine for each in notes) + 0.2)


def _only(documents: Sequence[str]) -> Filter | None:
    if not documents:
        return None
    names = tuple(documents)
    return Compound(False, (Comparison("in", "document_id", names), Comparison("in", "file_id", names)))


def _about(note: Note, question: str) -> bool:
    """Whether a note shares a word with ``question``, or is close to it without."""
    words = terms.content(f"{note.heading} {note.lead} {note.text}")
    return (bool(words & terms.content(question)) and note.cosine >= _CLOSE) or note.cosine >= 2 * _CLOSE


def _notes(passage: Passage, collections: Mapping[str, str], texts: Mapping[str, str]) -> list[Note]:
    """``passage`` as a note, an item with the other items of its list; none for what cannot stand in an article."""
    found = _note(passage, collections, texts)
    if found is None:
        return []
    if passage.kind != "item":
        return [found]
    text, shift = passage.hit.text, passage.hit.start
    units = sentences.split(text)
    at = next((at for at, one in enumerate(units) if one.start + shift == passage.start), None)
    if at is None:
        return [found]
    first, last = at, at
    while first and units[first - 1].kind == "item":
        first -= 1
    while last + 1 < len(units) and units[last + 1].kind == "item":
        last += 1
    items = [(one.start + shift, one.end + shift) for one in units[first : last + 1]]
    whole = texts[passage.hit.document_id]
    made = [dataclasses.replace(found, text=whole[start:end], start=start, end=end) for start, end in items]
    return [each for each in made if fit(each.text, "item", each.lead)][:_ITEMS]


def _note(passage: Passage, collections: Mapping[str, str], texts: Mapping[str, str]) -> Note | None:
    """``passage`` as a note; None for what cannot stand in an article."""
    text, hit = texts[passage.hit.document_id], passage.hit
    lead, lead_start = "", -1
    if passage.before and (passage.kind == "item" or alone_unclear(passage.text)):
        lead_start = text.rfind(passage.before, max(0, passage.start - _AROUND), passage.start)
        lead = passage.before if lead_start >= 0 else ""
    if not fit(passage.text, passage.kind, lead):
        return None
    source = Source(
        "document",
        hit.document_id,
        hit.source,
        collections.get(hit.collection_id, ""),
        hit.collection_id,
        hit.file_id,
        at=hit.modified_at,
    )
    return Note(
        source,
        passage.text,
        passage.start,
        passage.end,
        passage.kind,
        passage.heading,
        hit.page,
        round(float(passage.score), 4),
        round(float(passage.cosine), 4),
        lead,
        lead_start,
    )
