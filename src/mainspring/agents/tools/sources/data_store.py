"""A collection of documents as a data store: a search with citations, for what the caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import Field

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.core.types import Citation, Context, Tool
from mainspring.rag.search.search_service import SearchRequest, SearchResult

_SCHEMA = {
    "type": "object",
    "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 2000, "description": "What to look for"}},
    "required": ["query"],
    "additionalProperties": False,
}


class DataStoreOptions(CallOptions):
    """``collection`` is its name or id; ``name`` and ``description`` are the tool's (empty: made of the collection's),
    ``passages`` how many come back. What is ``trusted`` is written by people who may tell the agent what to do."""

    collection: str = Field(min_length=1)
    name: str = Field("", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$|^$")
    description: str = ""
    passages: int = Field(5, ge=1, le=50)
    examples: tuple[str, ...] = ()


class Searching(Protocol):
    """``rag.search.Search``."""

    async def search(self, context: Context, store: str, wanted: SearchRequest) -> SearchResult: ...


class DataStoreTool:
    """Searches one collection with the caller's groups: what they may not see is not found."""

    def __init__(self, options: DataStoreOptions, search: Searching) -> None:
        name = options.name or "search_" + "".join(each if each.isalnum() else "_" for each in options.collection)[:57]
        words = options.description or f"Searches the documents of {options.collection}."
        self.declaration = Tool(name, words, _SCHEMA)
        self.policy: ToolPolicy = options.policy()
        self.examples = options.examples
        self._options = options
        self._search = search

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        wanted = SearchRequest((str(arguments["query"]),), self._options.passages, highlights=False)
        found = await self._search.search(context.context.nested(), self._options.collection, wanted)
        passages, citations = [], []
        for number, shown in enumerate(found.hits, 1):
            hit = shown.hit
            passage: dict[str, Any] = {"number": number, "source": hit.source, "text": hit.text}
            if hit.heading:
                passage["heading"] = hit.heading
            if hit.page is not None:
                passage["page"] = hit.page
            passages.append(passage)
            citations.append(
                Citation(
                    number,
                    hit.document_id,
                    hit.source,
                    hit.text,
                    hit.start,
                    hit.end,
                    hit.page,
                    hit.heading,
                    vector_store_id=hit.collection_id,
                    file_id=hit.file_id,
                )
            )
        return ToolResult({"passages": passages}, citations=tuple(citations))
