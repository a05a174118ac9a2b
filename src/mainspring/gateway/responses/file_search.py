"""The hosted tool ``file_search``: vector stores are searched for the question, and the model answers over what was
found.

The passages are shown to the model as data, in a message of their own that is stored nowhere. It cites them by their
numbers; each number becomes a citation of the passage's file, and leaves the text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Sequence

from pydantic import ValidationError

from mainspring.core.errors import InvalidRequest
from mainspring.core.types import ChatRequest, Context, Event, Events, Message, Request, Responder, Response, Text
from mainspring.gateway.routes.search import SearchBody, wanted
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.http.openai.responses_searches import Citing, FoundPassage, Searched
from mainspring.http.openai.responses_tools import FileSearchTool
from mainspring.rag.answer.findings import named
from mainspring.rag.search.search_service import Search, ShownHit

_SHOWN = 10
_CHARACTERS = 24_000
# Of the passages that a model is shown together; most windows hold that beside a conversation.
_FOUND = (
    "The user's files were searched for the question. The passages that were found follow, each under its number. "
    "Answer from them where they answer the question, and write the number of each passage that you use in brackets "
    "behind the sentence, such as [1]. If they do not answer it, say so."
)
_PLAIN = "The user's files were searched for the question. The passages that were found follow."
_NOTHING = "The user's files were searched for the question, and nothing was found in them. Say so."


class FileSearch:
    """Searches for requests of the Responses API, in the stores that the caller may see."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def __call__(
        self, tools: Sequence[FileSearchTool], request: ChatRequest, context: Context, most: int
    ) -> tuple[ChatRequest, Searched]:
        """``request`` with the passages that ``most`` searches at most find, and what they found. Raises ``NotFound``
        for a store that the caller may not see, and ``InvalidRequest`` naming the field of the tool."""
        question = next((each.content for each in reversed(request.messages) if each.role == "user"), "")
        hits: list[ShownHit] = []
        for index, tool in enumerate(tools[:most]):
            asked = _body(tool, question[:8192], f"tools[{index}]")
            for store in tool.vector_store_ids:
                own = context.forked()
                found = await self._search.search(own, store, wanted(asked))
                context.allowance.spend(own.allowance.spent)
                hits += found.hits[: tool.max_num_results or _SHOWN]
        sources = _sources(hits)
        collections = sorted({each.hit.collection_id for each in hits})
        documents = list(dict.fromkeys(each.document_id for each in sources))
        if documents:
            # Who may not see these documents any more may not read the answer, and it is erased with them.
            context.settlement.records.append(named(context, "file_search", collections, documents))
        searched = Searched((question,), tuple(sources), cites=request.sampling.grammar is None)
        return _told(request, searched), searched


def _body(tool: FileSearchTool, question: str, place: str) -> SearchBody:
    sent = tool.model_dump(exclude_none=True, include={"max_num_results", "filters", "ranking_options"})
    if isinstance(ranking := sent.get("ranking_options"), dict) and str(ranking.get("ranker")).startswith("default"):
        sent["ranking_options"] = {**ranking, "ranker": "auto"}
    try:
        return SearchBody.model_validate({"query": question or " ", **sent})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in (place, *first["loc"]))
        raise InvalidRequest(f"{where}: {first['msg']}", param=where) from None


def _sources(hits: Sequence[ShownHit]) -> list[FoundPassage]:
    """The passages, best first, each once, as many as are shown together."""
    sources: list[FoundPassage] = []
    seen: set[str] = set()
    room = _CHARACTERS
    for each in sorted(hits, key=lambda each: -each.hit.score):
        hit = each.hit
        room -= len(hit.text)
        if hit.chunk_id in seen or (sources and room < 0):
            continue
        seen.add(hit.chunk_id)
        sources.append(
            FoundPassage(
                file_id=hit.file_id or hit.document_id,
                filename=hit.source,
                document_id=hit.document_id,
                start=hit.start,
                end=hit.end,
                page=hit.page,
                heading=hit.heading,
                score=hit.score,
                attributes=dict(hit.attributes),
                text=hit.text,
            )
        )
    return sources


def _told(request: ChatRequest, searched: Searched) -> ChatRequest:
    """``request`` with the passages behind its instructions."""
    light = Spotlight()
    blocks = [
        f"[{number}] {light.wrap(f'{source.filename}: {source.text}', 'file')}"
        for number, source in enumerate(searched.sources, 1)
    ]
    told = [_FOUND if searched.cites else _PLAIN, light.instruction, *blocks] if blocks else [_NOTHING]
    first = next((n for n, each in enumerate(request.messages) if each.role not in ("system", "developer")), 0)
    messages = (*request.messages[:first], Message("system", "\n\n".join(told)), *request.messages[first:])
    return dataclasses.replace(request, messages=messages)


class CitingResponder:
    """``inner`` with the numbers of passages turned into citations."""

    def __init__(self, inner: Responder, searched: Searched) -> None:
        self._inner = inner
        self._searched = searched

    async def respond(self, request: Request, context: Context) -> Response:
        return (await self._inner.respond(request, context)).through(self._cited)

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return self._inner.fingerprint(request, context)

    async def _cited(self, events: Events) -> AsyncGenerator[Event, None]:
        citing = Citing(self._searched)
        async for event in events:
            if isinstance(event, Text):
                for each in citing.take(event):
                    yield each
            else:
                for each in citing.rest():
                    yield each
                yield event
        for each in citing.rest():
            yield each
