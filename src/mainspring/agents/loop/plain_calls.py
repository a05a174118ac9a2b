"""Calls of tools without the guards of a system: arguments are checked, attempts are bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import orjson

from mainspring.agents.errors import Diverged, LimitReached, Stopped
from mainspring.agents.tools.base import BaseTool, ToolContext, ToolResult
from mainspring.agents.tools.calling import CheckedCall, schema_fault
from mainspring.agents.tools.functions import FunctionTool
from mainspring.core.errors import MainspringError
from mainspring.core.types import Context

MAX_RESULT = 50_000
"""The most characters of a text that a model is told."""
_PAUSE_S = 0.2
_UNKNOWN = (
    "It is not known whether {name} has done it: no answer came in time. Do not call it again; say that this is open."
)


class PlainCalls:
    """Calls tools outside of a system."""

    def offered(self, tool: BaseTool, context: Context) -> bool:
        """Whether the caller has the tool's scopes."""
        return not tool.policy.scopes or tool.policy.scopes <= context.principal.scopes

    def check(self, tool: BaseTool, arguments: str | Mapping[str, Any], context: Context) -> CheckedCall:
        """See ``ToolCaller``."""
        name, policy = tool.declaration.name, tool.policy
        if not self.offered(tool, context):
            needed = ", ".join(sorted(policy.scopes - context.principal.scopes))
            return CheckedCall(refusal=f"The caller's key may not use {name}: it needs {needed}.")
        value: Any = arguments
        if isinstance(arguments, str):
            try:
                value = orjson.loads(arguments) if arguments.strip() else {}
            except ValueError:
                value = None
        if not isinstance(value, Mapping):
            return CheckedCall(refusal=f"The arguments of {name} are not a JSON object. Write them as one.")
        # A function checks them itself, by its signature.
        if not isinstance(tool, FunctionTool) and (fault := schema_fault(tool.declaration, dict(value))):
            return CheckedCall(refusal=fault)
        asks = policy.approval(value) if callable(policy.approval) else policy.approval
        return CheckedCall(value, approval=asks)

    async def perform(self, tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
        """See ``ToolCaller``."""
        policy = tool.policy
        most = 1 + (policy.retries if policy.effect != "unkeyed" else 0)
        for attempt in range(1, most + 1):
            again, result = await _attempt(tool, arguments, context)
            if not again or attempt == most:
                return _cut(result)
            await asyncio.sleep(_PAUSE_S * attempt)
        raise AssertionError("there is at least one attempt")


async def _attempt(tool: BaseTool, arguments: Mapping[str, Any], context: ToolContext) -> tuple[bool, ToolResult]:
    """Whether another attempt may help, and the result."""
    name, policy = tool.declaration.name, tool.policy
    deadline = context.context.deadline
    left = policy.timeout_s if deadline is None else min(policy.timeout_s, deadline - time.monotonic())
    try:
        async with asyncio.timeout(max(0.0, left)):
            return False, await tool.call(arguments, context)
    except TimeoutError:
        if policy.effect == "unkeyed":
            return False, ToolResult(error=_UNKNOWN.format(name=name))
        return True, ToolResult(error=f"{name} did not answer within {policy.timeout_s:g} seconds.")
    except (Stopped, Diverged, LimitReached):
        raise
    except MainspringError as error:
        # What is the server's fault is not for a model to read.
        told = error.told if error.status < 500 else f"{name} failed ({error.code})."
        return error.status >= 500 or error.status == 429, ToolResult(error=told)
    except Exception as error:
        return True, ToolResult(error=f"{name} failed ({type(error).__name__}).")


def _cut(result: ToolResult) -> ToolResult:
    output = result.output
    if not isinstance(output, str) or len(output) <= MAX_RESULT:
        return result
    cut = f"{output[:MAX_RESULT]}\n[cut: {MAX_RESULT} of {len(output)} characters]"
    return ToolResult(cut, result.error, result.citations, result.transfer_to, result.escalate, result.final)
