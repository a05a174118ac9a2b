"""The calls of tools that a model asks for: side by side, each a step of the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, MutableMapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import orjson

from mainspring.agents.agent import LlmAgent
from mainspring.agents.errors import Waiting
from mainspring.agents.history import Step
from mainspring.agents.limits.allowances import counted
from mainspring.agents.limits.budgets import Budget
from mainspring.agents.loop.agent_tool import AgentTool, TransferTool
from mainspring.agents.loop.event_target import Emit, EventTarget, Lanes
from mainspring.agents.loop.nodes import Node, Toolbox
from mainspring.agents.loop.steps import Frame, Run
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.agents.tools.effects import Decide, RequestedCall, Verdict
from mainspring.core.types import Citation, Context, Message, Progress, ToolCall, Usage


class Changes(MutableMapping[str, Any]):
    """A session's state as a tool sees it, which notes what the tool changes."""

    __slots__ = ("_base", "made")

    def __init__(self, base: Mapping[str, Any]) -> None:
        self._base = base
        self.made: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        return self.made[key] if key in self.made else self._base[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.made[key] = value

    def __delitem__(self, key: str) -> None:
        self.made[key] = None

    def __iter__(self) -> Iterator[str]:
        return iter({**self._base, **self.made})

    def __len__(self) -> int:
        return len({**self._base, **self.made})


@dataclass(slots=True)
class Acted:
    """A call on its way: its tool and its checked arguments, whether a person is asked, then what the tool says and the
    changes of the state. ``text`` is for the model."""

    call: ToolCall
    frame: Frame
    tool: BaseTool | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    approval: bool = False
    performed: bool = False
    result: ToolResult | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def outcome(self) -> ToolResult:
        assert self.result is not None
        return self.result

    @property
    def message(self) -> Message:
        return Message("tool", self.text, name=self.call.name, tool_call_id=self.call.id)


class Acting:
    """Performs the calls of one agent in one run. ``decide`` asks its model again, for calls with effects."""

    __slots__ = ("_agent", "_box", "_budget", "_caller", "_decide", "_frame", "_node", "_run", "_shown")

    def __init__(
        self, run: Run, node: Node, frame: Frame, box: Toolbox, budget: Budget, shown: EventTarget, decide: Decide
    ) -> None:
        assert isinstance(node.agent, LlmAgent)
        self._run, self._node, self._agent = run, node, node.agent
        self._frame, self._box, self._budget, self._shown = frame, box, budget, shown
        self._caller = run.around.caller
        self._decide = decide

    async def calls(
        self, calls: Sequence[ToolCall], asked: Callable[[], Sequence[Message]], sure: Set[str] = frozenset()
    ) -> list[Acted]:
        """The outcomes, in the order of the calls. ``asked`` gives the messages that the model answered with them,
        ``sure`` the ids of those to which no stranger's text can have led.

        Raises ``Waiting`` for the first that waits for a person, once the others are done, and ``LimitReached``.
        """
        for _ in calls:
            self._budget.take()
        # Positions are given before anything runs: they must not depend on which call ends first.
        found = [Acted(call, self._frame.below()) for call in calls]
        for each in found:
            self._shown.call(self._agent.name, self._agent.visible, each.call.id, each.call.name, each.call.arguments)
            self._check(each)
        acts = any(each.tool is not None and each.tool.policy.acts for each in found)
        if acts and self._run.effects is not None:
            await self._judge([each for each in found if each.call.id not in sure], asked)
        open_ones = [each for each in found if each.result is None]
        if len(open_ones) == 1:
            await self._perform(open_ones[0], self._shown.emit)
        elif open_ones:
            lanes = Lanes(self._shown.emit, len(open_ones))
            works = [lanes.run(index, self._perform(each, lanes.lane(index))) for index, each in enumerate(open_ones)]
            await _all(works)
        for each in found:
            self._settle(each)
        self._run.repeats(self._agent.name).turn(all(each.outcome.error for each in found))
        return found

    def _check(self, acted: Acted) -> None:
        """Find the tool and check the arguments; a call that is not made has its result then."""
        call, repeats = acted.call, self._run.repeats(self._agent.name)
        tool = acted.tool = self._box.tools.get(call.name)
        if tool is None:
            known = ", ".join(self._box.names) or "none"
            acted.result = ToolResult(error=f"There is no tool {call.name}. There are: {known}.")
            return
        checked = self._caller.check(tool, call.arguments, self._run.context)
        acted.arguments, acted.approval = checked.arguments, checked.approval
        if refusal := checked.refusal or self._against_rules(call.name):
            acted.result = ToolResult(error=refusal)
        elif isinstance(tool, TransferTool):
            acted.result = tool.chosen(checked.arguments)
        elif refusal := repeats.refusal(call.name, checked.arguments):
            acted.result = ToolResult(error=refusal)

    def _against_rules(self, name: str) -> str:
        """Why the agent's rules forbid a call now, in words for the model; empty: they do not."""
        for rule in self._agent.rules:
            if rule.tool != name:
                continue
            if rule.never and not rule.pattern:
                return f"{name} is never called here."
            missing = [each for each in rule.requires if each not in self._run.succeeded]
            if missing:
                return f"{name} can be called only after {missing[0]} has succeeded. Call {missing[0]} first."
        return ""

    async def _judge(self, found: Sequence[Acted], asked: Callable[[], Sequence[Message]]) -> None:
        """Whether calls with effects may be made after a stranger's text was read."""
        effects = self._run.effects
        assert effects is not None
        judged = [each for each in found if each.result is None and each.tool is not None]
        wanted = [RequestedCall(each.call, each.tool, each.arguments) for each in judged if each.tool is not None]
        tools = list(self._box.tools.values())
        verdicts: list[Verdict] = await effects.judged(wanted, asked, tools, self._decide, self._agent.untrusted)
        for each, verdict in zip(judged, verdicts, strict=True):
            each.result = verdict.result
            each.approval = each.approval or verdict.approval
            if verdict.result is None:
                each.arguments = verdict.arguments

    async def _perform(self, acted: Acted, emit: Emit) -> None:
        tool, call, callbacks = acted.tool, acted.call, self._agent.callbacks
        assert tool is not None
        if acted.approval and (denied := await self._denied(acted)):
            acted.result = ToolResult(error=denied)
            return
        if callbacks.before_tool is not None:
            context = self._context(call, "", self._frame.state)
            acted.result = await callbacks.before_tool(call.name, acted.arguments, context)
            if acted.result is not None:
                return
        acted.performed = True
        if isinstance(tool, AgentTool):
            await self._nested(tool, acted, emit)
        else:
            await self._stepped(tool, acted)
        if callbacks.after_tool is not None:
            context = self._context(call, "", self._frame.state)
            acted.result = await callbacks.after_tool(call.name, acted.outcome, context) or acted.result

    async def _denied(self, acted: Acted) -> str:
        """Why a person does not allow the call; empty: it is allowed. Raises ``Waiting``."""
        call, path = acted.call, acted.frame.path()

        async def nobody(_: str) -> Any:
            raise Waiting(
                f"A person must approve the call of {call.name} first",
                step=path,
                remedy="This run is not kept: there is nobody to ask",
            )

        asked = {"call_id": call.id, "arguments": dict(acted.arguments)}
        effect = acted.tool.policy.effect if acted.tool else "none"
        found = await self._run.history.outcome(Step(path, "approval", call.name, asked, effect), nobody)
        if found.get("decision") == "approved":
            return ""
        note = f" {found['note']}" if found.get("note") else ""
        expired = found.get("decision") == "expired"
        why = "No person has decided in time." if expired else "A person has denied this call."
        return f"{why}{note} Do not call {call.name} again for this."

    async def _nested(self, tool: AgentTool, acted: Acted, emit: Emit) -> None:
        """Another agent as a tool: its steps are recorded, not its outcome."""
        passed = {key: self._frame.state[key] for key in tool.state if key in self._frame.state}
        below = acted.frame.below(state=passed, budget=self._budget, inner=True)
        request = str(acted.arguments["request"])
        run = self._run.apart(request)
        node = self._node.nested[acted.call.name]
        outcome = await run.enter(run, node, [Message("user", request)], below, self._shown.within(emit))
        self._run.join(run)
        error = f"It stopped early. {outcome.text}" if outcome.limit else ""
        acted.result = ToolResult(outcome.text, error)

    async def _stepped(self, tool: BaseTool, acted: Acted) -> None:
        call, path = acted.call, acted.frame.path()
        changes = Changes(self._frame.state)
        made: ToolResult | None = None

        async def perform(key: str) -> dict[str, Any]:
            nonlocal made
            inner, spent = counted(self._run.context)
            made = await self._caller.perform(tool, acted.arguments, self._context(call, key, changes, inner))
            return _plain(made, changes.made, spent.own)

        arguments = dict(acted.arguments)
        step = Step(path, "tool", call.name, {"arguments": arguments}, tool.policy.effect)
        found = await self._run.history.outcome(step, perform)
        cited = made.citations if made else tuple(Citation(**each) for each in found.get("citations", ()))
        acted.result = ToolResult(
            found.get("output"),
            found.get("error") or "",
            cited,
            found.get("transfer_to") or "",
            bool(found.get("escalate")),
            bool(found.get("final")),
        )
        acted.changes = found.get("state") or {}
        if used := found.get("usage"):
            self._budget.add_tool(Usage(*used))

    def _settle(self, acted: Acted) -> None:
        """Take the outcome in: what the model is told, and what the run knows then."""
        run, agent, call, result = self._run, self._agent, acted.call, acted.outcome
        self._frame.state.update(acted.changes)
        acted.text = self._told(acted)
        if acted.performed:
            run.repeats(agent.name).made(call.name, dict(acted.arguments), acted.text)
            if not result.error:
                run.succeeded.add(call.name)
        if run.provenance is not None:
            run.provenance.called(call.id, acted.arguments)
            run.provenance.read(call.id, None if isinstance(acted.tool, AgentTool) else acted.tool, result)
        run.citations.extend(result.citations)
        self._shown.result(agent.name, agent.visible, call.id, call.name, result.output, result.error)

    def _told(self, acted: Acted) -> str:
        """The outcome in words for the model: as data where it is not trusted."""
        result, tool = acted.outcome, acted.tool
        if result.error:
            return f"Error: {result.error}"
        output = result.output
        text = output if isinstance(output, str) else orjson.dumps(output, option=orjson.OPT_NON_STR_KEYS).decode()
        return text if tool is None or tool.policy.trusted else self._run.light.wrap(text, "tool")

    def _context(
        self, call: ToolCall, key: str, state: MutableMapping[str, Any], context: Context | None = None
    ) -> ToolContext:
        run, name = self._run, call.name
        return ToolContext(
            context or run.context,
            run.history.run_id,
            call.id,
            key,
            self._agent.name,
            state,
            run.session_id,
            lambda line: self._shown.emit(Progress(name, line)),
            run.user or "",
        )


async def _all(works: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Wait for all. One that fails or waits does not end the others, whose effects would not be known."""
    tasks = [asyncio.ensure_future(each) for each in works]
    try:
        found = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    failed = [each for each in found if isinstance(each, BaseException)]
    if failed:
        raise next((each for each in failed if not isinstance(each, Waiting)), failed[0])


def _plain(result: ToolResult, changes: dict[str, Any], used: Usage) -> dict[str, Any]:
    """The outcome of a step, without what is empty. ``used`` is what the tool's own calls of models took."""
    made: dict[str, Any] = {"output": result.output}
    if result.error:
        made["error"] = result.error
    if result.citations:
        made["citations"] = [orjson.loads(orjson.dumps(each)) for each in result.citations]
    if result.transfer_to:
        made["transfer_to"] = result.transfer_to
    if result.escalate:
        made["escalate"] = True
    if result.final:
        made["final"] = True
    if result.unknown:
        made["unknown"] = True
    if changes:
        made["state"] = changes
    if used.total_tokens or used.cost_nanousd:
        made["usage"] = [used.prompt_tokens, used.completion_tokens, used.cached_tokens, used.cost_nanousd]
    return made
