"""Searches of the web as a tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from pydantic import Field

from mainspring.agents.tools.base import ToolContext, ToolPolicy, ToolResult
from mainspring.agents.tools.sources.options import CallOptions
from mainspring.core.types import Context, Tool
from mainspring.rag.websearch.base import FoundPage

_SCHEMA = {
    "type": "object",
    "properties": {"query": {"type": "string", "minLength": 1, "maxLength": 400, "description": "What to look for"}},
    "required": ["query"],
    "additionalProperties": False,
}


class WebSearchOptions(CallOptions):
    """``count`` results (None: ``web_search.count``), from ``domains`` alone if any are named, or from trusted ones;
    none is from ``blocked`` ones."""

    name: str = Field("web_search", pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    count: int | None = Field(None, ge=1, le=20)
    domains: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    only_trusted: bool = False
    examples: tuple[str, ...] = ("What does the web say about this?", "Search the web for the latest release")


class SearchingWeb(Protocol):
    """``rag.websearch.search.WebSearch``."""

    async def search(
        self,
        query: str,
        count: int | None = None,
        context: Context | None = None,
        *,
        domains: Iterable[str] = (),
        blocked: Iterable[str] = (),
        only_trusted: bool = False,
    ) -> Sequence[FoundPage]: ...


class WebSearchTool:
    """Searches the web. Its queries leave this server, and its results are the words of strangers."""

    def __init__(self, options: WebSearchOptions, web: SearchingWeb) -> None:
        words = "Searches the web. Gives pages with their titles, addresses and extracts."
        self.declaration = Tool(options.name, words, _SCHEMA)
        self.policy: ToolPolicy = options.policy(outward=True)
        self.examples = options.examples
        self._options = options
        self._web = web

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        options = self._options
        found = await self._web.search(
            str(arguments["query"]),
            options.count,
            context.context,
            domains=options.domains,
            blocked=options.blocked,
            only_trusted=options.only_trusted,
        )
        return ToolResult({"results": [{"title": each.title, "url": each.url, "text": each.text} for each in found]})
