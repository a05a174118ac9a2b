"""Notebooks: chosen documents, and what is asked of these alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mainspring.core.errors import InvalidRequest, NotFound
from mainspring.core.path import Answer, collect
from mainspring.core.settings.audio import AudioSettings
from mainspring.core.types import ChatRequest, Context, Message, Principal
from mainspring.engines.audio.base import VOICE, Voice
from mainspring.feature import Rooms
from mainspring.features.content.notebook import reading, spoken
from mainspring.features.content.notebook.studies import Study, StudyKind, study
from mainspring.features.content.settings import ContentSettings
from mainspring.features.content.store.notebooks import Notebook, NotebookStore, Place, Recording
from mainspring.features.content.text.article import Source
from mainspring.stores.documents.catalogue import Document

MOST_DOCUMENTS = 50
_ANSWERS = "document-qa"


@dataclass(frozen=True, slots=True)
class OpenedNotebook:
    """A notebook with the documents that the caller still sees; ``gone`` counts the others."""

    notebook: Notebook
    documents: tuple[tuple[str, Document], ...]
    gone: int


class Notebooks:
    """The notebooks of all tenants."""

    def __init__(self, rooms: Rooms, settings: ContentSettings) -> None:
        self._rooms = rooms
        self._settings = settings
        self.store = NotebookStore(
            rooms.stores.database, rooms.stores.quotas, settings.max_notebooks, settings.max_recordings
        )
        self._voice: Voice | None = None

    async def create(self, context: Context, name: str, collection: str, documents: Sequence[str]) -> OpenedNotebook:
        """A notebook of ``documents`` (by file or document id) of a collection; of all of it if none are named. Raises
        ``NotFound``, ``InvalidRequest``, ``QuotaExceeded``."""
        places = await self._places(context.principal, collection, documents)
        made = await self.store.create(context.principal, name, places)
        return await self.open(context.principal, made.id)

    async def update(
        self, context: Context, notebook_id: str, name: str | None, collection: str, documents: Sequence[str]
    ) -> OpenedNotebook:
        """Rename it, or choose other documents. Raises as ``create`` does."""
        places = await self._places(context.principal, collection, documents) if collection else None
        await self.store.update(context.principal, notebook_id, name, places)
        return await self.open(context.principal, notebook_id)

    async def open(self, principal: Principal, notebook_id: str) -> OpenedNotebook:
        """Raises ``NotFound``."""
        found = await self.store.get(principal, notebook_id)
        seen = [(place[0], each) for place in found.documents if (each := await self._document(principal, place))]
        return OpenedNotebook(found, tuple(seen), len(found.documents) - len(seen))

    async def ask(self, context: Context, notebook_id: str, question: str, mode: str, user: str) -> Answer:
        """The answer of the notebook's documents alone, with citations. Raises ``NotFound``, and what ``document-qa``
        raises."""
        opened = await self._filled(context.principal, notebook_id)
        names = sorted({collection for collection, _ in opened.documents})
        only = {"document_id": [each.document_id for _, each in opened.documents]}
        options = {"collections": names, "filters": only, "mode": mode}
        request = ChatRequest(_ANSWERS, (Message("user", question),), options=options, user=user or None)
        return await collect(await self._rooms.responder.respond(request, context))

    async def study(self, context: Context, notebook_id: str, kind: StudyKind, documents: Sequence[str]) -> Study:
        """A study of the notebook's documents, or of some of them. Raises ``NotFound``, ``InvalidRequest``."""
        opened = await self._filled(context.principal, notebook_id)
        named = set(documents)
        kept = [
            (collection, each)
            for collection, each in opened.documents
            if not named or {each.document_id, each.file_id} & named
        ]
        if kind == "comparison" and len(kept) != 2:
            problem = f"a comparison needs two documents, not {len(kept)}"
            raise InvalidRequest(problem, remedy="Name two documents of the notebook", param="documents")
        if not kept:
            raise NotFound("the notebook has none of these documents", param="documents")
        embedder = self._rooms.path.charged.embedder(self._rooms.engines.embedder, context)
        names = {each.id: each.name for each in await self._rooms.library.collections(context.principal)}
        readings, share, cut = [], reading.MOST_CHARACTERS // len(kept), 0
        for collection, each in kept:
            source = Source(
                "document",
                each.document_id,
                each.name,
                names.get(collection, ""),
                collection,
                each.file_id,
                at=each.modified_at or 0.0,
            )
            text = await self._rooms.library.search.text(each.text_blob)
            begun = reading.beginning(text, share)
            cut += len(begun) < len(text)
            readings.append(await reading.read(source, begun, embedder))
        found = await asyncio.to_thread(study, kind, readings)
        lines = [line.text for part in found.parts for line in part.lines]
        may = iter(await self._rooms.path.sift(lines, context) if lines else ())
        parts = [replace(part, lines=tuple(line for line in part.lines if next(may))) for part in found.parts]
        await self._settle(context)
        left_out = len(lines) - sum(len(part.lines) for part in parts)
        said = [f"{left_out} sentences look like instructions to models and were left out."] if left_out else []
        if cut:
            said.append(f"Of {cut} of {len(kept)} documents only the first {share} characters were read.")
        kept_parts = tuple(part for part in parts if part.lines)
        return replace(found, parts=kept_parts, remarks=(*found.remarks, *said))

    async def record(self, context: Context, notebook_id: str, kind: StudyKind, voices: Sequence[str]) -> Recording:
        """A spoken study, kept with the notebook. Raises ``InvalidRequest`` for a voice that there is not,
        ``MissingExtra``, ``QuotaExceeded``."""
        await self.store.check_room(context.principal.tenant)
        found = await self.study(context, notebook_id, kind, ())
        if not found.parts:
            raise InvalidRequest("there is nothing to say about these documents", param="kind")
        notebook = await self.store.get(context.principal, notebook_id)
        pair = list(voices) or [spoken.HOST, spoken.GUEST]
        lines = spoken.script(notebook.name, found, self._settings.spoken_characters, pair)
        async with self._rooms.path.charge(context, 0):
            data = await spoken.spoken(self._speaker(), lines)
        return await self.store.record(context.principal, notebook, lines, data)

    async def recording(self, principal: Principal, notebook_id: str, recording_id: str) -> Recording:
        """A spoken study; one whose documents are not all there any more is deleted. Raises ``NotFound``."""
        found = await self.store.recording(principal, recording_id)
        if found.notebook_id != notebook_id:
            raise NotFound(f"the notebook has no recording {recording_id!r}", param="recording_id")
        for place in found.documents:
            if await self._document(principal, place) is None:
                await self.store.drop_recording(principal, recording_id)
                raise NotFound(
                    f"a document of {recording_id} was deleted, so the recording was deleted too", param="recording_id"
                )
        return found

    def _speaker(self) -> Voice:
        if self._voice is None:
            settings = self._rooms.settings
            audio = settings.section(AudioSettings)
            self._voice = self._rooms.engines.plugins.make(VOICE, audio.voice, settings, audio)
        return self._voice

    async def _filled(self, principal: Principal, notebook_id: str) -> OpenedNotebook:
        opened = await self.open(principal, notebook_id)
        if not opened.documents:
            raise NotFound(f"the documents of {notebook_id} are gone", param="notebook_id")
        return opened

    async def _places(self, principal: Principal, collection: str, documents: Sequence[str]) -> list[Place]:
        store = await self._rooms.library.get(principal, collection)
        if documents:
            found = [await self._rooms.library.document(principal, store.id, name) for name in documents]
        else:
            found = await self._rooms.library.documents(principal, store.id)
        if not 1 <= len(found) <= MOST_DOCUMENTS:
            raise InvalidRequest(f"a notebook has 1 to {MOST_DOCUMENTS} documents, not {len(found)}", param="documents")
        return list(dict.fromkeys((store.id, each.document_id) for each in found))

    async def _document(self, principal: Principal, place: Place) -> Document | None:
        """The document if the caller sees it and it was read."""
        try:
            found = await self._rooms.library.document(principal, *place)
        except NotFound:
            return None
        return found if found.text_blob and found.screening != "quarantined" else None

    async def _settle(self, context: Context) -> None:
        """Write down what was embedded outside of the request ring."""
        records = context.settlement.records
        if records:
            waiting = list(records)
            records.clear()
            await self._rooms.stores.events.append(*waiting)
