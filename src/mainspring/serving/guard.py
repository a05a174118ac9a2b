"""What guards do on the way in and on the way out."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import hmac
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from mainspring.errors import MainspringError
from mainspring.path import Layer
from mainspring.serving.ports import EventLog
from mainspring.serving.redaction import Outgoing, Redactor
from mainspring.stores import ids
from mainspring.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Event,
    EventRecord,
    Message,
    Request,
    RerankRequest,
    Responder,
    Response,
    Text,
)

# Longer texts are checked in a thread: the event loop has other streams to serve.
IN_LINE_CHARACTERS = 4096


class Decision(Protocol):
    """What a guard found and did, with no text of what it found."""

    @property
    def guard(self) -> str: ...

    @property
    def action(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def count(self) -> int: ...

    @property
    def dry_run(self) -> bool: ...

    def facts(self) -> Mapping[str, Any]: ...


class Checked(Protocol):
    @property
    def text(self) -> str: ...

    @property
    def decisions(self) -> Sequence[Decision]: ...

    @property
    def refused(self) -> Sequence[Any]: ...


class Policy(Protocol):
    """The guards as they are configured for one application; ``version`` changes whenever their answers may."""

    @property
    def version(self) -> str: ...

    @property
    def canary(self) -> bool: ...

    @property
    def detecting(self) -> Sequence[str]:
        """The detectors that read what users and tools say."""
        ...

    @property
    def dropping(self) -> bool:
        """Whether passages are looked at before a model reads them."""
        ...

    def inspect(self, text: str) -> Checked:
        """What the rules decide about a text."""
        ...

    def judge(self, scores: Mapping[str, float]) -> Sequence[Decision]:
        """What is decided on detectors' probabilities."""
        ...

    def judge_passage(self, text: str, scores: Mapping[str, float]) -> Sequence[Decision]:
        """What is decided about a passage that a model is to read."""
        ...

    def refusal(self, decisions: Sequence[Any]) -> MainspringError:
        """The error that tells of ``decisions``."""
        ...

    def output_decisions(self, counts: Mapping[str, int]) -> Sequence[Decision]:
        """The decisions that a redactor's counts amount to."""
        ...

    def output(self, system: Sequence[str] = (), said: Sequence[str] = ()) -> Callable[[], Redactor] | None:
        """Makes the redactor of each text of an answer; None where nothing is looked for."""
        ...

    def output_stream(self) -> Redactor | None:
        """A redactor for one text that belongs to no request; None where output is not guarded."""
        ...


class Policies(Protocol):
    """The policy of each application; ``version`` changes whenever one of them does."""

    @property
    def version(self) -> str: ...

    def under(self, application: str) -> Policy:
        """The policy for what is asked under this name (empty: of everybody else)."""
        ...


class Detect(Protocol):
    """Detectors' probabilities for texts, by the name of the detector. ``pieces``: texts are documents."""

    async def __call__(
        self, texts: Sequence[str], context: Context, *, pieces: bool = False
    ) -> Sequence[Mapping[str, float]]: ...


class GuardMetrics(Protocol):
    def guard(self, guard: str, action: str, kind: str, count: int = 1) -> None: ...


class GuardInput(Layer):
    """Checks what users and tools say, rewrites what the policy redacts, and notes each decision.

    Rules come first; detectors read what they let pass. Decisions wait in the allowance for the settling commit; those
    of a request that is refused, here or before that commit, are written at once. Texts to be embedded pass: they are
    data, and a vector of other words would be a wrong answer. So do documents to be reranked; their query is looked at
    and stays as it is (see ``inspect``).
    """

    def __init__(
        self,
        inner: Responder,
        policy: Policies,
        events: EventLog,
        metrics: GuardMetrics,
        detect: Detect | None = None,
    ) -> None:
        super().__init__(inner)
        self._policies = policy
        self._events = events
        self._guard = Guard(events, metrics, detect)

    def attributes(self, request: Request) -> Mapping[str, Any]:
        """For the layer's span: under which policy the request is, to the version."""
        return {"mainspring.policy": self._policies.under(request.model).version}

    async def respond(self, request: Request, context: Context) -> Response:
        policy = self._policies.under(request.model)
        if isinstance(request, ChatRequest):
            heard = [each for each in request.messages if each.role in ("user", "tool") and each.content]
            texts = await self._guard.check(policy, [(each.role, each.content) for each in heard], context)
            if any(text is not each.content for text, each in zip(texts, heard, strict=True)):
                new = dict(zip(map(id, heard), texts, strict=True))
                messages = [
                    dataclasses.replace(each, content=new[id(each)]) if id(each) in new else each
                    for each in request.messages
                ]
                request = dataclasses.replace(request, messages=tuple(messages))
        elif isinstance(request, RerankRequest):
            await self._guard.check(policy, [("query", request.query)], context, param="query")
        elif isinstance(request, CompletionRequest):
            (prompt,) = await self._guard.check(policy, [("prompt", request.prompt)], context, param="prompt")
            request = dataclasses.replace(request, prompt=prompt)
        try:
            return await self.inner.respond(request, context)
        except BaseException:
            # What was refused before anybody settled it (a session that has spent its budget, say).
            await self._write_down(context)
            raise

    async def _write_down(self, context: Context) -> None:
        records = list(context.allowance.records)
        context.allowance.records.clear()
        if records:
            await self._events.append(*records)


class Guard:
    """What is done with texts on the way in, by the rules and the detectors of a policy."""

    def __init__(self, events: EventLog, metrics: GuardMetrics, detect: Detect | None) -> None:
        self._events = events
        self._metrics = metrics
        self._detect = detect

    async def check(
        self, policy: Policy, texts: Sequence[tuple[str, str]], context: Context, *, param: str = "messages"
    ) -> list[str]:
        """The texts, given with the role of who said them, as they may go on.

        Raises ``GuardRefused`` naming ``param``, after writing down what waits in the allowance.
        """
        passed = []
        for role, text in texts:
            if len(text) <= IN_LINE_CHARACTERS:
                checked = policy.inspect(text)
            else:
                checked = await asyncio.to_thread(policy.inspect, text)
            await self._decided(policy, checked.decisions, role, context, param)
            passed.append(checked.text)
        if self._detect is not None and policy.detecting and texts:
            scores = await self._detect([text for _, text in texts], context)
            for (role, _), each in zip(texts, scores, strict=True):
                judged = policy.judge({name: each[name] for name in policy.detecting})
                await self._decided(policy, judged, role, context, param)
        return passed

    async def sift(self, policy: Policy, texts: Sequence[str], context: Context) -> list[bool]:
        """Whether each of these passages may be read by a model."""
        if self._detect is None or not policy.dropping or not texts:
            return [True] * len(texts)
        kept = []
        for text, scores in zip(texts, await self._detect(texts, context, pieces=True), strict=True):
            decisions = policy.judge_passage(text, scores)
            note(context, decisions, "retrieved", "passage", self._metrics)
            kept.append(all(decision.action != "drop" or decision.dry_run for decision in decisions))
        return kept

    async def _decided(
        self, policy: Policy, decisions: Sequence[Decision], role: str, context: Context, param: str
    ) -> None:
        note(context, decisions, "input", role, self._metrics)
        refused = [decision for decision in decisions if decision.action == "refuse" and not decision.dry_run]
        if refused:
            records = list(context.allowance.records)
            context.allowance.records.clear()
            await self._events.append(*records)
            error = policy.refusal(refused)
            error.param = param
            raise error


class GuardOutput(Layer):
    """Redacts text, reasoning, tool arguments and quotes; holds back no more than a redactor does."""

    def __init__(self, inner: Responder, policy: Policies, metrics: GuardMetrics) -> None:
        super().__init__(inner)
        self._policies = policy
        self._metrics = metrics
        self._secret = os.urandom(32)

    async def respond(self, request: Request, context: Context) -> Response:
        if not isinstance(request, ChatRequest | CompletionRequest):
            return await self.inner.respond(request, context)
        policy = self._policies.under(context.allowance.application or request.model)
        system, said = _told(request)
        if policy.canary and system and isinstance(request, ChatRequest):
            request = marked(request, self._secret)
        response = await self.inner.respond(request, context)
        make = policy.output(system, said)
        if make is None:
            return response
        outgoing = Outgoing(make)

        async def finish() -> None:
            note(context, policy.output_decisions(outgoing.counts), "output", "assistant", self._metrics)

        return response.through(lambda events: _redacted(events, outgoing), on_close=finish)


def _told(request: ChatRequest | CompletionRequest) -> tuple[list[str], list[str]]:
    """The system prompts of a request, and all that was said in it."""
    if isinstance(request, CompletionRequest):
        return [], [request.prompt]
    system = [each.content for each in request.messages if each.role in ("system", "developer") and each.content]
    return system, [each.content for each in request.messages]


def marked(request: ChatRequest, secret: bytes) -> ChatRequest:
    """``request`` with a mark before each system prompt that nobody can guess who does not know ``secret``; the same
    prompt gets the same mark, so that prompts go on to begin alike. Who repeats the prompt repeats the mark."""

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


async def inspect(
    guard: Guard,
    policies: Policies,
    texts: Sequence[str],
    context: Context,
    *,
    role: str,
    param: str = "query",
) -> None:
    """Look at texts that are searched by, and note each decision. They are searched as they are: a query of other words
    would find something else, and is recorded nowhere.

    Raises ``GuardRefused`` naming ``param``, after writing down what waits in the allowance.
    """
    await guard.check(policies.under(""), [(role, text) for text in texts], context, param=param)


def note(context: Context, decisions: Sequence[Decision], stage: str, role: str, metrics: GuardMetrics) -> None:
    """Leave ``decisions`` for the settling commit, one event each, about the answer that will be recorded."""
    for decision in decisions:
        metrics.guard(decision.guard, decision.action, decision.kind, decision.count)
        record = EventRecord(
            id=ids.new("evt_"),
            at=time.time(),
            tenant=context.principal.tenant,
            trace_id=context.trace.trace_id,
            kind="guard",
            subject="",
            facts={"stage": stage, "role": role, **decision.facts()},
            consent=context.consent,
            retention=context.retention,
        )
        context.allowance.records.append(record)
