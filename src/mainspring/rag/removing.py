"""Deletes collections, and files with the documents made from them: reading them stops, and their bytes go."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from mainspring.core.errors import NotFound
from mainspring.rag.ingest.forget import Forgetter
from mainspring.rag.ingest.intake import Intake
from mainspring.stores import Stores
from mainspring.stores.documents.collections import Collection
from mainspring.stores.events.audit_log import Actor


class Remover:
    """Access is the callers' concern. ``by`` is the actor for the audit log."""

    def __init__(self, stores: Stores, intake: Intake, forgetter: Forgetter) -> None:
        self._collections = stores.collections
        self._files = stores.files
        self._intake = intake
        self._forgetter = forgetter

    async def collection(self, collection: Collection, by: Actor) -> None:
        """Raises ``NotFound``."""
        await self._collections.delete(collection.tenant, collection.id, by=by)
        self._intake.cancel(collection.id)
        self._forgetter.soon()

    async def file(self, tenant: str, file_id: str, uses: Sequence[tuple[str, str]], by: Actor) -> None:
        """``uses`` are the collections and documents that are made from it. Raises ``NotFound``."""
        try:
            for collection_id, document_id in uses:
                # Another process may be deleting the same.
                with contextlib.suppress(NotFound):
                    collection = await self._collections.known(tenant, collection_id)
                    await self._collections.remove(collection, document_id, by=by)
                    self._intake.cancel(collection_id, document_id)
        finally:
            self._forgetter.soon()
        # Its last document may have other readers than the deleted ones: callers were checked before.
        await self._files.delete(tenant, file_id, groups=None, by=by)
