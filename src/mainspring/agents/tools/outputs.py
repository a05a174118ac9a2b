"""What tools return, made fit for a model to read: its declared form, its size, and the guard policy."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import orjson

from mainspring.agents.tools.base import BaseTool, ToolResult
from mainspring.core import cards
from mainspring.core.errors import InvalidSchema
from mainspring.core.types import Context
from mainspring.engines.grammar.validation import validator
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.serving.guard import tools as tool_guard
from mainspring.serving.guard.layers import Detect, Policies, note
from mainspring.telemetry.metrics import Metrics

_IN_LINE = 20_000
"""Characters above which an output is looked through in a thread."""
_DEPTH = 32


class Filter:
    """Filters outputs under the guard policy of the application that the agent answers for."""

    def __init__(self, policies: Policies, metrics: Metrics, detect: Detect | None) -> None:
        self._policies = policies
        self._metrics = metrics
        self._detect = detect

    async def filtered(self, tool: BaseTool, result: ToolResult, context: Context) -> ToolResult:
        """``result`` as it may be kept and read. An output that does not fit its declared form is an error."""
        if result.output is None and not result.error:
            return result
        try:
            text = orjson.dumps(result.output, option=orjson.OPT_NON_STR_KEYS).decode()
            output = orjson.loads(text)
        except (TypeError, ValueError, RecursionError):
            return _withheld(tool, "it is not a JSON value")
        if fault := _unfit(tool, output):
            return _withheld(tool, fault)
        policy = self._policies.under(context.settlement.application)
        look = partial(_looked_through, policy, output, result.error)
        output, error, decisions = look() if len(text) <= _IN_LINE else await asyncio.to_thread(look)
        judged = await self._judged(policy, output, context)
        note(context, [*decisions, *judged], "input", "tool", self._metrics)
        if judged and policy.tools.results.injection in ("withhold", "refuse") and not policy.dry_run:
            output = tool_guard.WITHHELD
        most = min(tool.policy.max_characters, policy.tools.results.characters or tool.policy.max_characters)
        return dataclasses.replace(result, output=cut(output, most), error=error[:most])

    async def _judged(self, policy: GuardPolicy, output: Any, context: Context) -> list[GuardDecision]:
        """The decisions about instructions in an output."""
        if policy.tools.results.injection == "off" or output is None:
            return []
        text = "\n".join(_texts(output))
        scores: Mapping[str, float] = {}
        if self._detect is not None and policy.dropping and text:
            scores = (await self._detect([text], context, pieces=True))[0]
        return list(policy.judge_result(text, scores))


def cut(output: Any, most: int) -> Any:
    """``output`` with at most about ``most`` characters of JSON; a longer one becomes a text that says so."""
    text = output if isinstance(output, str) else orjson.dumps(output).decode()
    if len(text) <= most:
        return output
    if isinstance(output, list):
        kept, size = [], 0
        for each in output:
            size += len(orjson.dumps(each)) + 1
            if size > most:
                break
            kept.append(each)
        if kept:
            return {"items": kept, "cut": f"{len(kept)} of {len(output)} items are shown"}
    return f"{text[:most]}\n[cut: {most} of {len(text)} characters]"


def _looked_through(policy: GuardPolicy, output: Any, error: str) -> tuple[Any, str, list[GuardDecision]]:
    decisions: list[GuardDecision] = []

    def seen(text: str) -> str:
        checked = policy.inspect(text, role="tool")
        decisions.extend(checked.decisions)
        return cards.scrub(checked.text)

    return _mapped(output, seen), seen(error) if error else "", decisions


def _mapped(value: Any, change: Any, depth: int = 0) -> Any:
    if depth > _DEPTH:
        return "[nested too deeply]"
    if isinstance(value, str):
        return change(value) if value else value
    if isinstance(value, list):
        return [_mapped(each, change, depth + 1) for each in value]
    if isinstance(value, dict):
        return {change(key): _mapped(each, change, depth + 1) for key, each in value.items()}
    return cards.scrubbed(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            yield str(key)
            yield from _texts(each)


def _unfit(tool: BaseTool, output: Any) -> str:
    """Why an output does not fit the declared form; empty: it does, or none is declared."""
    if tool.policy.result is None or output is None:
        return ""
    try:
        fault = validator(json.dumps(dict(tool.policy.result)))(output)
    except InvalidSchema:
        return "its declared form cannot be checked"
    if fault is None:
        return ""
    return f"{'.'.join(str(each) for each in fault.absolute_path) or 'it'} does not have the declared form"


def _withheld(tool: BaseTool, why: str) -> ToolResult:
    return ToolResult(error=f"{tool.declaration.name} returned something that is not shown: {why}.")
