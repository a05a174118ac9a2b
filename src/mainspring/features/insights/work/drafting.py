"""Drafts of a FAQ: frequent questions with the answers that were given, cited and unopposed.

No draft is made of fewer than ``anonymity`` conversations. A question is taken only in words that as many conversations
used, and personal data is taken out of both. A person decides about each.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mainspring.core.errors import Conflict
from mainspring.core.types import Context, Principal
from mainspring.feature import Rooms
from mainspring.features.insights.analysis import clusters, naming
from mainspring.features.insights.analysis.naming import Spoken
from mainspring.features.insights.settings import InsightsSettings
from mainspring.features.insights.store.faqs import Entry, Faqs, NewEntry
from mainspring.features.insights.store.reading import spoken
from mainspring.features.insights.store.samples import Sample, Samples
from mainspring.features.insights.store.views import Period
from mainspring.guards.detect import pii
from mainspring.stores.documents.collections import Collection, Document

MOST = 4000
SAME = 0.6
_KNOWN = 0.8
"""The cosine from which an entry has the question already."""
_MOST_CHARACTERS = 2000
FILE = "faq.md"
_MADE_BY = {"made_by": "insights"}


class Drafting:
    """Makes drafts, and hands on what was approved."""

    def __init__(self, rooms: Rooms, settings: InsightsSettings) -> None:
        self._rooms = rooms
        self._settings = settings
        self._samples = Samples(rooms.stores.database, MOST)
        self.entries = Faqs(rooms.stores.database)

    async def draft(self, context: Context, period: Period, limit: int) -> int:
        """Write drafts of the questions that no entry has yet, at most ``limit``, the most frequent first; how many."""
        embedder, principal = self._rooms.engines.embedder, context.principal
        sample = await self._samples.good(principal, period, embedder.name, embedder.dimensions)
        new: list[NewEntry] = []
        known = await self._known(context)
        for space in sorted({row.space for row in sample.rows}):
            places = np.array([place for place, row in enumerate(sample.rows) if row.space == space])
            mine = Sample([sample.rows[int(each)] for each in places], sample.vectors[places])
            new += await self._of_space(principal, mine, known.get(space))
        new.sort(key=lambda each: -each.conversations)
        return await self.entries.add(principal.tenant, new[:limit])

    async def publish(self, context: Context, name: str) -> int:
        """Put the approved entries into a collection as one document, in the place of the former one; how many. Raises
        ``NotFound``, and ``Conflict`` if readers of the collection may not see an entry."""
        principal, library = context.principal, self._rooms.library
        collection = await library.get(principal, name)
        entries = await self.entries.all(principal, "approved")
        if any(not readable(each, collection) for each in entries):
            raise Conflict(
                f"readers of {collection.name} may not see what some entries are made of",
                remedy="Choose a collection for the groups of these conversations",
                param="collection",
            )
        old = [each for each in await library.documents(principal, collection.id) if _made_here(each)]
        if entries:
            data = markdown(entries).encode()
            files = self._rooms.stores.files
            file = await files.add(principal.tenant, FILE, data, "assistants", frozenset(collection.groups))
            await library.attach(principal, collection.id, file.id, attributes=dict(_MADE_BY))
        for each in old:
            if each.file_id is not None:
                await library.delete_file(principal, each.file_id)
        return len(entries)

    async def _known(self, context: Context) -> Mapping[str, np.ndarray]:
        """The vectors of the questions that there are, by space; rejected ones too, so that they do not come back."""
        by_space: dict[str, list[str]] = {}
        for each in await self.entries.all(context.principal):
            by_space.setdefault(each.space, []).append(each.question)
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        return {space: (await embedder.embed(each, "query")).vectors for space, each in by_space.items()}

    async def _of_space(self, principal: Principal, sample: Sample, known: np.ndarray | None) -> list[NewEntry]:
        contents = await self._contents(principal.tenant, [row.content_id for row in sample.rows])
        return await asyncio.to_thread(_entries, sample, contents, known, self._settings)

    async def _contents(self, tenant: str, digests: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for start in range(0, len(digests), 500):
            found |= await self._rooms.stores.events.texts(tenant, digests[start : start + 500])
        return found


def scrubbed(text: str) -> str:
    """``text`` without personal data."""
    return pii.redact(text)[0]


def readable(entry: Entry, collection: Collection) -> bool:
    """Whether everybody who may read the collection had all groups of the entry's askers."""
    if not entry.groups:
        return True
    return bool(collection.groups) and all(entry.groups <= {group} for group in collection.groups)


def markdown(entries: Sequence[Entry]) -> str:
    """The entries as a page, with their sources."""
    lines = ["# Frequently asked questions", ""]
    for each in entries:
        lines += [f"## {' '.join(each.question.split())}", "", each.answer.strip(), ""]
        sources = dict.fromkeys(str(citation.get("source") or "") for citation in each.citations)
        if named := [source for source in sources if source]:
            lines += [f"Sources: {', '.join(named)}", ""]
    return "\n".join(lines)


def _entries(
    sample: Sample, contents: Mapping[str, str], known: np.ndarray | None, settings: InsightsSettings
) -> list[NewEntry]:
    """Drafts of a sample, whose turns have these ``contents``; runs in a thread. ``known`` are the vectors of the
    questions that there are."""
    least = settings.anonymity
    found = clusters.found(sample.vectors, max(settings.similarity, SAME), least)
    said = [spoken(contents.get(row.content_id, "")) for row in sample.rows]
    usage = naming.usage([Spoken(text, row.conversation) for (text, _), row in zip(said, sample.rows, strict=True)])
    new = []
    for label, centroid in enumerate(found.centroids):
        places = np.flatnonzero(found.labels == label)
        of = {sample.rows[int(each)].conversation for each in places}
        if len(of) < least or (known is not None and float((known @ centroid).max()) >= _KNOWN):
            continue
        ordered = places[np.argsort(-(sample.vectors[places] @ centroid), kind="stable")]
        liked = [int(each) for each in ordered if sample.rows[int(each)].rating == "up"]
        for place in dict.fromkeys([*liked, *(int(each) for each in ordered)]):
            row, (question, answer) = sample.rows[place], said[place]
            citations = _citations(contents.get(row.content_id, ""))
            if _usable(question, answer, usage, least) and citations:
                others = [sample.rows[int(each)].id for each in ordered if int(each) != place][:20]
                of_all = [row.id, *others]
                new.append(NewEntry(row.space, row.groups, row.topic, question, answer, citations, of_all, len(of)))
                break
    return new


def _usable(question: str, answer: str, usage: Mapping[str, int], least: int) -> bool:
    if not question or not answer or len(answer) > _MOST_CHARACTERS or len(question) > 300:
        return False
    return not (pii.find(question) or pii.find(answer) or naming.rare(question, usage, least))


def _citations(content: str) -> list[dict[str, Any]]:
    """Where the answer stands: documents and places, without other fields."""
    try:
        found = json.loads(content).get("citations") or ()
    except (ValueError, AttributeError):
        return []
    names = ("index", "document_id", "source", "quote", "start", "end", "page")
    return [{name: each[name] for name in names if name in each} for each in found if isinstance(each, dict)]


def _made_here(document: Document) -> bool:
    return document.about.attributes.get("made_by") == "insights"
