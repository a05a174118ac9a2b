"""The rooms of a system as the loop of agents needs them."""

from __future__ import annotations

from mainspring.agents.agent import Reasoning
from mainspring.agents.choice.base import UNABLE, Chooser
from mainspring.core.errors import NotFound, UnknownModel
from mainspring.core.types import Context, PromptUse, Responder
from mainspring.feature import Rooms
from mainspring.features.agents.settings import AgentsSettings
from mainspring.serving.prompts.registry import PromptRegistry


class SystemModels:
    """The models of the system, within their call rings; then whatever else is served: routes, collections."""

    def __init__(self, rooms: Rooms, settings: AgentsSettings, chooser: Chooser | None) -> None:
        self._chat = rooms.path.chat
        self._larger = rooms.settings.models.larger
        self._registry = rooms.path.registry
        self._engines = rooms.engines
        self._settings = settings
        self._chooser = chooser

    async def find(self, name: str, context: Context) -> tuple[str, Responder]:
        """The model of that name. Raises ``UnknownModel``."""
        name = name or self._settings.model or self._usual()
        if not name:
            remedy = "Set models.chat, or agents.model"
            raise UnknownModel("no chat model is served, so agents have none to ask", remedy=remedy, param="model")
        if (found := self._chat.get(name)) is not None:
            return name, found
        return name, (await self._registry.find(name, context.principal, inner=True)).responder

    def _usual(self) -> str:
        """The model of agents that name none: the larger one once it is served, else the first that can act at all."""
        able = [each for each in self._chat if each not in UNABLE]
        return self._larger if self._larger in self._chat else next(iter([*able, *self._chat]), "")

    def reasoning(self, name: str) -> Reasoning:
        """As configured; models elsewhere call tools natively, those that run here are helped to choose."""
        if (wanted := self._settings.reasoning.get(name)) is not None and wanted != "auto":
            return wanted
        model = self._engines.chat.get(name)
        if model is None or model.engine.capabilities.templates or self._chooser is None:
            return "native"
        return "choice"


class RegistryPlaybooks:
    """Playbooks are prompts of the registry: those of the caller's tenant, else those of ``operator``."""

    def __init__(self, prompts: PromptRegistry, operator: str) -> None:
        self._prompts = prompts
        self._operator = operator

    async def text(self, name: str, context: Context) -> str:
        """The text of ``name`` or ``name@label``, which has no variables. Raises ``NotFound``, ``InvalidRequest``."""
        name, _, wanted = name.removeprefix("prompt:").partition("@")
        use = PromptUse(name, wanted)
        try:
            return (await self._prompts.resolve(context.principal.tenant, use, "playbook")).text
        except NotFound:
            return (await self._prompts.resolve(self._operator, use, "playbook")).text
