"""The layer around each call of a tool: what is checked before it, and what is made of its outcome.

Before: the caller's scopes, the arguments (the tool's JSON schema, the rules of the guard policy), and whether a person
must approve. Around: a time limit, and further attempts where a call may be repeated. After: the declared form of the
output, its size, personal data and instructions in it under the guard policy, and the event of the call.

A loop calls tools so, for all calls of one message of a model:

    checked = caller.check(tool, call.arguments, context)          # words for the model, if it is refused
    wanted = [RequestedCall(call, tool, checked.arguments), ...]
    verdicts = await effects.judged(wanted, lambda: messages, tools, decide, policy)
    ...                                                            # a verdict's result stands in place of a call
    provenance.called(call.id, verdict.arguments)
    result = await caller.perform(tool, verdict.arguments, tool_context)  # a step, after its approval if one is wanted
    provenance.read(call.id, tool, result)
    messages.append(message(tool, call.id, result, spotlight(run_id)))

``effects`` and ``provenance`` are those of the run; a model's own texts are told to ``provenance.written``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import orjson

from mainspring.agents.errors import Diverged, Waiting
from mainspring.agents.tools import outputs
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolPolicy, ToolResult
from mainspring.core.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    EngineError,
    InvalidSchema,
    MainspringError,
    Overloaded,
    RateLimited,
    SessionSpent,
    Unavailable,
)
from mainspring.core.facts.base import Facts
from mainspring.core.facts.guards import ToolFacts
from mainspring.core.types import Context, Message, Tool
from mainspring.engines.grammar.validation import validator
from mainspring.guards.policy import tools as rules
from mainspring.guards.rewrite.spotlight import Spotlight
from mainspring.serving import Path
from mainspring.serving.guard.layers import Detect, Policies
from mainspring.serving.ring.ports import Tracing
from mainspring.stores.events.of_request import request_event
from mainspring.telemetry.metrics import Metrics

_PASSING = (RateLimited, Overloaded, Unavailable, EngineError, DeadlineExceeded, TimeoutError, OSError)
"""What may pass: a call that may be repeated is made again."""
_RUNS = (Waiting, Diverged, BudgetExceeded, SessionSpent)
"""What is the run's own end, and no failure of the tool."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0


@dataclass(frozen=True, slots=True)
class CheckedCall:
    """A call before it is made: its arguments as a JSON object; why it is not made, in words for the model (empty: it
    may be); whether a person must approve it first."""

    arguments: Mapping[str, Any] = field(default_factory=dict)
    refusal: str = ""
    approval: bool = False


@dataclass(slots=True)
class _Attempts:
    """What became of the attempts of one call."""

    number: int = 0
    outcome: str = "ok"
    reason: str = ""


class ToolCaller:
    """Calls tools for agents. ``detect`` are the guards' detectors, ``sleep`` pauses between attempts."""

    def __init__(
        self,
        policies: Policies,
        metrics: Metrics,
        detect: Detect | None = None,
        tracing: Tracing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._policies = policies
        self._outputs = outputs.Filter(policies, metrics, detect)
        self._tracing = tracing
        self._sleep = sleep

    @classmethod
    def of(cls, path: Path) -> ToolCaller:
        services = path.services
        return cls(services.policy, services.metrics, services.detect, services.tracing)

    def offered(self, tool: BaseTool, context: Context) -> bool:
        """Whether an agent may see this tool: the caller has its scopes, and the guard policy lists it."""
        settings = self._policies.under(context.settlement.application).tools
        return tool.policy.scopes <= context.principal.scopes and rules.listed(tool.declaration.name, settings)

    def check(self, tool: BaseTool, arguments: str | Mapping[str, Any], context: Context) -> CheckedCall:
        """The call with these arguments (JSON text as the model wrote it, or an object)."""
        name, policy = tool.declaration.name, tool.policy
        if missing := policy.scopes - context.principal.scopes:
            scopes = ", ".join(sorted(missing))
            return self._refused(
                tool, context, "scope", f"{name} is not allowed here: the caller has no scope {scopes}."
            )
        settings = self._policies.under(context.settlement.application).tools
        if not rules.listed(name, settings):
            return self._refused(tool, context, "unlisted", f"The guard policy does not allow the tool {name}.")
        try:
            value = json.loads(arguments or "{}") if isinstance(arguments, str) else dict(arguments)
        except (ValueError, RecursionError):
            return self._refused(
                tool, context, "json", f"The arguments of {name} are not a JSON object. Write them again."
            )
        if fault := schema_fault(tool.declaration, value):
            return self._refused(tool, context, "schema", fault)
        for pattern, rule in settings.rules.items():
            if rules.named(name, (pattern,)) and (broken := rules.broken(value, rule)):
                why = ", ".join(broken)
                return self._refused(
                    tool, context, "rule", f"The guard policy forbids these arguments of {name} ({why})."
                )
        return CheckedCall(value, approval=_picked(tool, value) or rules.named(name, settings.approval))

    async def perform(self, tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """The filtered outcome of a checked call. Failures of the tool are results with an error for the model; what
        ends the run (``Waiting``, a budget, its deadline, cancelling) is raised."""
        began, attempts = time.monotonic(), _Attempts()
        name = tool.declaration.name
        span = self._tracing.span(f"tool {name}", context.context) if self._tracing else nullcontext()
        with span:
            result = await self._attempted(tool, arguments, context, attempts)
            written = 0 if result.output is None else len(orjson.dumps(result.output, option=orjson.OPT_NON_STR_KEYS))
            result = await self._outputs.filtered(tool, result, context.context)
        if attempts.outcome == "ok" and result.error:
            attempts.outcome = "error"
        shown = 0 if result.output is None else len(orjson.dumps(result.output))
        facts = ToolFacts(
            tool=name,
            agent=context.agent,
            run_id=context.run_id,
            call_id=context.call_id,
            outcome=attempts.outcome,
            reason=attempts.reason,
            effect=tool.policy.effect,
            attempts=attempts.number,
            ms=round((time.monotonic() - began) * 1e3, 1),
            characters=written,
            shown=shown,
            sha256=_digest(arguments),
        )
        record(context.context, facts)
        return result

    async def _attempted(
        self, tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext, attempts: _Attempts
    ) -> ToolResult:
        policy = tool.policy
        most = 1 + (policy.retries if policy.effect != "unkeyed" else 0)
        while True:
            attempts.number += 1
            try:
                async with asyncio.timeout(_allowed(policy, context.context)):
                    return await tool.call(arguments, context)
            except _RUNS:
                raise
            except Exception as error:
                if (left := context.context.remaining()) is not None and left <= 0:
                    raise DeadlineExceeded(f"the deadline passed while {tool.declaration.name} ran") from error
                if attempts.number >= most or not isinstance(error, _PASSING):
                    attempts.outcome = "timeout" if isinstance(error, TimeoutError) else "failed"
                    attempts.reason = type(error).__name__
                    return ToolResult(error=_told(tool, error), unknown=_unknown(tool, error))
                await self._sleep(_pause(error, attempts.number))

    def _refused(self, tool: BaseTool, context: Context, reason: str, words: str) -> CheckedCall:
        facts = ToolFacts(tool=tool.declaration.name, outcome="refused", reason=reason, effect=tool.policy.effect)
        record(context, facts)
        return CheckedCall(refusal=words)


def _picked(tool: BaseTool, arguments: Mapping[str, Any]) -> bool:
    """Whether the tool's own policy wants an approval of this call."""
    approval = tool.policy.approval
    if not callable(approval):
        return approval
    properties = tool.declaration.parameters.get("properties", {})
    defaults = {name: each["default"] for name, each in properties.items() if "default" in each}
    try:
        return bool(approval({**defaults, **arguments}))
    except Exception:
        # What cannot be judged is asked about.
        return True


def schema_fault(declaration: Tool, value: Any) -> str:
    """What is wrong with arguments, in words for the model; empty: they fit."""
    if not isinstance(value, dict):
        return f"The arguments of {declaration.name} must be a JSON object."
    try:
        fault = validator(json.dumps(dict(declaration.parameters or {"type": "object"})))(value)
    except InvalidSchema as error:
        return f"{declaration.name} cannot be called: its schema cannot be checked ({error.message})."
    if fault is None:
        return ""
    place = ".".join(str(each) for each in fault.absolute_path) or "the arguments"
    return (
        f"The arguments of {declaration.name} do not fit: {place}: {fault.message[:300]}. Correct them and call again."
    )


def spotlight(run_id: str) -> Spotlight:
    """The delimiters of a run: the same after a restart, and unknown to anyone who does not know the run's id."""
    return Spotlight(hashlib.sha256(f"spotlight\0{run_id}".encode()).hexdigest()[:16])


def message(tool: BaseTool | None, call_id: str, result: ToolResult, light: Spotlight | None) -> Message:
    """What the model reads of an outcome; what comes from an untrusted tool stands between the delimiters ``light``."""
    text = result.error if result.error else _text(result.output)
    if light is not None and not result.error and (tool is None or not tool.policy.trusted):
        text = light.wrap(text, "tool")
    return Message("tool", text, name=tool.declaration.name if tool else None, tool_call_id=call_id)


def _text(output: Any) -> str:
    return output if isinstance(output, str) else orjson.dumps(output).decode()


def _allowed(policy: ToolPolicy, context: Context) -> float:
    left = context.remaining()
    return policy.timeout_s if left is None else max(0.0, min(policy.timeout_s, left))


def _pause(error: BaseException, attempt: int) -> float:
    asked = error.retry_after if isinstance(error, MainspringError) else None
    return min(_LONGEST_PAUSE_S, asked if asked is not None else _FIRST_PAUSE_S * 2 ** (attempt - 1))


def _unknown(tool: BaseTool, error: Exception) -> bool:
    """Whether the call may have had its effect: one that was refused has not."""
    refused = isinstance(error, MainspringError) and error.status < 500
    return tool.policy.effect == "unkeyed" and not refused


def _told(tool: BaseTool, error: Exception) -> str:
    name = tool.declaration.name
    if _unknown(tool, error):
        return (
            f"{name} failed, and it is not known whether it took effect. Do not call it again; "
            "say so, and what should be checked."
        )
    if isinstance(error, MainspringError):
        return f"{name} failed: {error.told}"
    if isinstance(error, TimeoutError):
        return f"{name} took longer than {tool.policy.timeout_s:g} s and was stopped."
    # Its words may hold what neither the model nor the readers of its answer should know.
    return f"{name} failed ({type(error).__name__})."


def _digest(arguments: Mapping[str, Any]) -> str:
    return hashlib.sha256(orjson.dumps(dict(arguments), option=orjson.OPT_SORT_KEYS)).hexdigest()


def record(context: Context, facts: Facts) -> None:
    """Leave the event for the commit that settles the answer."""
    facts = dataclasses.replace(facts, replay_of=context.replay)
    record = request_event(context, facts)
    context.settlement.records.append(record)
