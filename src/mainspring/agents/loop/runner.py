"""Runs an agent on a conversation.

runner = Runner(agent, Surroundings(FixedModels({"writer": responder})))
outcome = await runner.run(request, context)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.agents.agent import Agent, Limits, LlmAgent, LoopAgent, ParallelAgent
from mainspring.agents.history import History, NoHistory
from mainspring.agents.limits.budgets import Budget
from mainspring.agents.loop.event_target import Emit, EventTarget
from mainspring.agents.loop.llm import run_llm
from mainspring.agents.loop.nodes import Node, tree
from mainspring.agents.loop.ports import Surroundings
from mainspring.agents.loop.steps import Frame, Outcome, Run
from mainspring.agents.loop.workflow import run_loop, run_parallel, run_sequence
from mainspring.core.types import ChatRequest, Context, Event, Finish, Message, ToolCallDelta
from mainspring.telemetry.tracing import NoTracing

ACTIVE = "_agent"
"""The key of a session's state under which the agent stands that goes on with the conversation."""
_UNLIMITED = Limits(steps=1_000_000_000, wall_s=1e9, depth=1_000)


def nowhere(_: Event) -> None:
    """Drops an event."""


class Runner:
    """An agent that is ready to run, any number of times at once. Raises ``SettingsError`` for a wrong definition."""

    def __init__(self, agent: Agent, around: Surroundings) -> None:
        self.agent = agent
        self.around = around
        self.root: Node = tree(agent)

    async def run(
        self,
        request: ChatRequest,
        context: Context,
        *,
        history: History | None = None,
        state: dict[str, Any] | None = None,
        emit: Emit = nowhere,
    ) -> Outcome:
        """The outcome for the conversation of ``request``, whose ``tools`` the client performs. ``state`` is changed.

        Raises ``Waiting`` if a person must act first, ``Diverged`` if ``history`` is of another agent, and errors of
        models.
        """
        run = Run(
            context.nested(),
            history or NoHistory(),
            self.around,
            enter,
            request.session_id,
            dataclasses.replace(request.sampling, grammar=None),
            request.user,
            request.parallel_tool_calls,
        )
        budget = Budget("run", _UNLIMITED)
        kept = {} if state is None else state
        if self.around.guarded:
            run.guard(request.messages, kept)
        tools = request.tools if request.tool_choice != "none" else ()
        frame = Frame(kept, "", budget, tools, request.sampling.grammar)
        outcome = await enter(run, self._first(kept), _told(request), frame, EventTarget(emit))
        kept.pop(ACTIVE, None)
        if outcome.agent != self.root.agent.name:
            kept[ACTIVE] = outcome.agent
        for index, citation in enumerate(run.citations):
            emit(dataclasses.replace(citation, index=index + 1))
        for index, call in enumerate(outcome.calls):
            emit(ToolCallDelta(0, index, call.id, call.name, call.arguments))
        emit(budget.used)
        emit(Finish(outcome.finish))
        return outcome

    def _first(self, state: Mapping[str, Any]) -> Node:
        """The agent that has the session's conversation; the root if there is none of that name."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if node.agent.name == state.get(ACTIVE):
                return node
            waiting += node.children if isinstance(node.agent, LlmAgent) else ()
        return self.root

    async def aclose(self) -> None:
        """End what the toolsets of its agents hold."""
        await self.root.aclose()


def _told(request: ChatRequest) -> Sequence[Message]:
    """The conversation, with what the caller says about the answer before it."""
    said = [] if request.prompt is None else [Message("system", request.prompt.text)]
    if request.again:
        said.append(Message("system", f"Your last answer to this was not sent. {request.again}"))
    return [*said, *request.messages] if said else request.messages


async def enter(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    """Run the agent of ``node``, and those to which it hands the conversation over. Each has one budget here, however
    often it gets the conversation back, within that of the agent that it belongs to."""
    held: dict[str, Budget] = {}
    above = frame.budget
    frame.budget = _budget(node, above, held)
    while True:
        tracer = run.around.tracer
        attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": node.agent.name}
        opened = tracer.span("agent", run.context, **attributes) if tracer else NoTracing(run.context)
        with opened as span:
            inner = run if tracer is None else run.under(span.context)
            outcome = await _one(inner, node, view, frame, shown)
        if not outcome.transfer_to:
            return dataclasses.replace(outcome, agent=node.agent.name)
        target = node.targets()[outcome.transfer_to]
        view, node = _seen(target, view, outcome), target
        frame = frame.below(budget=_budget(node, above, held))


def _budget(node: Node, above: Budget | None, held: dict[str, Budget]) -> Budget | None:
    """The budget of the agent of ``node``, which is ``held`` from then on; a workflow has none of its own."""
    agent, parent = node.agent, node.parent
    handed = parent is not None and isinstance(parent.agent, LlmAgent)
    over = _budget(parent, above, held) if parent is not None and handed else above
    if not isinstance(agent, LlmAgent):
        return over
    if agent.name not in held:
        held[agent.name] = Budget(agent.name, agent.limits, over, handed=handed)
    return held[agent.name]


async def _one(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    agent = node.agent
    if isinstance(agent, LlmAgent):
        return await run_llm(run, node, view, frame, shown)
    if isinstance(agent, ParallelAgent):
        return await run_parallel(run, node, view, frame, shown)
    if isinstance(agent, LoopAgent):
        return await run_loop(run, node, view, frame, shown)
    return await run_sequence(run, node, view, frame, shown)


def _seen(target: Node, view: Sequence[Message], outcome: Outcome) -> list[Message]:
    """What the agent that goes on sees of the session."""
    turns = target.agent.turns if isinstance(target.agent, LlmAgent) else None
    if turns is None:
        return [*view, *outcome.trail]
    system = [each for each in view if each.role in ("system", "developer")]
    latest = [each for each in view if each.role not in ("system", "developer")][-turns:] if turns else []
    # A tool's result without its call means nothing.
    while latest and latest[0].role != "user":
        latest.pop(0)
    return [*system, *latest]
