"""The agents of a system: those of the configuration and of plugins, and those that tenants made over HTTP."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mainspring.agents.agent import Agent, LlmAgent, LoopAgent, ParallelAgent, SequentialAgent
from mainspring.agents.choice.chooser import made_for
from mainspring.agents.context.composer import TieredComposer
from mainspring.agents.digests import digest
from mainspring.agents.directory import ServedAgent
from mainspring.agents.loop.ports import Surroundings
from mainspring.agents.loop.responder import AgentResponder
from mainspring.agents.runs import Histories, NoHistories
from mainspring.agents.tools.base import Toolset
from mainspring.agents.tools.calling import ToolCaller
from mainspring.core.errors import MainspringError, NotFound, SettingsError
from mainspring.core.types import Context, Principal
from mainspring.feature import AGENT, TOOLSET, Rooms, Services
from mainspring.features.agents import definition as data
from mainspring.features.agents.draft import Brief, Draft, drafted
from mainspring.features.agents.settings import AgentsSettings
from mainspring.features.agents.store import AgentStore, KeptAgent
from mainspring.features.agents.surroundings import RegistryPlaybooks, SystemModels
from mainspring.serving.memory.tokens import Tokens
from mainspring.serving.ring.registry import Served
from mainspring.stores.sql.pages import Page

_KINDS = (LlmAgent, SequentialAgent, ParallelAgent, LoopAgent)
_KEPT = 256


@dataclass(frozen=True, slots=True)
class FixedAgent:
    """An agent that all tenants may ask. ``source`` is ``configuration``, ``module``, ``feature`` or ``plugin``,
    ``definition`` what it was made of (None: Python)."""

    responder: AgentResponder
    source: str
    definition: Mapping[str, Any] | None = None


class Agents:
    """Serves agents under their names; an ``AgentDirectory``."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._settings = rooms.settings.section(AgentsSettings)
        self.store = AgentStore(rooms.stores.database, self._settings.max_agents)
        self.fixed: dict[str, FixedAgent] = {}
        self._kept: dict[tuple[str, str, int], AgentResponder] = {}
        self._around: Surroundings | None = None

    async def serve(self, services: Services) -> None:
        """Serve the agents of the configuration and of plugins, and those of tenants from now on. Raises
        ``SettingsError`` that names the agent and the field."""
        rooms, settings = self._rooms, self._settings
        chooser = made_for(rooms.engines.embedder)
        prompts = rooms.path.services.prompts
        operator = rooms.settings.serving.prompts_tenant
        self._around = Surroundings(
            SystemModels(rooms, settings, chooser),
            services.perhaps(Histories) or NoHistories(),  # type: ignore[type-abstract]
            chooser,
            None if prompts is None else RegistryPlaybooks(prompts, operator),
            rooms.telemetry.tracing,
            composer=TieredComposer(
                Tokens(rooms.engines.chat).window, settings.context_tokens, rooms.telemetry.tracing
            ),
            caller=ToolCaller.of(rooms.path),
        )
        for name, found in settings.definitions.items():
            place = f"agents.definitions.{name}"
            try:
                agent = self.made({"name": name, **found}, place, everything=True)
            except MainspringError as error:
                raise SettingsError(error.message, remedy=error.remedy) from None
            self._add(agent, "configuration", {"name": name, **found})
        for name in settings.modules:
            self._add(_imported(name), "module")
        of_plugins = rooms.engines.plugins.brought(AGENT)
        for name, brought in rooms.engines.plugins.made(AGENT, rooms):
            if isinstance(brought, _KINDS):
                self._add(brought, "plugin" if name in of_plugins else "feature")
            else:
                rooms.engines.plugins.leave_out(f"agent {name}", SettingsError(f"{name} is not an agent"))
        rooms.path.registry.attach(self)

    def surroundings(self) -> Surroundings:
        """What the runs of all agents share; there once agents are served."""
        assert self._around is not None
        return self._around

    def made(self, found: Mapping[str, Any], place: str = "", *, everything: bool = False) -> Agent:
        """The agent of a definition. ``everything``: it may use all toolsets and Python functions. Raises
        ``InvalidRequest`` naming the field."""
        permitted = None if everything or "*" in self._settings.toolsets else frozenset(self._settings.toolsets)
        agent = data.made(data.read(found, place), data.Making(self._toolset, permitted, everything), place)
        # Names that occur twice are found while the tree is made.
        self._responder(agent)
        return agent

    async def draft(self, brief: Brief, model: str, context: Context) -> Draft:
        """A checked playbook. Raises ``UnknownModel`` and ``UnfitAnswer``."""
        assert self._around is not None
        name, _ = await self._around.models.find(model, context)
        return await drafted(brief, name, self._rooms.responder, context)

    def served(self, name: str, principal: Principal) -> bool:
        """Whether something that is served, such as a model or an application, has that name."""
        return self._rooms.path.registry.fixed(name, principal, inner=True) is not None

    async def find(self, name: str, principal: Principal) -> Served | None:
        """The tenant's agent of that name."""
        try:
            kept = await self.store.get(principal, name)
        except NotFound:
            return None
        return self._served(kept)

    async def visible(self, principal: Principal) -> list[Served]:
        """The tenant's agents."""
        return [self._served(each) for each in await self._all(principal)]

    async def agents(self, principal: Principal) -> Sequence[ServedAgent]:
        """See ``AgentDirectory``."""
        found = [each.responder for each in self.fixed.values()]
        found += [self._of(each) for each in await self._all(principal)]
        return [ServedAgent(each.agent.name, each.agent, each.version) for each in found]

    async def aclose(self) -> None:
        """End what toolsets hold."""
        for responder in [*(each.responder for each in self.fixed.values()), *self._kept.values()]:
            await responder.runner.aclose()

    async def _all(self, principal: Principal) -> list[KeptAgent]:
        found: list[KeptAgent] = []
        more = True
        while more:
            page = await self.store.page(principal, Page(100, "asc", found[-1].name if found else None))
            found += page.rows
            more = page.more
        return found

    def _served(self, kept: KeptAgent) -> Served:
        return Served(kept.name, "application", self._of(kept), created=int(kept.created_at), owner=kept.tenant)

    def _of(self, kept: KeptAgent) -> AgentResponder:
        place = kept.tenant, kept.name, kept.version
        found = self._kept.get(place)
        if found is None:
            found = self._kept[place] = self._responder(self.made(kept.definition))
            while len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return found

    def _add(self, agent: Agent, source: str, definition: Mapping[str, Any] | None = None) -> None:
        responder = self._responder(agent)
        self._rooms.path.registry.add(Served(agent.name, "application", responder, created=int(time.time())))
        self._rooms.telemetry.metrics.serve(agent.name)
        self.fixed[agent.name] = FixedAgent(responder, source, definition)

    def _responder(self, agent: Agent) -> AgentResponder:
        assert self._around is not None
        return AgentResponder(agent, self._around, digest(agent))

    def _toolset(self, name: str, options: Mapping[str, Any]) -> Toolset:
        return self._rooms.engines.plugins.make(TOOLSET, name, self._rooms, options)


def _imported(name: str) -> Agent:
    try:
        found = data.imported(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"agents.modules names {name!r}, which cannot be imported: {error}") from None
    if not isinstance(found, _KINDS):
        remedy = "Name an LlmAgent, SequentialAgent, ParallelAgent or LoopAgent"
        raise SettingsError(f"agents.modules names {name!r}, which is not an agent", remedy=remedy)
    return found
