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
        description="the model of agents that name none; empty: models.larger once it is served, else the first one",
    )
    reasoning: dict[str, Reasoning] = Field(
        default_factory=dict, description="how models call tools, by their names: native, react or choice"
    )
    toolsets: list[str] = Field(
        default_factory=lambda: ["collection", "artifacts", "memory"],
        description="the toolsets that agents made over HTTP may use, besides other agents; * is every one",
    )
    context_tokens: int = Field(
        0, ge=0, description="the most tokens that a model of an agent is sent; 0: 70 % of its context window"
    )
    max_agents: int = Field(1_000, ge=1, description="agents of one tenant that are made over HTTP")


SECTIONS = {"agents": AgentsSettings}
