"""A run in progress: its positions, and the calls of models, each a step of its history."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from mainspring.agents.errors import Waiting
from mainspring.agents.history import History, NoHistory, Step
from mainspring.agents.limits.budgets import Budget
from mainspring.agents.limits.repeats import Repeats
from mainspring.agents.loop.event_target import EventTarget
from mainspring.agents.loop.nodes import Node, Toolbox
from mainspring.agents.loop.ports import Surroundings
from mainspring.agents.tools.calling import spotlight
from mainspring.agents.tools.effects import Effects
from mainspring.agents.tools.provenance import Provenance
from mainspring.core.types import (
    ChatRequest,
    Citation,
    Context,
    Finish,
    FinishReason,
    Grammar,
    Message,
    Reasoning,
    Responder,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from mainspring.guards.rewrite.spotlight import Spotlight

_CHOICE = "0.1"
"""The position of the choice of a model for agents that name none: beside the input of the run, before all others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an agent has ended: with an answer, by handing over (``transfer_to``), by leaving the surrounding loop
    (``escalate``), or with ``calls`` that the client performs. ``limit`` is the limit that ended it."""

    text: str = ""
    finish: FinishReason = "stop"
    transfer_to: str = ""
    escalate: bool = False
    calls: tuple[ToolCall, ...] = ()
    limit: str = ""
    trail: tuple[Message, ...] = ()
    """What it said and found out, for the agent that goes on."""
    agent: str = ""
    """The agent that has the conversation at the end."""


class Frame:
    """The position of an agent in a run: its steps are numbered one after the other, those of agents within it below.
    ``state`` is what its agents share, ``budget`` the limits above it. ``client_tools`` and ``grammar`` are what the
    client asks for: they are for the agent that answers it."""

    __slots__ = ("_count", "_prefix", "budget", "client_tools", "grammar", "state")

    def __init__(
        self,
        state: dict[str, Any],
        prefix: str = "",
        budget: Budget | None = None,
        client_tools: tuple[Tool, ...] = (),
        grammar: Grammar | None = None,
    ) -> None:
        self.state = state
        self.budget = budget
        self.client_tools = client_tools
        self.grammar = grammar
        self._prefix = prefix
        self._count = 0

    def path(self) -> str:
        """The position of the next step."""
        self._count += 1
        return f"{self._prefix}{self._count}"

    def below(self, *, state: dict[str, Any] | None = None, budget: Budget | None = None, inner: bool = False) -> Frame:
        """The position of an agent within this one; ``inner``: it does not answer the client."""
        kept = ((), None) if inner else (self.client_tools, self.grammar)
        return Frame(self.state if state is None else state, f"{self.path()}.", budget or self.budget, *kept)


Enter = Callable[["Run", Node, Sequence[Message], Frame, EventTarget], Awaitable[Outcome]]


@dataclass(slots=True)
class Run:
    """What all agents of a run share. ``context`` is that of its inner calls, ``enter`` runs an agent within it."""

    context: Context
    history: History
    around: Surroundings
    enter: Enter
    session_id: str | None = None
    sampling: Sampling = Sampling()
    user: str | None = None
    parallel: bool = True
    citations: list[Citation] = field(default_factory=list)
    succeeded: set[str] = field(default_factory=set)
    """The tools that have been called without an error."""
    provenance: Provenance | None = None
    effects: Effects | None = None
    _toolboxes: dict[int, Toolbox] = field(default_factory=dict)
    _models: dict[str, tuple[str, Responder]] = field(default_factory=dict)
    _repeats: dict[str, Repeats] = field(default_factory=dict)
    _plain: dict[int, tuple[Message, dict[str, Any]]] = field(default_factory=dict)
    _light: Spotlight | None = None
    _choosing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def toolbox(self, node: Node) -> Toolbox:
        """The tools of an agent, looked up once a run."""
        found = self._toolboxes.get(id(node))
        if found is None:
            caller, context = self.around.caller, self.context
            found = (await node.toolbox(context)).without(
                lambda tool: not caller.offered(tool, context), node.agent.name
            )
            self._toolboxes[id(node)] = found
        return found

    async def model(self, name: str) -> tuple[str, Responder]:
        """The model of that name, looked up once a run."""
        found = self._models.get(name)
        if found is None:
            async with self._choosing:
                found = self._models.get(name) or await (self._found(name) if name else self._default())
                self._models[name] = found
        return found

    async def _found(self, name: str) -> tuple[str, Responder]:
        return await self.around.models.find(name, self.context)

    async def _default(self) -> tuple[str, Responder]:
        """The model of agents that name none, as it was when the run began: a step, since it may be another one when
        the run goes on."""
        found: tuple[str, Responder] | None = None

        async def perform(_: str) -> str:
            nonlocal found
            found = await self._found("")
            return found[0]

        try:
            name = await self.history.outcome(Step(_CHOICE, "value", "model", ""), perform)
        except Waiting:
            # The recording of a run from before this was a step.
            name = ""
        return found or await self._found(str(name))

    def plain(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """Messages as JSON values: each is written once in a run, however often models are sent it."""
        known, made = self._plain, []
        for each in messages:
            found = known.get(id(each))
            # The message is kept with its JSON, so that no other one gets its identity.
            if found is None:
                found = known[id(each)] = each, plain_message(each)
            made.append(found[1])
        return made

    def repeats(self, agent: str) -> Repeats:
        found = self._repeats.get(agent)
        if found is None:
            found = self._repeats[agent] = Repeats(agent)
        return found

    def guard(self, messages: Sequence[Message], state: dict[str, Any]) -> None:
        """Watch which texts are a stranger's, from these messages of the request on."""
        said = next((each.content for each in reversed(messages) if each.role == "user"), "")
        self.provenance = Provenance()
        self.provenance.begin(messages, state)
        self.effects = Effects(self.provenance, state, said)

    def apart(self, request: str = "") -> Run:
        """The same run for an agent beside others: what it reads is in no other's view. ``request`` is what it is
        asked."""
        if self.provenance is None:
            return self
        self.provenance.written(request)
        made = replace(self, provenance=self.provenance.fork())
        assert made.provenance is not None
        made.effects = Effects(made.provenance, {})
        return made

    def join(self, other: Run) -> None:
        """An agent beside others has ended."""
        if self.provenance is not None and other.provenance is not None:
            self.provenance.join(other.provenance)

    @property
    def light(self) -> Spotlight:
        """The delimiters around results that are not trusted: the same each time that the run is resumed or forked."""
        if self._light is None:
            self._light = spotlight(self.history.origin)
        return self._light

    def under(self, context: Context) -> Run:
        """The same run below another span or with another deadline."""
        return replace(self, context=context)


@dataclass(slots=True)
class Reply:
    """What a model has answered."""

    text: str = ""
    reasoning: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    finish: FinishReason = "stop"
    usage: Usage = Usage()
    citations: list[Citation] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As a JSON value."""
        used = self.usage
        made: dict[str, Any] = {"text": self.text, "finish": self.finish}
        if self.reasoning:
            made["reasoning"] = self.reasoning
        if self.calls:
            made["calls"] = [[call.id, call.name, call.arguments] for call in self.calls]
        if self.citations:
            made["citations"] = [asdict(each) for each in self.citations]
        made["usage"] = [used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.cost_nanousd]
        return made

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Reply:
        """From the outcome of a step."""
        calls = [ToolCall(*each) for each in found.get("calls", ())]
        cited = [Citation(**each) for each in found.get("citations", ())]
        return cls(found["text"], found.get("reasoning", ""), calls, found["finish"], Usage(*found["usage"]), cited)


def plain_message(message: Message) -> dict[str, Any]:
    """A message as a JSON value, without what is empty."""
    made: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.name:
        made["name"] = message.name
    if message.tool_calls:
        made["tool_calls"] = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    if message.tool_call_id:
        made["tool_call_id"] = message.tool_call_id
    if message.images:
        made["images"] = [hashlib.sha256(repr(each).encode()).hexdigest() for each in message.images]
    return made


async def ask(
    run: Run, request: ChatRequest, responder: Responder, path: str, budget: Budget, say: Callable[[Text], None] | None
) -> Reply:
    """The answer of a model, a step at ``path``. ``say`` gets its text as it comes; a recorded answer comes at once."""
    if isinstance(run.history, NoHistory):
        made = await _read(run, request, responder, path, say)
    else:
        made = await _recorded(run, request, responder, path, say)
    run.citations.extend(made.citations)
    budget.add(made.usage)
    return made


async def _recorded(
    run: Run, request: ChatRequest, responder: Responder, path: str, say: Callable[[Text], None] | None
) -> Reply:
    asked: dict[str, Any] = {"messages": run.plain(request.messages)}
    if request.tools:
        asked["tools"] = [each.name for each in request.tools]
        asked["tool_choice"] = request.tool_choice
    if request.sampling.grammar is not None:
        asked["grammar"] = request.sampling.grammar.source
    made: Reply | None = None

    async def perform(_: str) -> dict[str, Any]:
        nonlocal made
        made = await _read(run, request, responder, path, say)
        return made.plain()

    found = await run.history.outcome(Step(path, "model", request.model, asked), perform)
    if made is None:
        made = Reply.of(found)
        if say is not None and made.text:
            say(Text(made.text))
    return made


async def _read(
    run: Run, request: ChatRequest, responder: Responder, path: str, say: Callable[[Text], None] | None
) -> Reply:
    reply = Reply()
    said: list[str] = []
    thought: list[str] = []
    pieces: dict[int, list[str]] = {}
    response = await responder.respond(request, run.context)
    async with response:
        async for event in response:
            if isinstance(event, Text):
                said.append(event.text)
                if say is not None:
                    say(event)
            elif isinstance(event, ToolCallDelta):
                if event.choice == 0:
                    piece = pieces.setdefault(event.index, ["", "", ""])
                    piece[0] = event.id or piece[0]
                    piece[1] = event.name or piece[1]
                    piece[2] += event.arguments
            elif isinstance(event, Reasoning):
                thought.append(event.text)
            elif isinstance(event, Usage):
                reply.usage = reply.usage + event
            elif isinstance(event, Citation):
                reply.citations.append(event)
            elif isinstance(event, Finish):
                reply.finish = event.reason
    reply.text, reply.reasoning = "".join(said), "".join(thought)
    reply.calls = [
        ToolCall(call_id or f"call_{path}_{index}", name, arguments)
        for index, (call_id, name, arguments) in sorted(pieces.items())
    ]
    return reply
