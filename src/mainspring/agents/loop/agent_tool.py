"""Tools that the loop itself performs: another agent, the handing over of a conversation, and the end of a loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from mainspring.agents.agent import Agent
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult
from mainspring.core.errors import Unsupported
from mainspring.core.types import Tool

TRANSFER = "transfer_to_agent"
_TRUSTED = ToolPolicy(trusted=True)


class AgentTool:
    """An agent as a tool of another one. It sees only the request that it is passed, and the ``state`` keys named.

    Its steps are steps of the same run, and its model calls count for the limits of the agent that calls it.
    """

    def __init__(
        self,
        agent: Agent,
        *,
        name: str = "",
        description: str = "",
        state: Sequence[str] = (),
        policy: ToolPolicy = _TRUSTED,
        examples: Sequence[str] = (),
    ) -> None:
        self.agent = agent
        self.state = tuple(state)
        self.policy = policy
        self.examples = tuple(examples)
        request = {"type": "string", "description": "What is asked of it, with everything that it needs to know"}
        schema = {
            "type": "object",
            "properties": {"request": request},
            "required": ["request"],
            "additionalProperties": False,
        }
        said = description or agent.description or f"Asks the agent {agent.name}."
        self.declaration = Tool(name or agent.name, said, schema)

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG002
        """Only the loop performs it. Raises ``Unsupported``."""
        raise Unsupported(f"the agent {self.agent.name} can only be called by another agent")


class TransferTool:
    """Hands the conversation to one of ``targets``, descriptions by name. ``abilities`` are their tools."""

    policy = _TRUSTED

    def __init__(
        self,
        targets: Mapping[str, str],
        examples: Sequence[str] = (),
        abilities: Mapping[str, Sequence[BaseTool]] = MappingProxyType({}),
    ) -> None:
        self.targets = targets
        self.abilities = abilities
        self.examples = tuple(examples)
        known = "\n".join(f"- {name}: {said}" if said else f"- {name}" for name, said in targets.items())
        schema = {
            "type": "object",
            "properties": {"agent_name": {"type": "string", "enum": list(targets)}},
            "required": ["agent_name"],
            "additionalProperties": False,
        }
        self.declaration = Tool(
            TRANSFER,
            f"Hand the conversation over to the agent that is best suited to answer. There are:\n{known}",
            schema,
        )

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG002
        return self.chosen(arguments)

    def chosen(self, arguments: Mapping[str, Any]) -> ToolResult:
        """The hand-over that ``arguments`` ask for."""
        name = arguments.get("agent_name")
        if name not in self.targets:
            return ToolResult(error=f"There is no agent {name!r}. There are: {', '.join(self.targets)}.")
        return ToolResult(f"The conversation goes on with {name}.", transfer_to=str(name))


class ExitLoop:
    """Ends the surrounding ``LoopAgent``."""

    policy = _TRUSTED
    examples: tuple[str, ...] = ()
    declaration = Tool(
        "exit_loop",
        "Call this when the work is good enough and needs no further round.",
        {"type": "object", "properties": {}, "additionalProperties": False},
    )

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:  # noqa: ARG002
        return ToolResult("The loop ends.", escalate=True)


exit_loop = ExitLoop()
