"""Guards a conversation as a whole: several turns may be an attack together although no turn is one alone.

This layer is below ``Session``, so that remembered messages are checked like those of the request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence

from mainspring.core.path import Layer
from mainspring.core.types import ChatRequest, Context, Request, Responder, Response
from mainspring.guards.detect import conversation
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.serving.guard.layers import Detect, Policies, note, tell
from mainspring.serving.memory.layer import stored_name
from mainspring.serving.ring.ports import EventLog, Tracing
from mainspring.stores.sessions.conversations import SessionTurn
from mainspring.telemetry.metrics import Metrics


class GuardTurns(Layer):
    """Refuses a conversation whose turns together are an attack, as the policy says of ``injection``.

    Decisions wait in the settlement like those of ``GuardInput``. The decisions about a refused request are written at
    once, and its reservation of the session's budget is returned.
    """

    def __init__(
        self,
        inner: Responder,
        policy: Policies,
        events: EventLog,
        metrics: Metrics,
        detect: Detect | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        super().__init__(inner)
        self._policies = policy
        self._events = events
        self._metrics = metrics
        self._detect = detect
        self._tracing = tracing

    async def respond(self, request: Request, context: Context) -> Response:
        if isinstance(request, ChatRequest):
            policy = self._policies.under(context.settlement.application or request.model)
            said = [each.content for each in request.messages if each.role == "user" and each.content]
            if policy.untrusted.turns > 1 and len(said) > 1:
                await self._look(policy, said, request, context)
        return await self.inner.respond(request, context)

    async def _look(self, policy: GuardPolicy, said: Sequence[str], request: ChatRequest, context: Context) -> None:
        if self._tracing is None:
            found = await decided(policy, said, self._detect, context)
        else:
            with self._tracing.span("guard", context) as span:
                found = await decided(policy, said, self._detect, span.context)
                tell(span, found)
        note(context, found, "input", "conversation", self._metrics)
        refused = [each for each in found if each.action == "refuse" and not each.dry_run]
        if refused:
            await self._write_down(request, context)
            raise policy.refusal(refused)

    async def _write_down(self, request: ChatRequest, context: Context) -> None:
        records = list(context.settlement.records)
        context.settlement.records.clear()
        reserved, context.allowance.session_tokens = context.allowance.session_tokens, 0
        back = []
        if reserved and request.session_id is not None:
            name = stored_name(context.principal, request.session_id)
            tenant, trace = context.principal.tenant, context.trace.trace_id
            back = [SessionTurn(tenant, name, (), trace, time.time(), 0, reserved)]
        await self._events.settle(records, back)


async def decided(
    policy: GuardPolicy, said: Sequence[str], detect: Detect | None, context: Context
) -> list[GuardDecision]:
    """The decisions about a user's messages ``said`` in several turns: the rules read all of them as one text and
    rejoined pieces, the detector reads neighbouring turns. The worst score of each."""
    heard = conversation.heard(said)
    scores: Sequence[Mapping[str, float]] = ()
    if detect is not None and "injection" in policy.detecting:
        scores = await detect(conversation.windows(heard, policy.untrusted.turns), context)
    return list(
        await asyncio.to_thread(
            policy.judge_conversation, ["\n".join(heard), *conversation.put_together(heard)], scores
        )
    )
