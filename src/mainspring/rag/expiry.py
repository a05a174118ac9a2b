"""Deletes vector stores and files that have expired, in the background: nobody sees them from that moment on."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from mainspring.core.errors import Conflict, MainspringError, NotFound
from mainspring.rag.removing import Remover
from mainspring.stores import Stores
from mainspring.stores.events.audit_log import Actor

log = logging.getLogger("mainspring.rag")
EVERY_S = 60.0
ATTEMPTS = 3
EXPIRY = Actor("expiry", "")
"""The actor of these deletions, for the audit log."""


class Expiry:
    """Looks for them once a minute."""

    def __init__(self, stores: Stores, removing: Remover) -> None:
        self._stores = stores
        self._removing = removing
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._worker = asyncio.create_task(self._work(), name="expiry")

    async def close(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))

    async def round(self) -> int:
        """Delete what has expired; how many stores and files. Raises the errors of the stores."""
        count = 0
        for collection in await self._stores.collections.expired():
            # Another process may be deleting the same.
            with contextlib.suppress(NotFound):
                await self._removing.collection(collection, EXPIRY)
                count += 1
        for tenant, file_id in await self._stores.files.expired():
            with contextlib.suppress(NotFound):
                count += await self._file(tenant, file_id)
        return count

    async def _file(self, tenant: str, file_id: str) -> int:
        """Delete the file; how many. One that is attached again and again meanwhile is left for the next round."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(Conflict):
                uses = await self._stores.files.made_of(tenant, file_id)
                await self._removing.file(tenant, file_id, uses, EXPIRY)
                return 1
        return 0

    async def _work(self) -> None:
        while True:
            try:
                await self.round()
            except MainspringError as error:
                log.warning("expired vector stores and files were not deleted yet: %s", error)
            await asyncio.sleep(EVERY_S)
