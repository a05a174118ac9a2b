"""A dialogue with the sample shop, without a model: patterns of the script decide alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mainspring.agents.agent import LlmAgent
from mainspring.agents.handover import Desk
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.tools.base import ToolContext, ToolResult
from mainspring.core.types import ChatRequest, Context, Event, Message, Principal
from mainspring.engines.base import Embedder
from mainspring.features.support.dialogue.manager import Manager
from mainspring.features.support.script.shop import SCRIPT
from mainspring.features.support.shop.sqlite import SqliteShop
from mainspring.features.support.tools import toolset
from mainspring.features.support.tools.base import told
from tests.agents.loop.scripted import ScriptedModel

CONTEXT = Context(Principal("shop", "key_1"))


class Handbook:
    """Answers every question with itself."""

    async def search_policies(self, question: str, context: ToolContext) -> ToolResult:
        """Answer a question from the shop's policies."""
        return ToolResult(told(f"The handbook on {question!r}."))


class Customer:
    """Talks to the agent: ``say`` returns its answer. ``shop`` is what its tools have changed."""

    def __init__(
        self,
        folder: Path,
        *,
        desk: Desk | None = None,
        embedder: Embedder | None = None,
        model: ScriptedModel | None = None,
        way: str = "choice",
    ) -> None:
        self.shop = SqliteShop(folder / "shop.db")
        self.tools = toolset.made(self.shop, lambda: desk, Handbook())  # type: ignore[arg-type]
        manager = Manager(SCRIPT, embedder)
        agent = LlmAgent(name="support", tools=self.tools, chooser=manager, callbacks=manager.callbacks)
        models = FixedModels({"model": model or ScriptedModel([])}, {"model": way})  # type: ignore[dict-item]
        self.runner = Runner(agent, Surroundings(models))
        self.state: dict[str, Any] = {}
        self.said: list[Message] = []
        self.events: list[Event] = []

    async def say(self, text: str) -> str:
        """The answer to a message."""
        self.said.append(Message("user", text))
        self.events = []
        request = ChatRequest("support", tuple(self.said))
        outcome = await self.runner.run(request, CONTEXT, state=self.state, emit=self.events.append)
        self.said.append(Message("assistant", outcome.text))
        return outcome.text

    def tool(self, name: str) -> Any:
        return next(each for each in self.tools if each.declaration.name == name)

    async def call(self, name: str, *, key: str = "1", **arguments: Any) -> Any:
        """What a tool returns in this conversation."""
        context = ToolContext(CONTEXT, "run", "call", key, "support", self.state)
        result = await self.tool(name).call(arguments, context)
        assert not result.error, result.error
        return result.output
