"""Models that say what their script says, and the outcomes of agents that ask them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from mainspring.agents.agent import Agent
from mainspring.agents.loop.ports import FixedModels, Surroundings
from mainspring.agents.loop.runner import Runner
from mainspring.agents.loop.steps import Outcome
from mainspring.core.path import replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Message,
    Principal,
    Request,
    Response,
    Text,
    ToolCallDelta,
    Usage,
)

CONTEXT = Context(Principal("t", "k"))
Said = str | list[tuple[str, dict[str, Any]]] | Exception
"""A text, calls of tools with their arguments, or an error."""
Says = Sequence[Said] | Callable[[ChatRequest], Said]


class ScriptedModel:
    """Says one piece after the other, or what a function makes of the request; each costs ``cost`` nano-US-dollars.
    ``seen`` are the requests."""

    def __init__(self, says: Says, cost: int = 0) -> None:
        self._says = says
        self._cost = cost
        self.seen: list[ChatRequest] = []

    def fingerprint(self, request: Request, context: Context) -> str | None:
        return None

    async def respond(self, request: Request, context: Context) -> Response:
        assert isinstance(request, ChatRequest)
        said = self._says(request) if callable(self._says) else self._says[len(self.seen)]
        self.seen.append(request)
        if isinstance(said, Exception):
            raise said
        events: list[Event]
        if isinstance(said, str):
            events = [Text(said), Usage(10, 5, 0, self._cost), Finish("stop")]
        else:
            events = [
                ToolCallDelta(0, index, f"call_{len(self.seen)}_{index}", name, json.dumps(arguments))
                for index, (name, arguments) in enumerate(said)
            ]
            events += [Usage(10, 5, 0, self._cost), Finish("tool_calls")]
        return Response(Head("m"), replay(events))


def asked(text: str = "hello", **fields: Any) -> ChatRequest:
    """A request of a user."""
    return ChatRequest("agent", (Message("user", text),), **fields)


class Ran:
    """What an agent did: its outcome, the events, what its model was asked, the state that it left."""

    def __init__(self, outcome: Outcome, events: list[Event], model: ScriptedModel, state: dict[str, Any]) -> None:
        self.outcome, self.events, self.model, self.state = outcome, events, model, state

    @property
    def shown(self) -> str:
        return "".join(each.text for each in self.events if isinstance(each, Text))

    def told(self, turn: int) -> str:
        """What the model was told last in that turn."""
        return self.model.seen[turn].messages[-1].content


async def ran(agent: Agent, says: Says, *, request: ChatRequest | None = None, cost: int = 0, **given: Any) -> Ran:
    """Run ``agent`` with a model that says this."""
    model, events = ScriptedModel(says, cost), list[Event]()
    around = given.pop("around", {})
    state = given.pop("state", {})
    runner = Runner(agent, Surroundings(FixedModels({"m": model}), **around))
    context = given.pop("context", CONTEXT)
    outcome = await runner.run(request or asked(), context, emit=events.append, state=state, **given)
    return Ran(outcome, events, model, state)
