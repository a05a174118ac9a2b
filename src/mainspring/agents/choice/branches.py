"""Handing over as a choice among agents: each agent that can go on is weighed like a tool, and so are its own tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from mainspring.agents.choice.base import Chosen
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult
from mainspring.core.types import Tool


@runtime_checkable
class HandOver(Protocol):
    """A tool that hands the conversation to one of ``targets``, descriptions by name, in its only argument.
    ``abilities`` are the tools of each, by name."""

    @property
    def targets(self) -> Mapping[str, str]: ...

    @property
    def abilities(self) -> Mapping[str, Sequence[BaseTool]]: ...

    @property
    def declaration(self) -> Tool: ...


@dataclass(frozen=True, slots=True)
class Branch:
    """One target of a hand-over, as a tool without arguments: ``target`` as a whole, or one of its tools, which is its
    ``ability``."""

    target: str
    declaration: Tool
    examples: tuple[str, ...]
    call_name: str
    argument: str
    ability: BaseTool | None = None
    policy: ToolPolicy = ToolPolicy(trusted=True)

    async def call(self, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """It stands for another tool, which is called."""
        raise NotImplementedError


def spread(tools: Sequence[BaseTool]) -> list[BaseTool]:
    """The tools, with branches in the place of a hand-over."""
    found: list[BaseTool] = []
    for tool in tools:
        if isinstance(tool, HandOver):
            found += _branches(tool)
        else:
            found.append(tool)
    return found


def gathered(calls: Sequence[Chosen], tools: Sequence[BaseTool]) -> tuple[Chosen, ...]:
    """The calls as they are made: a branch is a call of the hand-over, and only the first one is."""
    branches = {tool.declaration.name: tool for tool in tools if isinstance(tool, Branch)}
    found: list[Chosen] = []
    for call in calls:
        branch = branches.get(call.name)
        if branch is None:
            found.append(call)
        elif not any(each.name == branch.call_name for each in found):
            found.append(Chosen(branch.call_name, {branch.argument: branch.target}))
    return tuple(found)


def _branches(tool: HandOver) -> list[BaseTool]:
    (argument,) = tool.declaration.parameters["properties"]
    name = tool.declaration.name
    found: list[BaseTool] = []
    for target, said in tool.targets.items():
        if said:
            found.append(Branch(target, Tool(target, said), (), name, argument))
        for each in tool.abilities.get(target, ()):
            declared = each.declaration
            as_tool = Tool(f"{target}.{declared.name}", declared.description, {})
            found.append(Branch(target, as_tool, tuple(each.examples), name, argument, each))
    return found


def ability(tool: BaseTool) -> BaseTool:
    """The tool that a branch leads to; any other tool itself."""
    return tool.ability if isinstance(tool, Branch) and tool.ability is not None else tool
