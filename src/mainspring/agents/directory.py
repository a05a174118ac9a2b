"""What other features see of the agents that are served."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mainspring.agents.agent import Agent
from mainspring.core.types import Principal


@dataclass(frozen=True, slots=True)
class ServedAgent:
    """An agent under its served name. ``version`` is a digest of its definition."""

    name: str
    agent: Agent
    version: str


@runtime_checkable
class AgentDirectory(Protocol):
    """The agents of a system: ``Services.fitting(AgentDirectory)`` finds it."""

    async def agents(self, principal: Principal) -> Sequence[ServedAgent]:
        """Those that ``principal`` may ask, by name."""
        ...
