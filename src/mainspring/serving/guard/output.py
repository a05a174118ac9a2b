"""The output guards: texts are redacted; answers are judged, refused or requested again."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, Protocol

from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    Events,
    Finish,
    Message,
    Principal,
    Request,
    Responder,
    Response,
    Text,
    Usage,
)
from mainspring.guards.policy import scanners
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.guards.policy.scanners import TextGuard
from mainspring.serving.guard.layers import Policies, note, tell
from mainspring.serving.guard.redaction import Outgoing, Passthrough, Redactor, Rewriter
from mainspring.serving.judge.answer_checks import AnswerChecks
from mainspring.serving.judge.windows import WindowJudge
from mainspring.serving.ring.ports import Span, Tracing
from mainspring.telemetry.metrics import Metrics

Make = Callable[[], Redactor]
SHORT = 8
"""A last message with fewer words ("yes, please") does not show alone what an answer should be about."""
TOGETHER = 4
"""The number of last messages that then show it together; the last ``READ`` characters of each count."""
READ = 600
AGAIN = {
    "toxicity": "its tone was hurtful",
    "relevancy": "it did not answer the question",
    "unsupported": "it said things that the sources do not say",
}


class Kinds(Protocol):
    """The registry of served names."""

    async def find(self, name: str, principal: Principal) -> Any: ...


class GuardOutput(Layer):
    """Redacts text, reasoning, tool arguments and quotes, and holds back no more than a redactor; with a ``judge``, it
    also applies the policy for the content of answers. ``kinds`` says whether a name is a model's. Those ``guards`` of
    plugins that look at answers are asked too."""

    def __init__(
        self,
        inner: Responder,
        policy: Policies,
        metrics: Metrics,
        *,
        judge: WindowJudge | None = None,
        kinds: Kinds | None = None,
        tracing: Tracing | None = None,
        guards: Mapping[str, TextGuard] | None = None,
    ) -> None:
        super().__init__(inner)
        self._tracing = tracing
        self._policies = policy
        self._metrics = metrics
        self._judge = judge
        self._kinds = kinds
        self._answering = scanners.answering(guards or {})
        self._secret = os.urandom(32)

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest | CompletionRequest):
            return await self.inner.respond(request, context)
        policy = self._policies.under(context.settlement.application or request.model)
        system, said = _told(request)
        if policy.canary and system and isinstance(request, ChatRequest):
            request = marked(request, self._secret)
        make = policy.output(system, said, self._answering)
        if self._kinds is not None and policy.answers.on:
            return await self._judged(request, context, policy, make)
        response = await self.inner.respond(request, context)
        rules = self._rules(policy, request)
        if make is None and rules is None:
            return response
        outgoing, running, span = Outgoing(make or Passthrough, rules=rules), *self._running(context)

        async def finish() -> None:
            with running:
                self._note(context, policy.output_decisions(outgoing.counts), span)

        return response.through(lambda events: _redacted(events, outgoing), on_close=finish)

    def _rules(self, policy: GuardPolicy, request: ChatRequest | CompletionRequest) -> Callable[[], Rewriter] | None:
        """The rewriter of the answer: none if the answer must have a format, and not before a search has used it."""
        if self._kinds is None or request.sampling.grammar is not None:
            return None
        return policy.rewriter()

    async def _judged(
        self, request: ChatRequest | CompletionRequest, context: Context, policy: GuardPolicy, make: Make | None
    ) -> Response:
        """The answer as it may be shown. An answer that may be retried is returned when it is complete, or too long for
        a retry."""
        answers, asked, earlier = policy.answers, request, Usage()
        again = "retry" in answers.actions and isinstance(request, ChatRequest) and not policy.dry_run
        for left in range(answers.retries if again else 0, -1, -1):
            response, checked = await self._attempt(asked, request, context, policy, make, final=left == 0)
            read = await _read(response, answers.buffered) if left else []
            if not checked.wrong:
                checked.final = True
                return response.through(partial(_after, read, earlier))
            await response.aclose()
            earlier = earlier + checked.spent
            assert isinstance(request, ChatRequest)
            asked = await self._asked_again(request, context, checked.wrong)
        raise AssertionError("the last attempt is final")

    async def _attempt(
        self,
        asked: ChatRequest | CompletionRequest,
        request: ChatRequest | CompletionRequest,
        context: Context,
        policy: GuardPolicy,
        make: Make | None,
        *,
        final: bool,
    ) -> tuple[Response, AnswerChecks]:
        response = await self.inner.respond(asked, context)
        outgoing = Outgoing(make or Passthrough, rules=self._rules(policy, request))
        checked = AnswerChecks(policy, self._judge, outgoing, question(request), context, final=final)
        running, span = self._running(context)

        async def finish() -> None:
            with running:
                await checked.close()
                self._note(context, [*policy.output_decisions(outgoing.counts), *checked.decisions], span)

        return response.through(checked.through, on_close=finish), checked

    def _running(self, context: Context) -> tuple[ExitStack, Span | None]:
        """The span of processing an answer while it streams."""
        running = ExitStack()
        if self._tracing is None:
            return running, None
        return running, running.enter_context(self._tracing.span("postprocess", context))

    def _note(self, context: Context, decisions: Sequence[GuardDecision], span: Span | None) -> None:
        note(context, decisions, "output", "assistant", self._metrics)
        if span is not None:
            tell(span, decisions)

    async def _asked_again(self, request: ChatRequest, context: Context, wrong: str) -> ChatRequest:
        """``request`` with the answer's fault: an application gets it as a field, a model in a message."""
        assert self._kinds is not None
        served = await self._kinds.find(request.model, context.principal)
        if served.kind in ("application", "collection"):
            return dataclasses.replace(request, again=AGAIN[wrong])
        told = f"(An earlier answer could not be shown: {AGAIN[wrong]}. Answer again, and avoid that.)"
        messages = list(request.messages)
        for place in range(len(messages) - 1, -1, -1):
            if messages[place].role == "user":
                messages[place] = dataclasses.replace(messages[place], content=f"{messages[place].content}\n\n{told}")
                break
        return dataclasses.replace(request, messages=tuple(messages))


async def _read(response: Response, characters: int) -> list[Event]:
    """The text of ``response`` up to its end, or up to this many characters."""
    read: list[Event] = []
    left = characters
    while left > 0:
        try:
            event = await anext(response)
        except StopAsyncIteration:
            break
        read.append(event)
        if isinstance(event, Text):
            left -= len(event.text)
    return read


async def _after(read: list[Event], earlier: Usage, events: Events) -> AsyncGenerator[Event, None]:
    """The events already ``read``, the rest, and the usage of earlier attempts."""
    told = earlier == Usage()
    for event in read:
        if isinstance(event, Finish) and not told:
            told = True
            yield earlier
        yield event
    async for event in events:
        if isinstance(event, Finish) and not told:
            told = True
            yield earlier
        yield event


def question(request: ChatRequest | CompletionRequest) -> list[str]:
    """The question of an answer: the user's last message and, if that is short, the same with the previous messages.
    Nothing where no user said anything."""
    if isinstance(request, CompletionRequest):
        return []
    said = [each for each in request.messages if each.role in ("user", "assistant") and each.content.strip()]
    while said and said[-1].role != "user":
        said.pop()
    if not said:
        return []
    last = said[-1].content
    if len(said) == 1 or len(last.split()) >= SHORT:
        return [last]
    return [last, "\n".join(each.content.strip()[-READ:] for each in said[-TOGETHER:])]


def _told(request: ChatRequest | CompletionRequest) -> tuple[list[str], list[str]]:
    """The system prompts of a request, and all that was said in it."""
    if isinstance(request, CompletionRequest):
        return [], [request.said]
    system = [each.content for each in request.messages if each.role in ("system", "developer") and each.content]
    return system, [each.content for each in request.messages]


def marked(request: ChatRequest, secret: bytes) -> ChatRequest:
    """``request`` with a mark before each system prompt. Nobody can guess the mark without ``secret``; equal prompts
    get equal marks, so that they still share a prefix. Repeating the prompt repeats the mark."""

    def mark(message: Message) -> Message:
        if message.role not in ("system", "developer") or not message.content:
            return message
        made = hmac.new(secret, message.content.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]
        return dataclasses.replace(message, content=f"[canary-{made}]\n{message.content}")

    return dataclasses.replace(request, messages=tuple(map(mark, request.messages)))


async def _redacted(events: AsyncIterator[Event], outgoing: Outgoing) -> AsyncGenerator[Event, None]:
    push = outgoing.text
    async for event in events:
        if type(event) is Text:
            shown = push(event)
            if shown is not None:
                yield shown
        else:
            for other in outgoing.other(event):
                yield other
    for rest in outgoing.end():
        yield rest
