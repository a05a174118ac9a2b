"""The calls of tools that a model asks for: side by side, each a step of the history."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from mainspring.agents.agent import LlmAgent
from mainspring.agents.errors import Diverged, LimitReached, Stopped, Waiting
from mainspring.agents.history import Step
from mainspring.agents.loop.agent_tool import AgentTool, TransferTool
from mainspring.agents.loop.budgets import Budget
from mainspring.agents.loop.nodes import Node, Toolbox
from mainspring.agents.loop.shown import Shown
from mainspring.agents.loop.steps import Frame, Run
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.core.errors import MainspringError
from mainspring.core.facts.guards import ToolFacts
from mainspring.core.types import Citation, Context, EventRecord, Message, Progress, ToolCall
from mainspring.stores.sql import ids
from mainspring.telemetry.tracing import NoTracing

MAX_RESULT = 50_000
"""The most characters of a result that a model is told."""
_PAUSE_S = 0.2
_UNKNOWN = (
    "It is not known whether {name} has done it: no answer came in time. Do not call it again; say that this is open."
)


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
    """The outcome of a call: what the tool says, and the changes of the state. ``text`` is for the model."""

    call: ToolCall
    result: ToolResult
    changes: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    @property
    def message(self) -> Message:
        return Message("tool", self.text, name=self.call.name, tool_call_id=self.call.id)


class Acting:
    """Performs the calls of one agent in one run."""

    __slots__ = ("_agent", "_box", "_budget", "_frame", "_node", "_run", "_shown")

    def __init__(self, run: Run, node: Node, frame: Frame, box: Toolbox, budget: Budget, shown: Shown) -> None:
        assert isinstance(node.agent, LlmAgent)
        self._run, self._node, self._agent = run, node, node.agent
        self._frame, self._box, self._budget, self._shown = frame, box, budget, shown

    async def calls(self, calls: Sequence[ToolCall]) -> list[Acted]:
        """The outcomes, in the order of the calls. Raises ``Waiting`` for the first that waits for a person, once the
        others are done, and ``LimitReached``."""
        # Positions are given before anything runs: they must not depend on which call ends first.
        for _ in calls:
            self._budget.take()
        frames = [self._frame.below() for _ in calls]
        if len(calls) == 1:
            found = [await self._call(calls[0], frames[0])]
        else:
            found = await _all([self._call(*each) for each in zip(calls, frames, strict=True)])
        for each in found:
            self._frame.state.update(each.changes)
        repeats = self._run.repeats(self._agent.name)
        repeats.turn(all(each.result.error for each in found))
        return found

    async def _call(self, call: ToolCall, frame: Frame) -> Acted:
        agent, shown = self._agent, self._shown
        shown.call(agent.name, agent.visible, call.id, call.name, call.arguments)
        acted = await self._outcome(call, frame)
        result = acted.result
        acted.text = self._told(call.name, result)
        shown.result(agent.name, agent.visible, call.id, call.name, result.output, result.error)
        self._run.citations.extend(result.citations)
        return acted

    async def _outcome(self, call: ToolCall, frame: Frame) -> Acted:
        tool = self._box.tools.get(call.name)
        if tool is None:
            known = ", ".join(self._box.names) or "none"
            return Acted(call, ToolResult(error=f"There is no tool {call.name}. There are: {known}."))
        arguments = _arguments(call.arguments)
        if arguments is None:
            return Acted(call, ToolResult(error="The arguments are no JSON object. Write them as one."))
        if fault := self._box.fault(tool, arguments):
            return Acted(call, ToolResult(error=fault))
        if isinstance(tool, TransferTool):
            return Acted(call, await tool.call(arguments, self._context(call, "", {})))
        repeats = self._run.repeats(self._agent.name)
        if refusal := repeats.refusal(call.name, arguments):
            return Acted(call, ToolResult(error=refusal))
        acted = await self._permitted(tool, call, arguments, frame)
        repeats.made(call.name, arguments, _text(acted.result))
        return acted

    async def _permitted(self, tool: BaseTool, call: ToolCall, arguments: dict[str, Any], frame: Frame) -> Acted:
        policy, principal = tool.policy, self._run.context.principal
        missing = policy.scopes - principal.scopes
        if missing and "admin" not in principal.scopes:
            needed = ", ".join(sorted(missing))
            return Acted(call, ToolResult(error=f"The caller's key may not use {call.name}: it needs {needed}."))
        asks = policy.approval(arguments) if callable(policy.approval) else policy.approval
        if asks and (denied := await self._denied(tool, call, arguments, frame)):
            return Acted(call, ToolResult(error=denied))
        callbacks = self._agent.callbacks
        if callbacks.before_tool is not None:
            instead = await callbacks.before_tool(call.name, arguments, self._context(call, "", self._frame.state))
            if instead is not None:
                return Acted(call, instead)
        acted = await (
            self._nested(tool, call, arguments, frame)
            if isinstance(tool, AgentTool)
            else self._performed(tool, call, arguments, frame)
        )
        if callbacks.after_tool is not None:
            context = self._context(call, "", self._frame.state)
            acted.result = await callbacks.after_tool(call.name, acted.result, context) or acted.result
        return acted

    async def _denied(self, tool: BaseTool, call: ToolCall, arguments: dict[str, Any], frame: Frame) -> str:
        """Why a person does not allow the call; empty: it is allowed. Raises ``Waiting``."""
        path = frame.path()

        async def nobody(_: str) -> Any:
            raise Waiting(
                f"A person must approve the call of {call.name} first",
                step=path,
                remedy="This run is not kept: there is nobody to ask",
            )

        asked = {"call_id": call.id, "arguments": arguments}
        found = await self._run.history.outcome(Step(path, "approval", call.name, asked, tool.policy.effect), nobody)
        if found.get("decision") == "approved":
            return ""
        note = f" {found['note']}" if found.get("note") else ""
        why = (
            "No person has decided in time." if found.get("decision") == "expired" else "A person has denied this call."
        )
        return f"{why}{note} Do not call {call.name} again for this."

    async def _nested(self, tool: AgentTool, call: ToolCall, arguments: dict[str, Any], frame: Frame) -> Acted:
        """Another agent as a tool: its steps are recorded, not its outcome."""
        passed = {key: self._frame.state[key] for key in tool.state if key in self._frame.state}
        below = frame.below(state=passed, budget=self._budget, inner=True)
        asked = [Message("user", str(arguments["request"]))]
        node = self._node.nested[call.name]
        outcome = await self._run.enter(self._run, node, asked, below, self._shown.within())
        if outcome.limit:
            return Acted(call, ToolResult(outcome.text, error=f"It stopped early. {outcome.text}"))
        return Acted(call, ToolResult(outcome.text))

    async def _performed(self, tool: BaseTool, call: ToolCall, arguments: dict[str, Any], frame: Frame) -> Acted:
        changes = Changes(self._frame.state)
        kept: tuple[Citation, ...] = ()
        path = frame.path()

        async def perform(key: str) -> dict[str, Any]:
            nonlocal kept
            result = await self._attempts(tool, call, arguments, self._context(call, key, changes), path)
            kept = result.citations
            return _plain(result, changes.made)

        step = Step(path, "tool", call.name, {"arguments": arguments}, tool.policy.effect)
        found = await self._run.history.outcome(step, perform)
        result = ToolResult(
            found.get("output"),
            found.get("error", ""),
            kept or tuple(Citation(**each) for each in found.get("citations", ())),
            found.get("transfer_to", ""),
            found.get("escalate", False),
            found.get("final", False),
        )
        return Acted(call, result, found.get("state", {}))

    async def _attempts(
        self, tool: BaseTool, call: ToolCall, arguments: dict[str, Any], context: ToolContext, _: str
    ) -> ToolResult:
        policy, started = tool.policy, time.perf_counter()
        most = 1 + (policy.retries if policy.effect != "unkeyed" else 0)
        status, attempts, result = "failed", 0, ToolResult()
        tracer = self._run.around.tracer
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": call.name}
        opened = tracer.span("tool", context.context, **attributes) if tracer else NoTracing(context.context)
        with opened as span:
            while attempts < most:
                attempts += 1
                again, status, result = await _attempt(tool, arguments, context, self._budget.deadline)
                if not again or attempts == most:
                    break
                await asyncio.sleep(_PAUSE_S * attempts)
            span.set("mainspring.tool.status", status)
            span.set("mainspring.agent", self._agent.name)
        facts = ToolFacts(
            tool=call.name,
            agent=self._agent.name,
            run_id=self._run.history.run_id,
            call_id=call.id,
            outcome=status,
            effect=policy.effect,
            attempts=attempts,
            ms=round((time.perf_counter() - started) * 1e3, 1),
            sha256=hashlib.sha256(orjson.dumps(arguments)).hexdigest(),
        )
        _note(self._run.context, facts)
        return result

    def _context(self, call: ToolCall, key: str, state: MutableMapping[str, Any]) -> ToolContext:
        run = self._run
        return ToolContext(
            run.context,
            run.history.run_id,
            call.id,
            key,
            self._agent.name,
            state,
            run.session_id,
            lambda line: self._shown.emit(Progress(call.name, line)),
        )

    def _told(self, name: str, result: ToolResult) -> str:
        """A result in words for the model: as data where it is not trusted."""
        text = _text(result)
        if len(text) > MAX_RESULT:
            text = f"{text[:MAX_RESULT]}\n[cut: {MAX_RESULT} of {len(text)} characters]"
        tool = self._box.tools.get(name)
        if result.error or tool is None or tool.policy.trusted:
            return text
        return self._run.light.wrap(text, "tool")


async def _attempt(
    tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext, deadline: float
) -> tuple[bool, str, ToolResult]:
    """Whether another attempt may help, the status, and the result."""
    name, policy = tool.declaration.name, tool.policy
    try:
        async with asyncio.timeout(max(0.0, min(policy.timeout_s, deadline - time.monotonic()))):
            result = await tool.call(arguments, context)
    except TimeoutError:
        if policy.effect == "unkeyed":
            return False, "timeout", ToolResult(error=_UNKNOWN.format(name=name))
        return True, "timeout", ToolResult(error=f"{name} did not answer within {policy.timeout_s:g} seconds.")
    except (Stopped, Diverged, LimitReached):
        raise
    except MainspringError as error:
        # What is the server's fault is not for a model to read.
        told = error.told if error.status < 500 else f"{name} failed ({error.code})."
        return error.status >= 500 or error.status == 429, "failed", ToolResult(error=told)
    except Exception as error:
        return True, "failed", ToolResult(error=f"{name} failed ({type(error).__name__}).")
    return False, "error" if result.error else "ok", result


async def _all(works: Sequence[Any]) -> list[Acted]:
    """All outcomes. One that fails or waits does not end the others, whose effects would not be known."""
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
    return [each for each in found if isinstance(each, Acted)]


def _arguments(text: str) -> dict[str, Any] | None:
    if not text.strip():
        return {}
    try:
        found = orjson.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _plain(result: ToolResult, changes: dict[str, Any]) -> dict[str, Any]:
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
    if changes:
        made["state"] = changes
    return made


def _text(result: ToolResult) -> str:
    if result.error:
        return f"Error: {result.error}"
    output = result.output
    return output if isinstance(output, str) else orjson.dumps(output, option=orjson.OPT_NON_STR_KEYS).decode()


def _note(context: Context, facts: ToolFacts) -> None:
    record = EventRecord(
        ids.new("evt_"),
        time.time(),
        context.principal.tenant,
        context.trace.trace_id,
        "",
        facts,
        consent=context.consent,
        retention=context.retention,
    )
    context.settlement.records.append(record)
