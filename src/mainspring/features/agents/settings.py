"""Settings of agents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mainspring.agents.agent import Reasoning
from mainspring.core.settings.section import Section


class AgentsSettings(Section):
    """Agents that are served as models."""

    definitions: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="agents by their names, as data (see the guide of agents)"
    )
    modules: list[str] = Field(default_factory=list, description="agents of Python modules, as module:name")
    model: str = Field(
        "",
        description="default model of agents; empty: models.larger if it is served, otherwise the first model",
    )
    reasoning: dict[str, Reasoning] = Field(
        default_factory=dict, description="tool-calling mode by model name: native, react or choice"
    )
    toolsets: list[str] = Field(
        default_factory=lambda: ["collection", "artifacts", "memory"],
        description="toolsets that agents created over HTTP may use, besides other agents; *: all",
    )
    context_tokens: int = Field(
        0, ge=0, description="maximum prompt tokens of an agent's model call; 0: 70 % of the context window"
    )
    max_agents: int = Field(1_000, ge=1, description="agents per tenant that are created over HTTP")


SECTIONS = {"agents": AgentsSettings}
