"""The input guards: messages of users and tools are checked, rewritten or refused."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import mainspring.serving.guard.tools as tool_guard
import mainspring.serving.guard.untrusted as untrusted
import mainspring.serving.judge.language as language
from mainspring.core.errors import GuardRefused
from mainspring.core.facts.guards import GuardFacts
from mainspring.core.path import Layer
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    Message,
    Request,
    RerankRequest,
    Responder,
    Response,
)
from mainspring.guards.detect import question_limits
from mainspring.guards.detect.question_limits import ExceededLimit
from mainspring.guards.policy.policies import GuardDecision, GuardPolicy
from mainspring.guards.policy.scanners import TextGuard
from mainspring.guards.rewrite.placeholders import Placeholders
from mainspring.serving.guard.layers import About, Detect, Policies, note, tell
from mainspring.serving.guard.placeholder_return import Conversations, hidden, put_back
from mainspring.serving.memory.base import Count
from mainspring.serving.memory.tokens import estimated
from mainspring.serving.ring.ports import EventLog, Tracing
from mainspring.telemetry.metrics import Metrics

# Longer texts are checked in a thread: the event loop has other streams to serve.
IN_LINE_CHARACTERS = 4096


class TokenCounter(Protocol):
    """Counts tokens like a model."""

    def counter(self, model: str) -> Count: ...


class GuardInput(Layer):
    """Checks messages of users and tools, rewrites them as the policy says, and records each decision.

    Rules come first; detectors read the texts that they let pass. Decisions wait in the settlement for the settling
    commit; those of a request that is refused, here or before that commit, are written at once. Texts to be embedded
    pass: they are data, and a vector of other words would be a wrong answer. The same applies to documents to be
    reranked; their query is checked but not changed (see ``inspect``).
    """

    def __init__(
        self,
        inner: Responder,
        policy: Policies,
        events: EventLog,
        metrics: Metrics,
        conversations: Conversations,
        detect: Detect | None = None,
        about: About | None = None,
        tokens: TokenCounter | None = None,
        tracing: Tracing | None = None,
        scanners: Mapping[str, TextGuard] | None = None,
    ) -> None:
        super().__init__(inner)
        self._tracing = tracing
        self._policies = policy
        self._events = events
        self._conversations = conversations
        self._tokens = tokens
        self._guard = Guard(events, metrics, detect, about, scanners)

    def attributes(self, request: Request) -> Mapping[str, Any]:
        """For the layer's span: the request's policy and its version."""
        return {"mainspring.policy": self._policies.under(request.model).version}

    async def respond(self, request: Request, context: Context) -> Response:
        policy = self._policies.under(request.model)
        context.settlement.application = request.model
        placeholders = None
        if policy.tokenising and isinstance(request, ChatRequest | CompletionRequest):
            placeholders = await self._conversations.of(request, context)
        if self._tracing is None:
            request = await self._checked(policy, request, context, placeholders)
        else:
            with self._tracing.span("guard", context) as span:
                noted = len(context.settlement.records)
                request = await self._checked(policy, request, span.context, placeholders)
                told = [each.facts for each in context.settlement.records[noted:]]
                tell(span, [each for each in told if isinstance(each, GuardFacts)])
        if placeholders:
            # A cache of shown answers must not store this one.
            context.privacy.private = True
            context.privacy.put_back = partial(placeholders.put_back, within_json=True)
        try:
            response = await self.inner.respond(request, context)
        except BaseException:
            # A request that was refused before its reservation was settled (for example because its session has spent
            # its budget).
            await self._write_down(context)
            raise
        if not placeholders:
            return response
        grammar = request.sampling.grammar if isinstance(request, ChatRequest) else None
        within_json = grammar is not None and grammar.kind == "json_schema"
        if isinstance(request, ChatRequest) and request.store:
            self._conversations.keep(response.head.answer_id, placeholders, context)
        return response.through(lambda events: put_back(events, placeholders, within_json=within_json))

    async def _checked(
        self, policy: GuardPolicy, request: Request, context: Context, placeholders: Placeholders | None
    ) -> Request:
        """The request in the form in which it may continue. Raises ``GuardRefused``."""
        if isinstance(request, ChatRequest):
            return await self._chat(policy, request, context, placeholders)
        if isinstance(request, RerankRequest):
            texts = [("query", request.query)]
            await self._guard.check(policy, texts, context, param="query")
            await self._guard.limit(policy, [Message("user", request.query)], context, param="query")
        elif isinstance(request, CompletionRequest):
            roles = ("code", "code") if request.source else ("prompt", "suffix")
            texts = [(roles[0], request.prompt), *([(roles[1], request.suffix)] if request.suffix else [])]
            await self._guard.limit(policy, [Message("user", request.said)], context, param="prompt")
            prompt, *suffix = await self._guard.check(policy, texts, context, param="prompt", placeholders=placeholders)
            return dataclasses.replace(request, prompt=prompt, suffix="".join(suffix))
        return request

    async def _chat(
        self, policy: GuardPolicy, request: ChatRequest, context: Context, placeholders: Placeholders | None
    ) -> ChatRequest:
        if (use := request.prompt) is not None and use.variables:
            # Users' texts within the system's prompt.
            given = [("variable", text) for text in use.variables.values()]
            texts = await self._guard.check(policy, given, context, param="prompt.variables", placeholders=placeholders)
            use = dataclasses.replace(use, variables=dict(zip(use.variables, texts, strict=True)))
            request = dataclasses.replace(request, prompt=use)
        asked = request.messages
        request = await self._guard.tools(policy, request, context)
        spoken = list(request.messages)
        heard = [index for index, each in enumerate(spoken) if each.role in ("user", "tool") and each.content]
        if placeholders is not None:
            # Answers repeat restored values. All in their order, so that it is the same each time.
            spoken = await asyncio.to_thread(hidden, spoken, placeholders)
        said = [(spoken[index].role, request.messages[index].content) for index in heard]
        count = None if self._tokens is None else self._tokens.counter(request.model)
        await self._guard.limit(policy, request.messages, context, count or estimated)
        texts = await self._guard.check(policy, said, context, placeholders=placeholders)
        await self._guard.untrusted(policy, request.messages, context)
        for index, text in zip(heard, texts, strict=True):
            if text is not spoken[index].content:
                spoken[index] = dataclasses.replace(spoken[index], content=text)
        if all(one is other for one, other in zip(spoken, asked, strict=True)):
            return request
        # A caller that already named the new part for the record gave it in the original words.
        new = dict(zip(asked, spoken, strict=True))
        context.settlement.turn = tuple(new.get(each, each) for each in context.settlement.turn)
        return dataclasses.replace(request, messages=tuple(spoken))

    async def _write_down(self, context: Context) -> None:
        records = list(context.settlement.records)
        context.settlement.records.clear()
        if records:
            await self._events.append(*records)


class Guard:
    """Applies a policy's rules and detectors to input texts."""

    def __init__(
        self,
        events: EventLog,
        metrics: Metrics,
        detect: Detect | None,
        about: About | None = None,
        scanners: Mapping[str, TextGuard] | None = None,
    ) -> None:
        self._events = events
        self._metrics = metrics
        self._detect = detect
        self._about = about
        self._scanners = scanners or {}

    async def limit(
        self,
        policy: GuardPolicy,
        messages: Sequence[Message],
        context: Context,
        count: Count = estimated,
        *,
        param: str = "messages",
    ) -> None:
        """Checks the length, languages and topics of a request. Raises ``GuardRefused`` like ``check``."""
        said = [each for each in messages if each.role == "user"]
        beyond: list[ExceededLimit] = []
        if policy.length.action != "off":
            beyond += question_limits.messages(
                sum(each.role not in ("system", "developer") for each in messages), policy.length
            )
            tokens = await count(said) if policy.length.tokens is not None else [0] * len(said)
            for each, number in zip(said, tokens, strict=True):
                beyond += question_limits.length(each.content, number, policy.length)
        if policy.languages.action != "off":
            for each in said:
                beyond += question_limits.language(
                    language.detect(each.content), policy.languages, unknown=language.UNKNOWN
                )
        await self._decided(policy, policy.bound(beyond), "user", context, param)
        if policy.topics.action != "off" and said and self._about is not None:
            strange = await self._about([each.content for each in said], policy.topics, context)
            await self._decided(policy, policy.bound(strange), "user", context, param)

    async def check(
        self,
        policy: GuardPolicy,
        texts: Sequence[tuple[str, str]],
        context: Context,
        *,
        param: str = "messages",
        placeholders: Placeholders | None = None,
    ) -> list[str]:
        """The permitted form of texts, given with the role of their author; ``placeholders`` belong to their
        conversation.

        Raises ``GuardRefused`` naming ``param``, after writing down what waits in the settlement.
        """
        passed = []
        for role, text in texts:
            if len(text) <= IN_LINE_CHARACTERS:
                checked = policy.inspect(text, placeholders, role=role)
            else:
                checked = await asyncio.to_thread(partial(policy.inspect, text, placeholders, role=role))
            await self._decided(policy, checked.decisions, role, context, param)
            passed.append(checked.text)
            await self._scan(policy, text, role, context, param)
        if self._detect is not None and policy.detecting and texts:
            scores = await self._detect([text for _, text in texts], context)
            for (role, _), each in zip(texts, scores, strict=True):
                judged = policy.judge({name: each[name] for name in policy.detecting})
                await self._decided(policy, judged, role, context, param)
        return passed

    async def _scan(self, policy: GuardPolicy, text: str, role: str, context: Context, param: str) -> None:
        """Ask the guards of plugins that the policy names. Raises ``GuardRefused``."""
        for name, action in policy.plugins.items():
            if action != "off":
                decisions = policy.scanned(name, await self._scanners[name].scan(text, role), role)
                await self._decided(policy, decisions, role, context, param)

    async def tools(self, policy: GuardPolicy, request: ChatRequest, context: Context) -> ChatRequest:
        """The request with only the permitted tools, and with the permitted results of other tools.

        Raises ``GuardRefused`` with the forbidden kind."""
        offered, decisions = tool_guard.offered(policy, request)
        note(context, decisions, "input", "tools", self._metrics)
        if isinstance(offered, GuardRefused):
            await self._write_down(context)
            raise offered
        returned = [each for each in offered.messages if each.role == "tool" and each.content]
        limits = policy.tools.results
        if not returned or (limits.characters is None and limits.injection == "off"):
            return offered
        scores: Sequence[Mapping[str, float]] = [{} for _ in returned]
        if self._detect is not None and limits.injection != "off" and policy.dropping:
            scores = await self._detect([each.content for each in returned], context, pieces=True)
        changed: dict[int, Message] = {}
        for each, found in zip(returned, scores, strict=True):
            text, judged = tool_guard.result(policy, each.content, found)
            await self._decided(policy, judged, "tool", context, "messages")
            if text != each.content:
                changed[id(each)] = dataclasses.replace(each, content=text)
        if not changed:
            return offered
        return dataclasses.replace(offered, messages=tuple(changed.get(id(each), each) for each in offered.messages))

    async def untrusted(self, policy: GuardPolicy, messages: Sequence[Message], context: Context) -> None:
        """What users pasted. Raises ``GuardRefused``."""
        for role, decisions in await untrusted.decided(policy, messages, self._detect, context):
            await self._decided(policy, decisions, role, context, "messages")

    async def sift(self, policy: GuardPolicy, texts: Sequence[str], context: Context) -> list[bool]:
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
        self, policy: GuardPolicy, decisions: Sequence[GuardDecision], role: str, context: Context, param: str
    ) -> None:
        note(context, decisions, "input", role, self._metrics)
        refused = [decision for decision in decisions if decision.action == "refuse" and not decision.dry_run]
        if refused:
            await self._write_down(context)
            error = policy.refusal(refused)
            error.param = param
            raise error

    async def _write_down(self, context: Context) -> None:
        records = list(context.settlement.records)
        context.settlement.records.clear()
        await self._events.append(*records)


async def inspect(
    guard: Guard,
    policies: Policies,
    texts: Sequence[str],
    context: Context,
    *,
    role: str,
    param: str = "query",
) -> None:
    """Look at the query texts of a search, and note each decision. The search uses them unchanged: other words would
    find something else, and they are recorded nowhere.

    Raises ``GuardRefused`` naming ``param``, after writing down the decisions in the settlement.
    """
    policy = policies.under("")
    await guard.check(policy, [(role, text) for text in texts], context, param=param)
    for text in texts:
        await guard.limit(policy, [Message("user", text)], context, param=param)
