"""An agent of others as a tool: a model says what it wants of it, and reads the answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.tools.a2a.agent import COMPLETED, WAITING, AgentReply, RemoteAgent
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult
from mainspring.core.types import Context, Tool

_PARAMETERS = {
    "type": "object",
    "properties": {"message": {"type": "string", "description": "what you want to know, or to have done"}},
    "required": ["message"],
    "additionalProperties": False,
}
_WORDS = 2_000


class RemoteAgentTool:
    """Asks one agent. A question that it asks back is the result, and the next call goes on with the same task."""

    def __init__(self, agent: RemoteAgent, description: str, examples: tuple[str, ...]) -> None:
        settings = agent.settings
        self.agent = agent
        self.declaration = Tool(tool_name(agent.name), description, _PARAMETERS)
        self.examples = examples
        self.policy = ToolPolicy(
            effect=settings.effect,
            approval=settings.confirm,
            # The agent's own bound comes first, so that its task is cancelled there.
            timeout_s=settings.timeout_s + settings.connect_timeout_s + 5,
            trusted=settings.trusted,
        )

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        kept = f"a2a:{self.agent.name}"
        before = context.state.get(kept) or {}
        answered = AgentReply()
        asked = self.agent.ask(
            str(arguments["message"]),
            context.key or context.call_id,
            context_id=before.get("context_id", ""),
            task_id=before.get("task_id", ""),
        )
        async for piece in asked:
            if isinstance(piece, AgentReply):
                answered = piece
            elif piece.progress:
                context.progress(piece.text[:_WORDS])
        waits = answered.state in WAITING
        if answered.context_id:
            going = {"task_id": answered.task_id} if waits else {}
            context.state[kept] = {"context_id": answered.context_id, **going}
        return result(answered)


class A2aToolset:
    """Implements ``Toolset`` with one tool."""

    def __init__(self, agent: RemoteAgent) -> None:
        self._agent = agent
        self._tool: RemoteAgentTool | None = None

    @property
    def name(self) -> str:
        return self._agent.name

    async def tools(self, context: Context) -> Sequence[BaseTool]:  # noqa: ARG002
        if self._tool is None:
            card = await self._agent.card()
            self._tool = RemoteAgentTool(self._agent, self._agent.settings.description or described(card), asked(card))
        return (self._tool,)

    async def aclose(self) -> None:
        await self._agent.aclose()


def result(answered: AgentReply) -> ToolResult:
    """An answer as the result of a tool."""
    if answered.state in WAITING:
        said = answered.status or answered.text
        return ToolResult({"state": "input_required", "asks": said})
    if answered.state != COMPLETED:
        state = answered.state.removeprefix("TASK_STATE_").lower()
        return ToolResult(error=f"The agent's task {state or 'failed'}: {answered.status or 'it says nothing more'}")
    if answered.data or answered.files:
        rest = {"data": answered.data} if answered.data else {}
        rest |= {"files": answered.files} if answered.files else {}
        return ToolResult({**({"text": answered.text} if answered.text else {}), **rest})
    return ToolResult(answered.text or answered.status)


def tool_name(name: str) -> str:
    """The name of the tool for an agent."""
    return f"ask_{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}"[:64]


def described(card: Mapping[str, Any]) -> str:
    """What a card says that its agent is for, in words for a model."""
    skills = [f"{each.get('name', '')}: {each.get('description', '')}" for each in card.get("skills", ())]
    lines = [f"Ask the agent {card.get('name', '')}. {card.get('description', '')}".strip()]
    lines += ["It can:", *(f"- {each}" for each in skills[:20])] if skills else []
    return "\n".join(" ".join(each.split()) for each in lines)[:_WORDS]


def asked(card: Mapping[str, Any]) -> tuple[str, ...]:
    """Examples of requests, of all its skills."""
    found = [str(text)[:300] for each in card.get("skills", ()) for text in each.get("examples", ())]
    return tuple(found[:20])
