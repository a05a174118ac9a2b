"""A definition made ready to run: the tree of agents, and the tools of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mainspring.agents.agent import Agent, LlmAgent
from mainspring.agents.loop.agent_tool import AgentTool, TransferTool
from mainspring.agents.tools.base import BaseTool, FixedToolset, Toolset
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.errors import SettingsError
from mainspring.core.types import Context, Tool


class Toolbox:
    """The tools that an agent has in one run, and which other agents it may hand over to."""

    __slots__ = ("declarations", "names", "tools", "untrusted")

    def __init__(self, tools: Sequence[BaseTool], agent: str) -> None:
        self.tools: dict[str, BaseTool] = {}
        for each in tools:
            name = each.declaration.name
            if name in self.tools:
                raise SettingsError(f"the agent {agent} has two tools named {name}", param="tools")
            self.tools[name] = each
        self.declarations: tuple[Tool, ...] = tuple(each.declaration for each in tools)
        self.names = list(self.tools)
        self.untrusted = any(not each.policy.trusted for each in tools)

    def add(self, tool: BaseTool) -> None:
        """A tool that came up within a run; one of that name is left as it is."""
        name = tool.declaration.name
        if name not in self.tools:
            self.tools[name] = tool
            self.names.append(name)
            self.declarations = (*self.declarations, tool.declaration)

    def without(self, hidden: Callable[[BaseTool], bool], agent: str) -> Toolbox:
        """One of its own for a run, without the tools that are ``hidden``: what comes up in one run is in no other."""
        return Toolbox([each for each in self.tools.values() if not hidden(each)], agent)


class Node:
    """An agent in its tree."""

    __slots__ = ("_fixed", "_own", "_sets", "agent", "children", "nested", "parent")

    def __init__(self, agent: Agent, parent: Node | None = None) -> None:
        self.agent = agent
        self.parent = parent
        self.children = tuple(Node(each, self) for each in agent.sub_agents)
        self.nested: dict[str, Node] = {}
        self._own: list[BaseTool] = []
        self._sets: list[Toolset] = []
        self._fixed: Toolbox | None = None
        if isinstance(agent, LlmAgent):
            self._sort(agent)

    def finished(self) -> Node:
        """With the agents that it may hand over to: the whole tree must be there for that."""
        for each in (*self.children, *self.nested.values()):
            each.finished()
        if isinstance(self.agent, LlmAgent):
            targets = self.targets()
            if targets:
                said = {name: node.agent.description for name, node in targets.items()}
                self._own.append(
                    TransferTool(said, abilities={name: node.abilities() for name, node in targets.items()})
                )
            if not self._sets:
                self._fixed = Toolbox(self._own, self.agent.name)
        return self

    def targets(self) -> dict[str, Node]:
        """The agents that the conversation can be handed to from here, by name."""
        agent, parent = self.agent, self.parent
        if not isinstance(agent, LlmAgent):
            return {}
        found = list(self.children)
        if parent is not None and isinstance(parent.agent, LlmAgent):
            found += [] if agent.disallow_transfer_to_parent else [parent]
            found += [] if agent.disallow_transfer_to_peers else [each for each in parent.children if each is not self]
        return {each.agent.name: each for each in found}

    def abilities(self) -> tuple[BaseTool, ...]:
        """The tools that it has for every caller, without those that hand over."""
        return tuple(each for each in self._own if not isinstance(each, TransferTool))

    async def toolbox(self, context: Context) -> Toolbox:
        """The tools for this caller."""
        if self._fixed is not None:
            return self._fixed
        found = list(self._own)
        for each in self._sets:
            found += await each.tools(context)
        return Toolbox(found, self.agent.name)

    def every(self) -> list[Node]:
        """This and all nodes beneath, those of agents as tools included."""
        return [self, *(node for each in (*self.children, *self.nested.values()) for node in each.every())]

    async def aclose(self) -> None:
        """End what its toolsets hold."""
        for node in self.every():
            for each in node._sets:
                await each.aclose()

    def _sort(self, agent: LlmAgent) -> None:
        for each in agent.tools:
            if isinstance(each, AgentTool):
                self._own.append(each)
                self.nested[each.declaration.name] = Node(each.agent)
            elif isinstance(each, BaseTool):
                self._own.append(each)
            elif isinstance(each, FixedToolset):
                self._own += each.fixed
            elif isinstance(each, Toolset):
                self._sets.append(each)
            else:
                self._own.append(FunctionTool(each))


def tree(agent: Agent) -> Node:
    """The tree of ``agent``. Raises ``SettingsError`` for two agents of one name."""
    root = Node(agent).finished()
    names: set[str] = set()
    for node in root.every():
        if node.agent.name in names:
            raise SettingsError(f"two agents are named {node.agent.name}", remedy="Rename one", param="name")
        names.add(node.agent.name)
    return root
