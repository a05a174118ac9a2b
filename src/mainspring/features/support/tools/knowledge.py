"""The search over the shop's documents: the answer of a collection, with its citations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.core.errors import NotFound, UnknownModel
from mainspring.core.path import collect
from mainspring.core.types import ChatRequest, Context, Message, Responder
from mainspring.features.support.tools.base import refused, told

_NOTHING = "I find nothing about this in our policies and product sheets."


class Answerers(Protocol):
    """Finds the responder that answers from a collection."""

    async def __call__(self, name: str, context: Context) -> Responder: ...


class Knowledge:
    """Over the collection ``name``; customers may see its ``documents`` (empty: all). ``mode`` is that of its answers:
    ``extractive`` quotes, which takes no model."""

    def __init__(self, name: str, mode: str, documents: Sequence[str], find: Answerers) -> None:
        self._name, self._mode, self._find = name, mode, find
        self._filter = {"type": "in", "key": "name", "value": list(documents)} if documents else None

    async def search_policies(self, question: str, context: ToolContext) -> ToolResult:
        """Answer a question from the shop's policies, articles and product sheets, with citations.

        Args:
            question: what the customer wants to know
        """
        inner = context.context.nested()
        options: dict[str, Any] = {"mode": self._mode} if self._mode else {}
        if self._filter is not None:
            options["filters"] = self._filter
        request = ChatRequest(self._name, (Message("user", question),), options=options, store=False)
        try:
            answer = await collect(await (await self._find(self._name, inner)).respond(request, inner))
        except (NotFound, UnknownModel):
            return ToolResult(refused(_NOTHING, reason="no_collection"))
        if answer.answered is False or not answer.text.strip():
            return ToolResult(refused(_NOTHING, reason="not_found"))
        return ToolResult(told(answer.text.strip()), citations=tuple(answer.citations))
