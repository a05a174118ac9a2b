"""What the loop needs of the rooms around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from mainspring.agents.agent import Reasoning
from mainspring.agents.choice.base import Chooser
from mainspring.agents.loop.plain_calls import PlainCalls
from mainspring.agents.runs import Histories, NoHistories
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.agents.tools.calling import CheckedCall
from mainspring.core.errors import UnknownModel
from mainspring.core.types import Context, Message, Responder
from mainspring.telemetry.tracing import Span


class Models(Protocol):
    """The models that agents may ask, each within its call ring."""

    async def find(self, name: str, context: Context) -> tuple[str, Responder]:
        """The name and the responder of ``name``; of the default model for an empty one. Raises ``UnknownModel``."""
        ...

    def reasoning(self, name: str) -> Reasoning:
        """How the model of that full name calls tools best."""
        ...


class FixedModels:
    """These models; the first is the default one. ``ways`` say how those call tools that do not do it natively."""

    def __init__(self, models: Mapping[str, Responder], ways: Mapping[str, Reasoning] | None = None) -> None:
        self._models = models
        self._ways = ways or {}

    async def find(self, name: str, context: Context) -> tuple[str, Responder]:  # noqa: ARG002
        name = name or next(iter(self._models), "")
        if name not in self._models:
            raise UnknownModel(f"no model {name!r} is served", param="model")
        return name, self._models[name]

    def reasoning(self, name: str) -> Reasoning:
        return self._ways.get(name, "native")


class Calls(Protocol):
    """Calls tools: see ``agents.tools.calling``."""

    def offered(self, tool: BaseTool, context: Context) -> bool: ...

    def check(self, tool: BaseTool, arguments: str | Mapping[str, Any], context: Context) -> CheckedCall: ...

    async def perform(self, tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult: ...


class Playbooks(Protocol):
    """The prompts of the registry."""

    async def text(self, name: str, context: Context) -> str:
        """The text of ``name`` or ``name@label``. Raises ``NotFound``."""
        ...


class Tracer(Protocol):
    """Opens spans."""

    def span(self, name: str, context: Context, **attributes: Any) -> AbstractContextManager[Span]: ...


@runtime_checkable
class Composer(Protocol):
    """Assembles what a model is asked from the conversation, within its window."""

    async def compose(self, messages: Sequence[Message], model: str, context: Context) -> Sequence[Message]:
        """The messages to be sent. It depends on its arguments alone."""
        ...

    def tools(self, context: Context) -> Sequence[BaseTool]:
        """What reads the rest of results that were shown in part; none while all are shown whole."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What runs share. Without a ``chooser`` no agent reasons by choice; without a ``composer`` models are sent the
    whole conversation. A call with an effect that only a stranger's text asks for is not made, unless ``guarded`` is
    false."""

    models: Models
    histories: Histories = field(default_factory=NoHistories)
    chooser: Chooser | None = None
    playbooks: Playbooks | None = None
    tracer: Tracer | None = None
    composer: Composer | None = None
    caller: Calls = PlainCalls()
    guarded: bool = True


@runtime_checkable
class Surrounded(Protocol):
    """A service that knows what runs of agents share in this system."""

    def surroundings(self) -> Surroundings:
        """There once agents are served."""
        ...
