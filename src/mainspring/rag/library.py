"""The library: a tenant's collections, their contents, and the background work that fills them.

Attaching a file is durable at once (an ``in_progress`` document row); the ingesting itself runs in the background
(``intake``) and is taken up again after a restart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from mainspring.core.errors import Conflict, Forbidden, NotFound
from mainspring.core.settings.rag import WebSearchSettings
from mainspring.core.types import Principal
from mainspring.rag.answer import small_talk
from mainspring.rag.answer.passage_view import PassageView, opened
from mainspring.rag.answer.responder import DocumentAnswerer
from mainspring.rag.answer.variation import SETTINGS, Variation
from mainspring.rag.attaching import Attacher, Attachment
from mainspring.rag.connect.registry import Spec
from mainspring.rag.connect.running_syncs import Sync, Syncs
from mainspring.rag.connect.sync import Syncer
from mainspring.rag.expiry import Expiry
from mainspring.rag.graph.read.reader import BuildReport, GraphBuilder
from mainspring.rag.ingest.forget import Forgetter
from mainspring.rag.ingest.intake import Intake
from mainspring.rag.ingest.pipeline import Ingestor, IngestReport, Progress
from mainspring.rag.ingest.screening import Screener
from mainspring.rag.originals import Originals
from mainspring.rag.parse.parsed import PagePicture
from mainspring.rag.removing import Remover
from mainspring.rag.search.search_service import Search
from mainspring.rag.websearch.search import WebSearch
from mainspring.serving.ring.registry import Served
from mainspring.stores import Stores
from mainspring.stores.documents.catalogue import Attributes, Status
from mainspring.stores.documents.collections import Collection, Document, DocumentCounts
from mainspring.stores.documents.sources import SourceRow
from mainspring.stores.events.audit_log import LOCAL, Actor
from mainspring.stores.sql.pages import Page, Slice
from mainspring.stores.vectors.base import ChunkRow


class AnswererFactory(Protocol):
    """Makes the answerer of a collection."""

    def __call__(self, collection: Collection | None, variation: Variation = SETTINGS) -> DocumentAnswerer: ...


class Library:
    """Collections as services: made, filled, searched, and served as models under their names."""

    def __init__(
        self,
        stores: Stores,
        ingestor: Ingestor,
        syncer: Syncer,
        search: Search,
        answering: AnswererFactory,
        forgetter: Forgetter | None = None,
        web: WebSearch | None = None,
    ) -> None:
        self.web = web or WebSearch(WebSearchSettings())
        self._collections = stores.collections
        self._files = stores.files
        self._vectors = stores.vectors
        self.forgetter = forgetter or Forgetter(stores, again_s=0)
        self._ingestor = ingestor
        self._syncer = syncer
        self.search = search
        self.answering = answering
        self._embedder_name = search.embedder.name
        # Builds graphs of documents without one; the room's ``open`` sets it.
        self.graphs: GraphBuilder | None = None
        self.screener: Screener | None = None
        self.originals: Originals | None = None
        self.syncs = Syncs(syncer, stores.jobs, stores.collections)
        # Has answers written by the best of the current chat models.
        self.rewire: Callable[[], None] = lambda: None
        self.intake = Intake(stores, ingestor)
        self.attaching = Attacher(stores, self.intake)
        self.removing = Remover(stores, self.intake, self.forgetter)
        self.expiry = Expiry(stores, self.removing)
        self.sizes = ingestor.sizes

    async def start(self) -> None:
        """Begin the background work, with what an earlier process left undone."""
        await self.forgetter.start()
        self.intake.start()
        self.syncs.start()
        self.expiry.start()

    async def close(self) -> None:
        """Stop the background work; files being read stay ``in_progress`` and are resumed at the next start."""
        await self.web.aclose()
        await self.expiry.close()
        await self.syncs.close()
        await self.intake.close()
        await self._ingestor.close()
        await self.forgetter.close()
        if self.originals is not None:
            await self.originals.close()

    async def create(
        self,
        principal: Principal,
        name: str | None,
        groups: frozenset[str] = frozenset(),
        *,
        metadata: Mapping[str, str] | None = None,
        description: str = "",
        expires_days: int | None = None,
    ) -> Collection:
        """Raises ``Conflict`` when the principal sees one of that name already, ``Forbidden`` for a name that it could
        not see. None: a name is made of the id."""
        _reachable(principal, name)
        return await self._collections.create(
            principal.tenant,
            name,
            groups=groups,
            embedder=self._embedder_name,
            seen_by=principal.groups,
            metadata=metadata,
            description=description,
            expires_days=expires_days,
        )

    async def update(
        self,
        principal: Principal,
        id_or_name: str,
        *,
        name: str | None,
        metadata: Mapping[str, str] | None,
        expires_days: int | Literal["kept"] | None = "kept",
    ) -> Collection:
        """Rename a collection, give it other metadata (None: as they are), or have it expire (None: no more). Raises
        ``NotFound``, ``Conflict``."""
        collection = await self.get(principal, id_or_name)
        if name is not None and name != collection.name:
            _reachable(principal, name)
        return await self._collections.update(
            collection, seen_by=principal.groups, name=name, metadata=metadata, expires_days=expires_days
        )

    async def get(self, principal: Principal, id_or_name: str) -> Collection:
        """Raises ``NotFound`` if the principal may not see it, or it does not exist."""
        return await self._collections.get(principal.tenant, id_or_name, groups=principal.groups)

    async def collections(self, principal: Principal) -> list[Collection]:
        return await self._collections.list(principal.tenant, groups=principal.groups)

    async def collections_page(self, principal: Principal, page: Page) -> Slice[Collection]:
        """By age. Raises ``InvalidRequest`` for a cursor that is no id."""
        return await self._collections.page(principal.tenant, page, groups=principal.groups)

    async def tallies(self, principal: Principal, found: Sequence[Collection]) -> dict[str, DocumentCounts]:
        """The visible contents of each collection for the principal, by id."""
        return await self._collections.tallies(found, groups=principal.groups)

    async def delete(self, principal: Principal, id_or_name: str, *, by: Actor = LOCAL) -> None:
        """Forget a collection. Raises ``NotFound``."""
        await self.removing.collection(await self.get(principal, id_or_name), by)

    async def documents(self, principal: Principal, id_or_name: str) -> list[Document]:
        """All that the principal may see, for callers that need them at once."""
        return await self._collections.documents(await self.get(principal, id_or_name), principal.groups)

    async def suggestions(self, principal: Principal, id_or_name: str, most: int) -> list[str]:
        """Questions that the documents may answer, by their headings. Raises ``NotFound``."""
        return await small_talk.suggested(await self.documents(principal, id_or_name), self.search.text, most)

    async def documents_page(
        self, principal: Principal, id_or_name: str, page: Page, status: Status | None = None
    ) -> Slice[Document]:
        """By age. Raises ``NotFound``, and ``InvalidRequest`` for a cursor that is not in the collection."""
        collection = await self.get(principal, id_or_name)
        return await self._collections.documents_page(collection, page, groups=principal.groups, status=status)

    async def document(self, principal: Principal, id_or_name: str, file_id: str) -> Document:
        """The document with this file id or document id. Raises ``NotFound``."""
        collection = await self.get(principal, id_or_name)
        return await self._collections.document_called(collection, file_id, groups=principal.groups)

    async def open_passage(
        self, principal: Principal, id_or_name: str, file_id: str, start: int, end: int | None, around: int
    ) -> PassageView:
        """``[start:end]`` of a document's parsed text and its surroundings.

        Raises ``NotFound`` if the principal may not see it, ``Conflict`` for a document that was never read, and
        ``InvalidRequest`` for an invalid span.
        """
        document = await self.document(principal, id_or_name, file_id)
        if not document.text_blob:
            raise Conflict(f"{document.name} was not read: {document.error or document.status}")
        return opened(document, await self.search.text(document.text_blob), start, end, around)

    async def open_page(
        self, principal: Principal, id_or_name: str, file_id: str, number: int, start: int | None, end: int | None
    ) -> PagePicture:
        """Page ``number`` of the original of a PDF, with ``[start:end]`` of its text marked.

        Raises as ``open_passage`` does, and ``Conflict`` if the original is not kept.
        """
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        quote = ""
        if start is not None:
            quote = (await self.open_passage(principal, collection.id, file_id, start, end, 0)).text
        assert self.originals is not None
        return await self.originals.page(collection, document, number, quote)

    async def chunks(self, principal: Principal, id_or_name: str, file_id: str) -> tuple[Document, list[ChunkRow]]:
        """A document and its searchable chunks, in text order.

        Raises ``NotFound`` for what the principal may not see, ``Conflict`` for a document that was never read.
        """
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        if not document.generation:
            raise Conflict(f"{document.name} was not read: {document.error or document.status}")
        return document, await self._vectors.read(collection.table, {document.document_id: document.generation})

    async def attach(
        self,
        principal: Principal,
        id_or_name: str,
        file_id: str,
        attributes: Attributes | None = None,
        groups: frozenset[str] | None = None,
        chunking: str | None = None,
    ) -> Document:
        """Put an uploaded file into a collection; it is read in the background. An existing document is read again;
        attributes, access list and ``chunking`` stay unless given. Raises ``NotFound``."""
        collection = await self.get(principal, id_or_name)
        await self._files.get(principal.tenant, file_id, groups=principal.groups)
        wanted = Attachment(file_id, attributes, groups, chunking)
        await self.attaching.attach(principal, collection, [wanted])
        return await self.document(principal, collection.id, file_id)

    async def describe(
        self,
        principal: Principal,
        id_or_name: str,
        file_id: str,
        attributes: Attributes | None,
        groups: frozenset[str] | None = None,
    ) -> Document:
        """Give a document other attributes, another access list, or both (None: unchanged). Raises ``NotFound``, or
        ``Conflict`` while it is being ingested, and for the access list of what a source says more of."""
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        if groups is not None and document.file_id is None:
            raise Conflict(
                f"{document.name} was not uploaded: its source says who may see it",
                remedy=f"mainspring ingest {collection.name} SOURCE --group GROUP",
                param="groups",
            )
        about = Attachment(file_id, attributes, groups).about(document.about)
        await self._collections.describe(collection, document.document_id, document.source_key, document.name, about)
        return dataclasses.replace(document, about=about)

    async def release(self, principal: Principal, id_or_name: str, file_id: str) -> Document:
        """Release a quarantined document, so that searches find it. Raises ``NotFound``, and ``Conflict`` for another
        one."""
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        if document.screening != "quarantined":
            raise Conflict(f"{document.name} is not quarantined", param="file_id")
        await self._collections.screened(collection, document, "released", document.findings)
        return await self.document(principal, collection.id, file_id)

    async def scan(self, principal: Principal, id_or_name: str, file_id: str) -> Document:
        """Screen a document for instructions again; released ones stay released. Raises ``NotFound``, and ``Conflict``
        for one that was never read."""
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        if self.screener is None or not document.text_blob:
            raise Conflict(f"{document.name} was not read: {document.error or document.status}")
        text = await self._collections.text(document)
        found = await self.screener.screen(collection, document.document_id, text, again=True)
        kept = document.screening == "released" and found.findings
        status = "released" if kept else "quarantined" if found.refused else found.status
        await self._collections.screened(collection, document, status, found.findings)
        return await self.document(principal, collection.id, file_id)

    async def detach(self, principal: Principal, id_or_name: str, file_id: str, *, by: Actor = LOCAL) -> None:
        """Take a document out of a collection; its file stays. Raises ``NotFound``."""
        collection = await self.get(principal, id_or_name)
        document = await self.document(principal, collection.id, file_id)
        await self._collections.remove(collection, document.document_id, by=by)
        self.intake.cancel(collection.id, document.document_id)
        self.forgetter.soon()

    async def delete_file(self, principal: Principal, file_id: str, *, by: Actor = LOCAL) -> None:
        """Delete an uploaded file and every document made from it, in all collections.

        Raises ``NotFound``, and ``Conflict`` before any deletion if the principal may not see all the documents.
        """
        uses = await self._files.uses(principal.tenant, file_id, groups=principal.groups)
        await self.removing.file(principal.tenant, file_id, uses, by)

    async def ingest(
        self, principal: Principal, name: str, paths: Sequence[Path], progress: Progress | None = None
    ) -> IngestReport:
        """Bring the collection ``name`` (made when absent) in step with files and folders, which become its sources."""
        reports = [await self.add_source(principal, name, Spec(str(path)), progress) for path in paths]
        return IngestReport.of(reports)

    async def add_source(
        self, principal: Principal, name: str, source: Spec, progress: Progress | None = None
    ) -> IngestReport:
        """Make ``source`` one of the collection ``name`` (made when absent) and bring both in step.

        Raises ``InvalidRequest`` for a source that makes no sense, and the connector's errors.
        """
        try:
            collection = await self.get(principal, name)
        except NotFound:
            collection = await self.create(principal, name)
        return await self._syncer.add(collection, source, progress)

    async def sources(self, principal: Principal, name: str) -> list[SourceRow]:
        """The sources of a collection. Raises ``NotFound``."""
        return await self._syncer.sources(await self.get(principal, name))

    async def begin_sync(self, principal: Principal, name: str, source_id: str) -> tuple[SourceRow, Sync]:
        """Begin to follow a source; see ``Syncs.begin``. Raises ``NotFound``."""
        collection = await self.get(principal, name)
        for source in await self._syncer.sources(collection):
            if source.id == source_id:
                return source, await self.syncs.begin(collection, source)
        raise NotFound(f"{collection.name} has no source {source_id}", remedy="GET its sources lists them")

    async def sync(
        self, principal: Principal, name: str, source: SourceRow, progress: Progress | None = None
    ) -> IngestReport:
        """Sync a collection with one of its sources again. Raises the connector's errors."""
        return await self._syncer.sync(await self.get(principal, name), source, progress)

    async def build_graphs(
        self,
        principal: Principal,
        name: str,
        *,
        again: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> BuildReport:
        """Read the graphs of a collection's documents that have none, or of all ``again``. Raises ``NotFound``."""
        collection = await self.get(principal, name)
        assert self.graphs is not None
        return await self.graphs.build(collection, again=again, progress=progress)

    # --- collections as models (serving.select.TenantCollections) -------------------------------------------------

    async def find(self, name: str, principal: Principal) -> Served | None:
        try:
            collection = await self.get(principal, name)
        except NotFound:
            return None
        await self._collections.touch(collection)
        return self._served(collection)

    async def visible(self, principal: Principal) -> list[Served]:
        # ``find`` returns the oldest of several collections with one name.
        found = [each for each in await self.collections(principal) if not _of_a_conversation(each)]
        named = {each.name: each for each in reversed(found)}
        return [self._served(named[name]) for name in sorted(named)]

    def _served(self, collection: Collection) -> Served:
        answerer = self.answering(collection)
        return Served(
            collection.name,
            "collection",
            answerer,
            created=int(collection.created_at),
            owner=collection.tenant,
            groups=collection.groups,
            sampled=answerer.sampled,
        )


def _of_a_conversation(collection: Collection) -> bool:
    """Whether the collection holds files attached to a conversation: a request that names it is answered from these
    files, and it is not listed as a model."""
    return collection.metadata.get("made_by") == "console"


def _reachable(principal: Principal, name: str | None) -> None:
    only = principal.reach.collections
    if only and name not in only:
        raise Forbidden(
            f"this API key is limited to the collections {', '.join(sorted(only))}",
            remedy="Choose one of these names, or use another key",
            param="name",
        )
