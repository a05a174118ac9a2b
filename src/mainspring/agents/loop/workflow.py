"""Agents that run other agents: one after the other, side by side, or again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mainspring.agents.agent import LoopAgent
from mainspring.agents.loop.event_target import EventTarget, Lanes
from mainspring.agents.loop.nodes import Node
from mainspring.agents.loop.steps import Frame, Outcome, Run
from mainspring.core.types import Message, Text


async def run_sequence(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    """The answer of the last agent; an agent that escalates ends it."""
    outcome = Outcome()
    last = len(node.children) - 1
    for index, child in enumerate(node.children):
        place = shown if index == last else shown.within()
        outcome = await run.enter(run, child, view, frame.below(inner=index != last), place)
        if outcome.escalate or outcome.limit:
            return outcome if index == last else _said(outcome, child, shown)
    return outcome


async def run_parallel(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    """The answers of all agents, in their order. Each has a copy of the state; their changes are joined in order."""
    states = [dict(frame.state) for _ in node.children]
    places = [frame.below(state=state, inner=True) for state in states]
    lanes = Lanes(shown.emit, len(node.children))
    runs = [run.apart() for _ in node.children]
    works = [
        asyncio.ensure_future(lanes.run(index, each.enter(each, child, view, place, shown.within(lanes.lane(index)))))
        for index, (each, child, place) in enumerate(zip(runs, node.children, places, strict=True))
    ]
    try:
        # One that waits for a person does not end the others.
        found = await asyncio.gather(*works, return_exceptions=True)
    finally:
        for work in works:
            work.cancel()
        if works:
            await asyncio.wait(works)
    for each in runs:
        run.join(each)
    before = dict(frame.state)
    for state in states:
        frame.state.update(
            {key: value for key, value in state.items() if key not in before or before[key] is not value}
        )
    texts = []
    escalates = False
    for child, outcome in zip(node.children, found, strict=True):
        if isinstance(outcome, BaseException):
            raise outcome
        texts.append(f"{child.agent.name}: {outcome.text}")
        escalates = escalates or outcome.escalate
    outcome = Outcome("\n\n".join(texts), escalate=escalates)
    return _said(outcome, node, shown)


async def run_loop(run: Run, node: Node, view: Sequence[Message], frame: Frame, shown: EventTarget) -> Outcome:
    """The last words of the last agent that said something in the last round."""
    agent = node.agent
    assert isinstance(agent, LoopAgent)
    said = Outcome()
    for _ in range(agent.max_iterations):
        for child in node.children:
            outcome = await run.enter(run, child, view, frame.below(inner=True), shown.within())
            said = outcome if outcome.text and not (outcome.escalate and said.text) else said
            if outcome.escalate or outcome.limit:
                return _said(Outcome(said.text, said.finish, limit=outcome.limit), node, shown)
        if agent.until is not None and agent.until(frame.state):
            break
    return _said(Outcome(said.text, said.finish), node, shown)


def _said(outcome: Outcome, node: Node, shown: EventTarget) -> Outcome:
    if outcome.text and not shown.inner:
        shown.text(node.agent.name, Text(outcome.text))
    return outcome
