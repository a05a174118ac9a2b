"""The target of a question: the server that ``MAINSPRING_API_KEY`` opens, or this machine's home without the key."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from mainspring.core.settings import Settings, load
from mainspring.terminal.remote import Server, running_server

if TYPE_CHECKING:
    from mainspring.core.path import Answer
    from mainspring.core.types import Principal
    from mainspring.system import System

Told = Callable[[str], None]
Turn = Mapping[str, str]
_PAGE = 100


class Mode(StrEnum):
    """How answers from documents are worded."""

    AUTO = "auto"
    VERBATIM = "verbatim"
    WRITTEN = "written"

    @property
    def options(self) -> dict[str, str]:
        """The options of a request for it."""
        return {} if self is Mode.AUTO else {"mode": self.value}

    def settings(self, settings: Settings) -> Settings:
        """``settings`` under which the models that it needs are loaded, and no others."""
        if self is Mode.AUTO:
            return settings
        mode = "extractive" if self is Mode.VERBATIM else "generative"
        return settings.model_copy(update={"rag": settings.rag.model_copy(update={"mode": mode})})


AskedMode = Annotated[
    Mode,
    typer.Option(
        "--mode", help="Answers from documents: verbatim (their own sentences), written (by a chat model), or either"
    ),
]


class Target(Protocol):
    """What answers. Turns have ``role`` and ``content``; rows and answers are JSON values."""

    async def answer(
        self, model: str, turns: Sequence[Turn], told: Told | None = None, mode: Mode = Mode.AUTO
    ) -> dict[str, Any]:
        """The answer of a collection, application or chat model; ``told`` receives its text piece by piece."""
        ...

    async def search(self, collection: str, query: str, k: int) -> list[dict[str, Any]]:
        """The best passages. Raises ``NotFound``."""
        ...

    async def collections(self) -> list[dict[str, Any]]: ...

    async def documents(self, collection: str) -> list[dict[str, Any]]:
        """Raises ``NotFound``."""
        ...


@asynccontextmanager
async def place(context: typer.Context, settings: Settings, groups: Collection[str] = ()) -> AsyncIterator[Target]:
    """The running server if there is a key for it and it answers, else the home of ``settings``, opened here.

    Raises ``NotFound`` if ``MAINSPRING_URL`` names a server that does not answer.
    """
    server = await asyncio.to_thread(running_server, context)
    if server is not None:
        yield RemoteServer(server)
        return
    from mainspring.terminal.pulling import pull_missing

    await asyncio.to_thread(pull_missing, settings)
    from mainspring.system import System

    async with System.open(settings) as system:
        yield LocalHome(system, dataclasses.replace(system.local, groups=frozenset(groups)))


def nothing_kept(context: typer.Context, settings: Settings) -> bool:
    """Whether there is neither a server to ask nor a home with anything in it."""
    if load(context.obj).environment.get("MAINSPRING_API_KEY") or settings.stores.database:
        return False
    return not settings.home.exists()


class LocalHome:
    """This machine's home, without a server."""

    def __init__(self, system: System, who: Principal) -> None:
        self._system = system
        self._who = who

    async def answer(
        self, model: str, turns: Sequence[Turn], told: Told | None = None, mode: Mode = Mode.AUTO
    ) -> dict[str, Any]:
        from mainspring.core.path import Answer
        from mainspring.core.types import ChatRequest, Context, Message, Text

        messages = tuple(Message(turn["role"], turn["content"]) for turn in turns)  # type: ignore[arg-type]
        context = Context(self._who)
        response = await self._system.respond(ChatRequest(model, messages, options=mode.options), context)
        found = Answer(response.head)
        async with response:
            async for event in response:
                found.add(event)
                if told is not None and isinstance(event, Text):
                    told(event.text)
        return facts(found) | {"trace_id": context.trace.trace_id}

    async def search(self, collection: str, query: str, k: int) -> list[dict[str, Any]]:
        from mainspring.core.types import Context
        from mainspring.rag.search.search_service import SearchRequest

        found = await self._system.library.search.search(Context(self._who), collection, SearchRequest((query,), k))
        return [
            {
                "source": hit.source,
                "page": hit.page,
                "heading": hit.heading,
                "score": hit.score,
                "text": hit.text,
                "document_id": hit.document_id,
            }
            for hit in (shown.hit for shown in found.hits)
        ]

    async def collections(self) -> list[dict[str, Any]]:
        library = self._system.library
        found = await library.collections(self._who)
        tallies = await library.tallies(self._who, found)
        return [
            {
                "name": each.name,
                "id": each.id,
                "documents": sum(tallies[each.id].counts.values()),
                "failed": tallies[each.id].counts.get("failed", 0),
                "chars": tallies[each.id].chars,
            }
            for each in found
        ]

    async def documents(self, collection: str) -> list[dict[str, Any]]:
        return [
            {
                "name": each.name,
                "status": each.status,
                "pages": each.pages,
                "chunks": each.chunks,
                "chars": each.chars,
                "error": each.error,
                "document_id": each.document_id,
            }
            for each in await self._system.library.documents(self._who, collection)
        ]


def facts(found: Answer) -> dict[str, Any]:
    """An answer as JSON values; citations and conflicts have the server's form."""
    from mainspring.http.openai.encode import citation_body, conflict_body

    return {
        "answer": found.text,
        "answered": found.answered,
        "citations": [citation_body(each) for each in found.citations],
        "missing": [each.part for each in found.missing],
        "conflicts": [conflict_body(each) for each in found.contradictions],
        "notices": [each.text for each in found.notices],
        "answer_id": found.head.answer_id,
    }


class RemoteServer:
    """A running server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def answer(
        self, model: str, turns: Sequence[Turn], told: Told | None = None, mode: Mode = Mode.AUTO
    ) -> dict[str, Any]:
        return await asyncio.to_thread(self._answer, model, turns, told, mode)

    def _answer(self, model: str, turns: Sequence[Turn], told: Told | None, mode: Mode) -> dict[str, Any]:
        found: dict[str, Any] = {"answer": "", "answered": None}
        found |= {name: [] for name in ("citations", "missing", "conflicts", "notices")}
        body = {"model": model, "messages": list(turns), "stream": True}
        body |= {"options": mode.options} if mode.options else {}
        with self._server.opened("POST", "/v1/chat/completions", body) as stream:
            found |= {"answer_id": "", "trace_id": stream.headers.get("x-trace-id", "")}
            for line in stream:
                frame = _frame(line)
                found["answer_id"] = found["answer_id"] or frame.get("id", "")
                for choice in frame.get("choices", ()):
                    self._add(found, choice.get("delta") or {}, told)
        return found

    @staticmethod
    def _add(found: dict[str, Any], delta: Mapping[str, Any], told: Told | None) -> None:
        if text := delta.get("content"):
            found["answer"] += text
            if told is not None:
                told(text)
        if "answered" in delta:
            found["answered"] = delta["answered"]
        for name in ("citations", "missing", "conflicts"):
            found[name] += delta.get(name) or ()
        found["notices"] += [each["text"] for each in delta.get("notices") or ()]

    async def search(self, collection: str, query: str, k: int) -> list[dict[str, Any]]:
        path = f"/v1/vector_stores/{_part(collection)}/search"
        found = await asyncio.to_thread(self._server.call, "POST", path, {"query": query, "max_num_results": k})
        return [
            {
                "source": hit["filename"],
                "page": hit["page"],
                "heading": hit["heading"],
                "score": hit["score"],
                "text": hit["content"][0]["text"],
                "document_id": hit["document_id"],
            }
            for hit in found["data"]
        ]

    async def collections(self) -> list[dict[str, Any]]:
        return [
            {
                "name": each["name"],
                "id": each["id"],
                "documents": each["file_counts"]["total"],
                "failed": each["file_counts"]["failed"],
                "chars": each["usage_bytes"],
            }
            for each in await asyncio.to_thread(self._all, "/v1/vector_stores")
        ]

    async def documents(self, collection: str) -> list[dict[str, Any]]:
        return [
            {
                "name": each["filename"],
                "status": each["status"],
                "pages": each["pages"],
                "chunks": each["chunks"],
                "chars": each["usage_bytes"],
                "error": (each["last_error"] or {}).get("message", ""),
                "document_id": each["document_id"],
            }
            for each in await asyncio.to_thread(self._all, f"/v1/vector_stores/{_part(collection)}/files")
        ]

    def _all(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self._server.call("GET", f"{path}?limit={_PAGE}&order=asc{after}")
            rows += page["data"]
            if not page.get("has_more") or not page["data"]:
                return rows
            after = f"&after={_part(str(page['last_id']))}"


def _part(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _frame(line: bytes) -> dict[str, Any]:
    """One line of an event stream; empty if it is no frame. Raises ``ServerRefused``."""
    kind, _, data = line.strip().partition(b":")
    if kind != b"data" or data.strip() == b"[DONE]":
        return {}
    frame: dict[str, Any] = json.loads(data)
    if "error" in frame:
        from mainspring.terminal.remote import ServerRefused

        raise ServerRefused(str(frame["error"].get("message", frame["error"])))
    return frame
