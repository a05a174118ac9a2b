"""The target of ``mainspring redteam``: a name of an open system, with documents there or at an endpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.core.errors import InvalidRequest

if TYPE_CHECKING:
    import aiohttp

    from mainspring.core.types import Context, Principal, Request, Response
    from mainspring.feature import Rooms

COLLECTION = "red-team"
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class SystemTarget:
    """``name`` of an open system. Documents go into ``collection``: at the ``endpoint`` if there is one. ``principal``
    asks; None: an administrator of the tenant ``default``."""

    rooms: Rooms
    name: str
    reads: bool
    collection: str = COLLECTION
    endpoint: Endpoint | None = None
    principal: Principal | None = None

    async def respond(self, request: Request, context: Context) -> Response:
        return await self.rooms.responder.respond(request, context)

    async def ingest(self, paths: Sequence[Path]) -> None:
        if self.endpoint is not None:
            await self.endpoint.fill(self.collection, paths)
        else:
            await self.rooms.library.ingest(self.rooms.local, self.collection, list(paths))


@dataclass(slots=True)
class Endpoint:
    """Vector stores at ``url`` (which ends in ``/v1``), with OpenAI's API, which this server has too. ``clear`` deletes
    the documents that were put there."""

    url: str
    key: str
    made: list[str] = field(default_factory=list)

    async def fill(self, name: str, paths: Sequence[Path]) -> None:
        """A new vector store ``name`` that holds ``paths``, when they can be found. Raises ``InvalidRequest``."""
        import aiohttp

        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {self.key}"}) as session:
            store = await self._call(session, "POST", "/vector_stores", json={"name": name})
            self.made.append(f"/vector_stores/{store['id']}")
            files = []
            for path in paths:
                form = aiohttp.FormData({"purpose": "assistants"})
                form.add_field("file", path.read_bytes(), filename=path.name)
                file = await self._call(session, "POST", "/files", data=form)
                self.made.append(f"/files/{file['id']}")
                files.append(file["id"])
                await self._call(session, "POST", f"/vector_stores/{store['id']}/files", json={"file_id": file["id"]})
            await self._settled(session, store["id"], files)

    async def clear(self) -> None:
        """Delete the documents that were put there."""
        import aiohttp

        async with aiohttp.ClientSession(headers={"authorization": f"Bearer {self.key}"}) as session:
            while self.made:
                await self._call(session, "DELETE", self.made.pop(0))

    async def _settled(self, session: aiohttp.ClientSession, store: str, files: Sequence[str]) -> None:
        until = time.monotonic() + _PATIENCE_S
        for file in files:
            while True:
                found = await self._call(session, "GET", f"/vector_stores/{store}/files/{file}")
                if found["status"] == "completed":
                    break
                # A document that the target's guards reject cannot be found: that is a result as well.
                if found["status"] in ("failed", "cancelled"):
                    break
                if time.monotonic() > until:
                    raise InvalidRequest(f"the endpoint has not read {file} in {_PATIENCE_S:.0f} seconds")
                await asyncio.sleep(0.2)

    async def _call(self, session: aiohttp.ClientSession, method: str, path: str, **body: Any) -> Any:
        async with session.request(method, self.url.rstrip("/") + path, **body) as answer:
            if answer.status >= 400:
                text = (await answer.text())[:200]
                raise InvalidRequest(f"the endpoint answered {answer.status} to {method} {path}: {text}", param="into")
            return await answer.json()
