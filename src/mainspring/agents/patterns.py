"""Common shapes of one or several agents, made of the four classes. Each function returns an ordinary agent.

support = coordinator("support", [orders, policies], "Route customers' requests.")
report = fan_out("report", [market, law], "Sum up what they found: {market} {law}")
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mainspring.agents.agent import (
    Agent,
    Callbacks,
    Limits,
    LlmAgent,
    LoopAgent,
    ParallelAgent,
    SequentialAgent,
    State,
)
from mainspring.agents.loop.agent_tool import AgentTool, exit_loop
from mainspring.agents.loop.structured import dumps
from mainspring.agents.tools.base import BaseTool, ToolPolicy, Toolset
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.types import ChatRequest, Message, ToolCall

Tools = Sequence[BaseTool | Toolset | Callable[..., Any]]
VERDICT = {
    "type": "object",
    "properties": {"reason": {"type": "string", "maxLength": 400}, "approved": {"type": "boolean"}},
    "required": ["reason", "approved"],
    "additionalProperties": False,
}
PLAN = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 12}},
    "required": ["steps"],
    "additionalProperties": False,
}
THOUGHT = {
    "type": "object",
    "properties": {"thought": {"type": "string", "maxLength": 2000}, "answer": {"type": "string"}},
    "required": ["thought", "answer"],
    "additionalProperties": False,
}


def coordinator(name: str, specialists: Sequence[Agent], instruction: str, **fields: Any) -> LlmAgent:
    """Hands the conversation to the specialist that is best suited, and gets it back from there."""
    return LlmAgent(name=name, instruction=instruction, sub_agents=specialists, **fields)


def peers(name: str, agents: Sequence[LlmAgent], first: str, **fields: Any) -> LlmAgent:
    """Agents that hand the conversation to each other: none owns the plan. ``first`` says who begins."""
    return coordinator(
        name, [dataclasses.replace(each, disallow_transfer_to_parent=True) for each in agents], first, **fields
    )


def hierarchy(name: str, specialists: Sequence[Agent], instruction: str, **fields: Any) -> LlmAgent:
    """Owns the plan and calls the specialists as tools: they see what they are passed, and do not know each other."""
    return LlmAgent(name=name, instruction=instruction, tools=[AgentTool(each) for each in specialists], **fields)


def chain_of_thought(name: str, instruction: str = "", **fields: Any) -> SequentialAgent:
    """Thinks step by step before it answers. The thoughts are shown as thoughts; the state has ``{"thought",
    "answer"}`` under its name."""
    told = "Think step by step under `thought`, and check each step. Then give the result under `answer`."
    text = f"{instruction}\n\n{told}" if instruction else told
    thinker = LlmAgent(name=f"{name}-thinker", instruction=text, output_schema=THOUGHT, output_key=name, **fields)
    return SequentialAgent(name=name, sub_agents=[thinker, says(f"{name}-answer", lambda state: _answer(state[name]))])


def fan_out(name: str, members: Sequence[LlmAgent], aggregate: str, **fields: Any) -> SequentialAgent:
    """Asks all members at once, then one that puts their answers together; ``aggregate`` names them as ``{member}``."""
    asked = [each if each.output_key else dataclasses.replace(each, output_key=each.name) for each in members]
    last = LlmAgent(name=f"{name}-aggregate", instruction=aggregate, **fields)
    return SequentialAgent(name=name, sub_agents=[ParallelAgent(name=f"{name}-members", sub_agents=asked), last])


def debate(name: str, pro: str, con: str, judge: str, *, rounds: int = 1, **fields: Any) -> SequentialAgent:
    """Two sides argue, each reading what the other has said, and a judge decides. ``pro``, ``con`` and ``judge`` are
    instructions."""
    one, other = f"{name}_pro", f"{name}_con"
    against = "\n\nThe other side said: {%s?}"
    sides = [
        LlmAgent(name=f"{name}-pro", instruction=pro + against % other, output_key=one, **fields),
        LlmAgent(name=f"{name}-con", instruction=con + against % one, output_key=other, **fields),
    ]
    last = f"{judge}\n\nFor it: {{{one}}}\n\nAgainst it: {{{other}}}"
    argued = LoopAgent(name=f"{name}-rounds", sub_agents=sides, max_iterations=rounds)
    return SequentialAgent(name=name, sub_agents=[argued, LlmAgent(name=f"{name}-judge", instruction=last, **fields)])


def generator_critic(name: str, generator: str, critic: str, **fields: Any) -> SequentialAgent:
    """One writes, another one says what is wrong with it, and the first writes it again."""
    draft, faults = f"{name}_draft", f"{name}_faults"
    again = f"{generator}\n\nYour draft: {{{draft}}}\n\nWhat is wrong with it: {{{faults}}}\n\nWrite it again."
    return SequentialAgent(
        name=name,
        sub_agents=[
            LlmAgent(name=f"{name}-generator", instruction=generator, output_key=draft, **fields),
            LlmAgent(
                name=f"{name}-critic", instruction=f"{critic}\n\nThe draft: {{{draft}}}", output_key=faults, **fields
            ),
            LlmAgent(name=f"{name}-reviser", instruction=again, output_key=draft, **fields),
        ],
    )


def refine(name: str, writer: str, checker: str, *, rounds: int = 3, **fields: Any) -> SequentialAgent:
    """Writes, is checked, and writes again until the checker approves, at most ``rounds`` times. Its answer is the last
    draft."""
    draft, verdict = f"{name}_draft", f"{name}_verdict"
    before = f"\n\nYour last draft: {{{draft}?}}\n\nWhat was said of it: {{{verdict}?}}"
    loop = LoopAgent(
        name=f"{name}-rounds",
        max_iterations=rounds,
        until=lambda state: approved(state.get(verdict)),
        sub_agents=[
            LlmAgent(name=f"{name}-writer", instruction=writer + before, output_key=draft, **fields),
            LlmAgent(
                name=f"{name}-checker",
                instruction=f"{checker}\n\nThe draft: {{{draft}}}",
                output_schema=VERDICT,
                output_key=verdict,
                **fields,
            ),
        ],
    )
    return SequentialAgent(name=name, sub_agents=[loop, says(f"{name}-answer", lambda state: str(state[draft]))])


def plan_and_execute(
    name: str,
    planner: str,
    tools: Tools,
    *,
    verifier: str = "",
    rounds: int = 2,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    **fields: Any,
) -> SequentialAgent:
    """Makes a plan, has it verified, and only then carries it out with ``tools``.

    ``verifier`` is the instruction of a judge, whose faults the planner is told; without one a person approves the
    plan. A plan that is not approved is not carried out.
    """
    plan, verdict = f"{name}_plan", f"{name}_verdict"
    told = f"{planner}\n\nWrite a plan in steps. What was wrong with your last one: {{{verdict}?}}"
    planning: Agent = LlmAgent(name=f"{name}-planner", instruction=told, output_schema=PLAN, output_key=plan, **fields)
    if verifier:
        judge = LlmAgent(
            name=f"{name}-judge",
            instruction=f"{verifier}\n\nThe plan: {{{plan}}}",
            output_schema=VERDICT,
            output_key=verdict,
            **fields,
        )
        planning = LoopAgent(
            name=f"{name}-planning",
            sub_agents=[planning, judge],
            max_iterations=rounds,
            until=lambda state: approved(state.get(verdict)),
        )
        check = gate(f"{name}-gate", lambda state: "" if approved(state.get(verdict)) else _refused(state.get(verdict)))
    else:
        check = approval(f"{name}-gate", "approve_plan", lambda state: state[plan])
    carry = f"Carry out this plan with your tools, step by step, then say what you have done.\n\n{{{plan}}}"
    execute = LlmAgent(name=f"{name}-executor", instruction=carry, tools=tools, limits=limits, **fields)
    return SequentialAgent(name=name, sub_agents=[planning, check, execute])


def says(name: str, text: Callable[[Mapping[str, Any]], str]) -> LlmAgent:
    """Answers what ``text`` makes of the state; no model is asked."""

    async def answer(_: ChatRequest, state: State) -> Message:
        return Message("assistant", text(state))

    return LlmAgent(name=name, callbacks=Callbacks(before_model=answer))


def gate(name: str, fault: Callable[[Mapping[str, Any]], str]) -> LlmAgent:
    """Ends the surrounding sequence where ``fault`` says why; no model is asked."""

    async def decide(_: ChatRequest, state: State) -> Message:
        why = fault(state)
        if not why:
            return Message("assistant", "")
        return Message("assistant", why, tool_calls=(ToolCall(f"{name}-exit", exit_loop.declaration.name, "{}"),))

    return LlmAgent(name=name, tools=[exit_loop], callbacks=Callbacks(before_model=decide))


def approval(name: str, tool: str, plan: Callable[[Mapping[str, Any]], Any]) -> LlmAgent:
    """Has a person approve the ``plan`` that it makes of the state, as a call of ``tool``, or ends the surrounding
    sequence; no model is asked."""
    policy = ToolPolicy(approval=True, trusted=True)
    shown = FunctionTool(_approved_plan, name=tool, description="Ask a person to approve a plan.", policy=policy)

    async def decide(request: ChatRequest, state: State) -> Message:
        said = request.messages[-1]
        if said.role != "tool":
            call = ToolCall(f"{name}-ask", tool, dumps({"plan": plan(state)}))
            return Message("assistant", "", tool_calls=(call,))
        if not said.content.startswith("Error"):
            return Message("assistant", "")
        exits = (ToolCall(f"{name}-exit", exit_loop.declaration.name, "{}"),)
        return Message("assistant", "It was not approved, so nothing was done.", tool_calls=exits)

    return LlmAgent(name=name, tools=[shown, exit_loop], callbacks=Callbacks(before_model=decide))


def _approved_plan(plan: Any) -> Any:
    return plan


def _answer(found: Any) -> str:
    return str(found["answer"]) if isinstance(found, Mapping) else str(found)


def approved(verdict: Any) -> bool:
    """Whether a verdict in the form of ``VERDICT`` approves."""
    return isinstance(verdict, Mapping) and verdict.get("approved") is True


def _refused(verdict: Any) -> str:
    reason = verdict.get("reason", "") if isinstance(verdict, Mapping) else ""
    return f"The plan was not approved, so nothing was done. {reason}".strip()
