"""A running server, as a client sees it: over its HTTP routes, with a key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import aiohttp

from mainspring.client.backend import Pieces
from mainspring.client.results import Ingested, Passage, Reply, Source, Turn, source_of
from mainspring.core.errors import NotFound, Unauthenticated
from mainspring.core.settings import load
from mainspring.core.types import Sampling
from mainspring.terminal.remote import ServerRefused

_PAGE, _AT_A_TIME = 100, 8
_LOOK_S = 0.2


@asynccontextmanager
async def connected(url: str, key: str) -> AsyncIterator[Server]:
    """The server at ``url``, which answers. Raises ``Unauthenticated``, ``NotFound``, ``ServerRefused``."""
    loaded = load()
    url = url or loaded.environment.get("MAINSPRING_URL", "") or loaded.settings.gateway.url
    key = key or loaded.environment.get("MAINSPRING_API_KEY", "")
    if not key:
        raise Unauthenticated("a server needs a key", remedy="Give api_key, or set MAINSPRING_API_KEY")
    headers = {"authorization": f"Bearer {key}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=300)
    async with aiohttp.ClientSession(url.rstrip("/"), headers=headers, timeout=timeout) as session:
        server = Server(session, url)
        await server.look()
        yield server


class Server:
    """The routes, as methods."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.chat_model = ""
        self.embedding_model = ""

    async def look(self) -> None:
        """Learn which models are served."""
        models = (await self._json("GET", "/v1/models"))["data"]
        kinds = {kind: [each["id"] for each in models if each.get("kind") == kind] for kind in ("chat", "embedding")}
        self.chat_model = next(iter(kinds["chat"]), "")
        self.embedding_model = next(iter(kinds["embedding"]), "")

    async def answer(
        self, model: str, turns: Sequence[Turn], sampling: Sampling, options: Mapping[str, str] = MappingProxyType({})
    ) -> Pieces:
        body: dict[str, Any] = {"model": model, "messages": list(turns), "stream": True}
        body |= {"options": dict(options)} if options else {}
        asked = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature}
        body |= {name: value for name, value in asked.items() if value is not None}
        text, sources, notices = "", list[Source](), list[str]()
        answered: bool | None = None
        answer_id = ""
        async with self._asked("POST", "/v1/chat/completions", json=body) as response:
            async for frame in _frames(response):
                answer_id = answer_id or frame.get("id", "")
                for delta in (choice.get("delta") or {} for choice in frame.get("choices", ())):
                    sources += map(source_of, delta.get("citations") or ())
                    notices += [each["text"] for each in delta.get("notices") or ()]
                    answered = delta.get("answered", answered)
                    if piece := delta.get("content"):
                        text += piece
                        yield piece
            trace = response.headers.get("x-trace-id", "")
        yield Reply(text, tuple(sources), answered, tuple(notices), answer_id, trace)

    async def embed(self, model: str, texts: Sequence[str]) -> list[list[float]]:
        body = {"model": model, "input": list(texts), "encoding_format": "float"}
        return [each["embedding"] for each in (await self._json("POST", "/v1/embeddings", body))["data"]]

    async def search(self, collection: str, query: str, k: int) -> list[Passage]:
        body = {"query": query, "max_num_results": k}
        found = await self._json("POST", f"/v1/vector_stores/{quote(collection, safe='')}/search", body)
        return [
            Passage(hit["filename"], hit["content"][0]["text"], hit["score"], hit["page"], hit["heading"] or "")
            for hit in found["data"]
        ]

    async def ingest(self, collection: str, paths: Sequence[Path]) -> Ingested:
        try:
            store = await self._json("GET", f"/v1/vector_stores/{quote(collection, safe='')}")
        except ServerRefused:
            store = await self._json("POST", "/v1/vector_stores", {"name": collection})
        files = f"/v1/vector_stores/{store['id']}/files"
        room = asyncio.Semaphore(_AT_A_TIME)

        async def one(path: Path, name: str) -> tuple[str, str]:
            async with room:
                form = aiohttp.FormData({"purpose": "assistants"})
                form.add_field("file", await asyncio.to_thread(path.read_bytes), filename=name)
                uploaded = await self._json("POST", "/v1/files", form)
                row = await self._json("POST", files, {"file_id": uploaded["id"]})
                while row["status"] == "in_progress":
                    await asyncio.sleep(_LOOK_S)
                    row = await self._json("GET", f"{files}/{uploaded['id']}")
                return name, (row.get("last_error") or {}).get("message", "") if row["status"] != "completed" else ""

        became = await asyncio.gather(*(one(path, name) for path, name in _named(paths)))
        failed = {name: why for name, why in became if why}
        return Ingested(len(became) - len(failed), 0, failed)

    async def collections(self) -> list[str]:
        return [each["name"] async for each in self._all("/v1/vector_stores")]

    async def documents(self, collection: str) -> list[str]:
        path = f"/v1/vector_stores/{quote(collection, safe='')}/files"
        return [each["filename"] async for each in self._all(path)]

    async def _all(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        after = ""
        while True:
            page = await self._json("GET", f"{path}?limit={_PAGE}&order=asc{after}")
            for row in page["data"]:
                yield row
            if not page.get("has_more") or not page["data"]:
                return
            after = f"&after={quote(str(page['last_id']), safe='')}"

    async def _json(self, method: str, path: str, body: object = None) -> Any:
        sent = {"data": body} if isinstance(body, aiohttp.FormData) else {"json": body}
        async with self._asked(method, path, **({} if body is None else sent)) as response:
            return await response.json()

    @asynccontextmanager
    async def _asked(self, method: str, path: str, **sent: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer within the block. Raises ``NotFound`` when no server listens and ``ServerRefused`` when the server
        refuses."""
        try:
            async with self._session.request(method, path, **sent) as response:
                if response.status >= 400:
                    raise ServerRefused(_reason(response.status, await response.read()))
                yield response
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            remedy = "Start it with `mainspring up`, or name another url"
            raise NotFound(f"no server answers at {self._url}: {error}", remedy=remedy) from None


async def _frames(response: aiohttp.ClientResponse) -> AsyncGenerator[dict[str, Any], None]:
    """The events of a stream. Raises ``ServerRefused`` if one is an error."""
    async for line in response.content:
        kind, _, data = line.strip().partition(b":")
        if kind != b"data" or data.strip() == b"[DONE]":
            continue
        frame: dict[str, Any] = json.loads(data)
        if "error" in frame:
            raise ServerRefused(str(frame["error"].get("message", frame["error"])))
        yield frame


def _reason(status: int, body: bytes) -> str:
    try:
        error: Mapping[str, Any] = json.loads(body)["error"]
        return str(error["message"])
    except (ValueError, KeyError, TypeError):
        return f"the server answered {status}"


def _named(paths: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """The files of ``paths`` with their names. A file of a folder is named by its path within the folder."""
    for path in paths:
        if path.is_dir():
            found = sorted(each for each in path.rglob("*") if each.is_file())
            yield from ((each, each.relative_to(path).as_posix()) for each in found)
        else:
            yield path, path.name
