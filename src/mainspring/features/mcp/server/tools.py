"""What is served here as tools: search and questions over collections, chat with models, and applications.

Whatever is asked of a model, a collection or an application passes the request ring, as every other request does.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import mcp.types as types
from pydantic import BaseModel, Field, ValidationError

from mainspring.agents.tools.mcp.texts import clean
from mainspring.core.errors import InvalidRequest
from mainspring.core.types import ChatRequest, Context, Message, Sampling
from mainspring.feature import Rooms
from mainspring.features.mcp.server import uris
from mainspring.features.mcp.server.asking import asked, cited
from mainspring.features.mcp.server.offers import Call, Offer, Result, text_result
from mainspring.http.bodies import Closed
from mainspring.rag.search.search_service import SearchRequest, ShownHit
from mainspring.serving.ring.registry import Served

RUN = "run_"
"""Before the name of an application."""
DOCUMENTS_ANSWERER = "document-qa"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")
_READS = types.ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
_WRITES = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
# An application may be an agent with tools of its own.
_ACTS = types.ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=True)

Name = Annotated[str, Field(min_length=1, max_length=256)]
Words = Annotated[str, Field(min_length=1, max_length=100_000)]


class Arguments(Closed):
    """Arguments of a tool: unknown ones are refused."""


class SearchArguments(Arguments):
    collection: Annotated[Name, Field(description="Name or id of the collection; list_collections has them")]
    query: Annotated[str, Field(min_length=1, max_length=8192, description="What to look for")]
    max_results: Annotated[int, Field(ge=1, le=20, description="Passages to return")] = 5


class AskArguments(Arguments):
    question: Annotated[Words, Field(description="The question, in full")]
    collection: Annotated[Name | None, Field(description="Name of a collection; none: all collections")] = None


class ChatArguments(Arguments):
    model: Annotated[Name, Field(description="Name of a model; list_models has them")]
    message: Annotated[Words, Field(description="What to say to the model")]
    system: Annotated[str, Field(max_length=100_000, description="Instructions for the model")] = ""
    max_tokens: Annotated[int | None, Field(ge=1, le=32_768, description="Longest answer in tokens")] = None


class RunArguments(Arguments):
    message: Annotated[Words, Field(description="What to ask it")]
    session_id: Annotated[str | None, Field(max_length=128, description="A conversation that this continues")] = None


class NoArguments(Arguments):
    """None."""


@dataclass(frozen=True, slots=True)
class _Own:
    """A tool of ours: how it is declared, and what it does with arguments that fit."""

    tool: types.Tool
    arguments: type[Arguments]
    run: Callable[[Call, Any], Awaitable[Result]]


class ServedTools(Offer):
    """The tools over what is served."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        own = (
            self._own("search", "Search", _SEARCH, SearchArguments, self._search, _READS, _FOUND),
            self._own("ask", "Ask documents", _ASK, AskArguments, self._ask, _READS, _ANSWER),
            self._own("chat", "Chat with a model", _CHAT, ChatArguments, self._chat, _WRITES, _TEXT),
            self._own("list_collections", "Collections", _COLLECTIONS, NoArguments, self._collections, _READS, _NAMED),
            self._own("list_models", "Models", _MODELS, NoArguments, self._models, _READS, _NAMED),
        )
        self._tools = {each.tool.name: each for each in own}

    @staticmethod
    def _own(
        name: str,
        title: str,
        description: str,
        arguments: type[Arguments],
        run: Callable[[Call, Any], Awaitable[Result]],
        annotations: types.ToolAnnotations,
        output: dict[str, Any],
    ) -> _Own:
        schema = _schema(arguments)
        tool = types.Tool(
            name=name,
            title=title,
            description=description,
            input_schema=schema,
            output_schema=output,
            annotations=annotations,
        )
        return _Own(tool, arguments, run)

    async def tools(self, call: Call) -> Sequence[types.Tool]:
        own = [each.tool for each in self._tools.values()]
        return [*own, *(_application(name, each) for name, each in (await self._applications(call)).items())]

    async def call_tool(self, call: Call, params: types.CallToolRequestParams) -> Result | None:
        own = self._tools.get(params.name)
        if own is not None:
            return await own.run(call, _checked(own.arguments, params))
        served = (await self._applications(call)).get(params.name)
        if served is None:
            return None
        arguments: RunArguments = _checked(RunArguments, params)
        request = ChatRequest(served.name, (Message("user", arguments.message),), session_id=arguments.session_id)
        return await self._answered(call, request)

    async def _applications(self, call: Call) -> dict[str, Served]:
        """The applications that the caller sees, by the names of their tools."""
        found: dict[str, Served] = {}
        for each in await self._rooms.path.registry.models(call.context.principal):
            if each.kind == "application" and each.name != DOCUMENTS_ANSWERER:
                found.setdefault((RUN + _UNFIT.sub("_", each.name))[:128], each)
        return found

    async def _search(self, call: Call, asked_for: SearchArguments) -> Result:
        wanted = SearchRequest((asked_for.query,), asked_for.max_results, highlights=False)
        searching = self._rooms.library.search
        async with self._rooms.path.charge(call.context, searching.tokens(wanted)):
            found = await searching.search(call.context, asked_for.collection, wanted)
        rows = [_row(each) for each in found.hits]
        if not rows:
            return text_result("Nothing was found.", {"results": []})
        said = "\n\n".join(
            f"[{index}] {row['source']} ({row['uri']})\n{row['text']}" for index, row in enumerate(rows, 1)
        )
        return text_result(said, {"results": rows})

    async def _ask(self, call: Call, asked_for: AskArguments) -> Result:
        model = asked_for.collection or DOCUMENTS_ANSWERER
        request = ChatRequest(model, (Message("user", asked_for.question),))
        served = await self._rooms.path.registry.find(model, call.context.principal)
        if served.kind != "collection" and model != DOCUMENTS_ANSWERER:
            raise InvalidRequest(f"{model} is not a collection", remedy="list_collections has them", param="collection")
        return await self._answered(call, request, documents=True)

    async def _chat(self, call: Call, asked_for: ChatArguments) -> Result:
        system = (Message("system", asked_for.system),) if asked_for.system else ()
        sampling = Sampling(max_tokens=asked_for.max_tokens)
        messages = (*system, Message("user", asked_for.message))
        return await self._answered(call, ChatRequest(asked_for.model, messages, sampling=sampling))

    async def _answered(self, call: Call, request: ChatRequest, *, documents: bool = False) -> Result:
        answer = await asked(call, self._rooms.responder, request)
        told: dict[str, Any] = {"text": answer.text, "model": answer.head.model, "answer_id": answer.head.answer_id}
        said = answer.text
        citations = cited(answer)
        if documents or citations:
            told["citations"] = citations
            said += "".join(f"\n[{each['index']}] {each['source']} ({each['uri']})" for each in citations)
        if documents:
            told["answered"] = bool(answer.answered)
        return text_result(said, told)

    async def _collections(self, call: Call, _: NoArguments) -> Result:
        async with self._rooms.path.charge(call.context, 0):
            found = await self._rooms.library.collections(call.context.principal)
            tallies = await self._rooms.library.tallies(call.context.principal, found)
        rows = [
            {
                "name": each.name,
                "id": each.id,
                "description": each.description,
                "documents": tallies[each.id].counts.get("completed", 0),
                "uri": uris.collection_uri(each.id),
            }
            for each in found
        ]
        return text_result(_lines(rows, "documents") or "There are no collections.", {"data": rows})

    async def _models(self, call: Call, _: NoArguments) -> Result:
        async with self._rooms.path.charge(call.context, 0):
            found = await self._rooms.path.registry.models(call.context.principal)
        rows = [{"name": each.name, "kind": each.kind} for each in found if each.kind != "collection"]
        return text_result(_lines(rows, "kind") or "There are no models.", {"data": rows})


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("title", None)
    schema.pop("description", None)
    for each in schema.get("properties", {}).values():
        each.pop("title", None)
    return schema


def _checked(model: type[Arguments], params: types.CallToolRequestParams) -> Any:
    """Raises ``InvalidRequest`` naming the argument."""
    try:
        return model.model_validate(params.arguments or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "arguments"
        problem = f"{name}: {first['msg']}"
        raise InvalidRequest(problem, remedy=f"It takes {', '.join(model.model_fields)}", param=name) from None


def _application(name: str, served: Served) -> types.Tool:
    # An agent says what it is for; other applications say nothing.
    about = clean(str(getattr(getattr(served.responder, "agent", None), "description", "") or ""))
    description = about or f"Ask the application {served.name}, which runs on this server with tools of its own."
    return types.Tool(
        name=name,
        title=served.name,
        description=description,
        input_schema=_schema(RunArguments),
        output_schema=_TEXT,
        annotations=_ACTS,
    )


def _row(shown: ShownHit) -> dict[str, Any]:
    hit = shown.hit
    row: dict[str, Any] = {
        "source": hit.source,
        "text": hit.text,
        "score": round(float(hit.score), 6),
        "uri": uris.document_uri(hit.collection_id, hit.file_id or hit.document_id, hit.start, hit.end),
        "document_id": hit.document_id,
        "start": hit.start,
        "end": hit.end,
    }
    return (
        row | ({"page": hit.page} if hit.page is not None else {}) | ({"heading": hit.heading} if hit.heading else {})
    )


def _lines(rows: Sequence[dict[str, Any]], second: str) -> str:
    return "\n".join(f"{row['name']} ({second}: {row[second]})" for row in rows)


def spoken_for(context: Context) -> str:
    """What a client learns of this server when it connects."""
    return (
        f"Documents and models of {context.principal.tenant}. Search or ask collections; answers cite passages, which "
        "are resources."
    )


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


_STRING, _INTEGER = {"type": "string"}, {"type": "integer"}
_PASSAGE = _object(source=_STRING, text=_STRING, score={"type": "number"}, uri=_STRING, document_id=_STRING)
_FOUND = _object(results={"type": "array", "items": _PASSAGE})
_CITATION = _object(index=_INTEGER, source=_STRING, quote=_STRING, uri=_STRING)
_TEXT = _object(text=_STRING, model=_STRING, answer_id=_STRING)
_ANSWER = _object(
    text=_STRING,
    model=_STRING,
    answer_id=_STRING,
    answered={"type": "boolean"},
    citations={"type": "array", "items": _CITATION},
)
_NAMED = _object(data={"type": "array", "items": _object(name=_STRING)})

_SEARCH = "Search a collection of documents by meaning and words. Returns passages with their place in the documents."
_ASK = (
    "Answer a question from documents, with citations. `answered` is false if the documents do not say. Use it for "
    "facts; use search to read more around them."
)
_CHAT = "Ask a language model that is served here. It sees only what you send."
_COLLECTIONS = "List the collections of documents that you may see."
_MODELS = "List the models and applications that you may use."
