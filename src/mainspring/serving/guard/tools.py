"""Tools under a policy: the permitted ones, checks of their calls, and checks of their results.

A call is handed out once it is complete, fits its tool's schema and rules, and is approved if the policy requires that.
Until then it waits in the store, and the answer contains its id. A later request with ``options.approval`` gets the
call, once, or its outcome.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence

from mainspring.core.errors import GuardRefused, InvalidRequest
from mainspring.core.path import Layer, replay
from mainspring.core.types import (
    ChatRequest,
    Context,
    Event,
    Finish,
    Head,
    Notice,
    Request,
    Responder,
    Response,
    Text,
    Tool,
    ToolCall,
    ToolCallDelta,
)
from mainspring.guards.policy import tools as rules
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.serving.guard.layers import Policies, note
from mainspring.stores.work.approvals import Approvals
from mainspring.telemetry.metrics import Metrics

OPTION = "approval"
WITHHELD = "[withheld: the result of this tool holds instructions]"


def offered(policy: GuardPolicy, request: ChatRequest) -> tuple[ChatRequest | GuardRefused, list[GuardDecision]]:
    """The request with the permitted tools, or the error for the others; and the decisions."""
    settings = policy.tools
    strange = [tool.name for tool in request.tools if not rules.listed(tool.name, settings)]
    if not strange:
        return request, []
    decisions = [policy.decision("tools", settings.unlisted, "unlisted", len(strange))]
    if policy.dry_run:
        return request, decisions
    kept = tuple(tool for tool in request.tools if tool.name not in strange)
    forced = request.tool_choice in strange or (request.tool_choice == "required" and not kept)
    if settings.unlisted == "refuse" or forced:
        names = ", ".join(dict.fromkeys(strange))
        remedy = "Leave them out, or have `guards.tools.allowed` changed"
        return GuardRefused(
            f"Policy {policy.name} does not allow the tools {names}", remedy=remedy, param="tools"
        ), decisions
    return dataclasses.replace(request, tools=kept), decisions


def result(policy: GuardPolicy, text: str, scores: Mapping[str, float]) -> tuple[str, list[GuardDecision]]:
    """A tool's result in its permitted form, and the decisions about it."""
    limits = policy.tools.results
    decisions: list[GuardDecision] = list(policy.judge_result(text, scores))
    if decisions and limits.injection == "withhold" and not policy.dry_run:
        return WITHHELD, decisions
    if limits.characters is not None and len(text) > limits.characters:
        decisions.append(policy.decision("result", limits.longer, "characters"))
        if not policy.dry_run:
            text = f"{text[: limits.characters]}\n[cut: {limits.characters} of {len(text)} characters]"
    return text, decisions


class GuardCalls(Layer):
    """Hands out the calls that the policy of the application permits. ``approvals`` is where others wait."""

    def __init__(self, inner: Responder, policy: Policies, metrics: Metrics, approvals: Approvals | None) -> None:
        super().__init__(inner)
        self._policies = policy
        self._metrics = metrics
        self._approvals = approvals

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest):
            return await self.inner.respond(request, context)
        if OPTION in request.options:
            return await self._handed_out(request, context)
        policy = self._policies.under(request.model)
        response = await self.inner.respond(request, context)
        if not policy.tools.watched or not request.tools:
            return response
        return response.through(lambda events: self._watched(events, request, policy, context))

    async def _handed_out(self, request: ChatRequest, context: Context) -> Response:
        wanted = request.options[OPTION]
        if not isinstance(wanted, str) or self._approvals is None:
            raise InvalidRequest("approval must be the id of an approval", param=f"options.{OPTION}")
        found = await self._approvals.take(context, wanted, request.model)
        call = found.call
        events: list[Event]
        if found.status == "approved":
            events = [ToolCallDelta(0, 0, call.id, call.name, call.arguments), Finish("tool_calls")]
        else:
            words = {
                "pending": "is waiting for approval",
                "denied": "was denied",
                "expired": "was not approved in time",
            }
            text = f"The call of {call.name} {words[found.status]}."
            if found.note:
                text += f" {found.note}"
            events = [Notice(f"approval_{found.status}", text, id=found.id), Text(text), Finish("stop")]
        return Response(Head(request.model), replay(events))

    async def _watched(
        self, events: AsyncIterator[Event], request: ChatRequest, policy: GuardPolicy, context: Context
    ) -> AsyncGenerator[Event, None]:
        """``events`` with complete calls, or their outcome, before the end of their choice."""
        calls: dict[tuple[int, int], ToolCall] = {}
        said: set[int] = set()
        async for event in events:
            if isinstance(event, ToolCallDelta):
                known = calls.get((event.choice, event.index), ToolCall("", "", ""))
                calls[event.choice, event.index] = ToolCall(
                    event.id or known.id, event.name or known.name, known.arguments + event.arguments
                )
                continue
            if isinstance(event, Finish):
                mine = [call for place, call in sorted(calls.items()) if place[0] == event.choice]
                for each in await self._judged(mine, event, request, policy, context, event.choice in said):
                    yield each
                continue
            if isinstance(event, Text) and event.text.strip():
                said.add(event.choice)
            yield event

    async def _judged(
        self,
        calls: Sequence[ToolCall],
        end: Finish,
        request: ChatRequest,
        policy: GuardPolicy,
        context: Context,
        said: bool,
    ) -> list[Event]:
        """The visible calls of a choice, and its end."""
        kept: list[ToolCall] = []
        notices: list[Notice] = []
        for call in calls:
            notice = await self._notice(call, request, policy, context)
            if notice is None:
                kept.append(call)
            else:
                notices.append(dataclasses.replace(notice, choice=end.choice))
        events: list[Event] = [*notices]
        if notices and not kept and not said:
            events.append(Text(" ".join(notice.text for notice in notices), end.choice))
        events += [
            ToolCallDelta(end.choice, index, each.id, each.name, each.arguments) for index, each in enumerate(kept)
        ]
        if notices and not kept:
            waits = any(notice.code == "approval_pending" for notice in notices)
            end = dataclasses.replace(end, reason="stop" if waits else "content_filter")
        return [*events, end]

    async def _notice(
        self, call: ToolCall, request: ChatRequest, policy: GuardPolicy, context: Context
    ) -> Notice | None:
        """Why a call is not handed out; None: it is."""
        settings = policy.tools
        tool = next((each for each in request.tools if each.name == call.name), None)
        refused = await self._refused(call, tool, policy, context)
        if refused:
            return Notice("tool_call_refused", f"A call of {call.name} was refused ({', '.join(refused)}).")
        if not rules.named(call.name, settings.approval):
            return None
        self._note(context, policy.decision("tools", "hold", "approval"))
        if policy.dry_run or self._approvals is None:
            return None
        waits = await self._approvals.request(call, request.model, context, settings.approval_s)
        text = f"The call of {call.name} is waiting for approval ({waits.id})."
        return Notice("approval_pending", text, id=waits.id)

    async def _refused(self, call: ToolCall, tool: Tool | None, policy: GuardPolicy, context: Context) -> list[str]:
        settings = policy.tools
        if tool is None or not rules.listed(call.name, settings):
            self._note(context, policy.decision("tools", "refuse", "unlisted"))
            return [] if policy.dry_run else ["unlisted"]
        if settings.arguments == "off":
            return []
        # A tool gets hidden values, such as an address, in the clear.
        found = rules.problems(tool, context.privacy.put_back(call.arguments), settings)
        for kind in found:
            self._note(context, policy.decision("tool_arguments", settings.arguments, kind))
        return found if settings.arguments == "refuse" and not policy.dry_run else []

    def _note(self, context: Context, decision: GuardDecision) -> None:
        note(context, [decision], "output", "assistant", self._metrics)
