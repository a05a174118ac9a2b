"""The toolset ``memory`` of agents: remember, recall and forget facts about the person whom they serve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult, Toolset
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.errors import InvalidRequest, MainspringError, SettingsError, Unsupported
from mainspring.core.types import Context
from mainspring.feature import Rooms
from mainspring.features.memory.service import Memories
from mainspring.serving.memory.recollection import Asking


class MemoryTools:
    """Three tools over the memory of persons. ``learns``: without it an agent can only recall."""

    name = "memory"

    def __init__(self, rooms: Rooms, *, learns: bool = True) -> None:
        self._rooms = rooms
        self._learns = learns

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        recall = FunctionTool(
            self.recall,
            policy=ToolPolicy(scopes=frozenset({"chat"})),
            examples=("What do you know about me?", "Which seats do I prefer?"),
        )
        if not self._learns:
            return (recall,)
        changes = ToolPolicy(effect="keyed", scopes=frozenset({"chat"}))
        remember = FunctionTool(
            self.remember, policy=changes, examples=("Remember that I prefer window seats.", "My name is Ada.")
        )
        forget = FunctionTool(self.forget, policy=changes, examples=("Forget where I live.",))
        return (remember, recall, forget)

    async def remember(self, fact: str, context: ToolContext) -> ToolResult:
        """Remember a fact or a preference of the user for later conversations.

        Args:
            fact: the fact in one sentence, as the user said it
        """
        try:
            kept = await self._memories.add(fact, context.context, _asking(context), origin="agent")
        except MainspringError as error:
            return _refused(error)
        return ToolResult({"id": kept.memory.id, "remembered": kept.memory.text, "superseded": list(kept.superseded)})

    async def recall(self, query: str, context: ToolContext) -> ToolResult:
        """Look up what is known about the user from earlier conversations.

        Args:
            query: what the facts should be about
        """
        try:
            found = await self._memories.recall(query, context.context, _asking(context, "recall"))
        except MainspringError as error:
            return _refused(error)
        return ToolResult([{"id": each.id, "fact": each.text} for each in found])

    async def forget(self, id: str, context: ToolContext) -> ToolResult:  # noqa: A002
        """Forget a fact about the user for ever.

        Args:
            id: the id of the fact, as recall tells it (mem_...)
        """
        try:
            await self._memories.forget(id, context.context, _asking(context))
        except MainspringError as error:
            return _refused(error)
        return ToolResult({"forgotten": id})

    async def aclose(self) -> None:
        """Nothing is held."""

    @property
    def _memories(self) -> Memories:
        # The feature may open after the agents that use it.
        source = self._rooms.path.services.recollection.source
        if not isinstance(source, Memories):
            raise Unsupported("this system keeps no memory of persons")
        return source


def _asking(context: ToolContext, wanted: str = "") -> Asking:
    return Asking(context.user, context.session_id or "", wanted)


def _refused(error: MainspringError) -> ToolResult:
    if not isinstance(error, InvalidRequest) and error.status >= 500:
        raise error
    return ToolResult(error=f"{error}. {error.remedy}".strip())


def _memory(rooms: Rooms, options: Mapping[str, Any]) -> Toolset:
    if unknown := set(options) - {"learns"}:
        raise SettingsError(f"the toolset memory has no option {sorted(unknown)[0]!r}", remedy="It takes learns")
    return MemoryTools(rooms, learns=bool(options.get("learns", True)))


TOOLSETS = {"memory": _memory}
