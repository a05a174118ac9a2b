"""Exact answers: the same request of the same people to the same responder gets one stored answer."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mainspring.serving.cache.stored_answers as stored
from mainspring.core.errors import InvalidRequest, StoreError
from mainspring.core.path import Layer, replay
from mainspring.core.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Finish,
    Priority,
    PromptUse,
    Request,
    RerankRequest,
    Responder,
    Response,
    Usage,
)
from mainspring.serving.cache.single_flight import SingleFlight, free
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.ports import EventLog, FinishedAnswers
from mainspring.serving.ring.registry import Registry
from mainspring.stores.cache.answers import made_for
from mainspring.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)
OPTION = "cache"


def answers_of(tenant: str) -> str:
    """The tag of the tenant's cached answers. (Its idempotent replies, which are stored beside them, have another.)"""
    return f"answers:{tenant}"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """An answer's key, its tags, the state behind its responder, and whether it was sampled."""

    key: str
    tags: frozenset[str]
    fingerprint: str
    drawn: bool


class Keys:
    """The keys of answers, and whether they may be stored. ``policy`` names the guards' settings: answers stored under
    laxer ones are never replayed."""

    def __init__(self, registry: Registry, policy: str, *, enabled: bool = True) -> None:
        self._registry = registry
        self.policy = policy
        self._enabled = enabled

    def may_hold(self, request: Request) -> bool:
        """Whether the request itself permits a cached answer."""
        request, wish = _without_option(request)
        if not self._enabled or isinstance(request, EmbedRequest | RerankRequest) or not _cacheable(request, wish):
            return False
        return bool(wish) or request.sampling.temperature == 0

    async def of(self, request: Request, context: Context) -> tuple[Request, CacheKey | None]:
        """``request`` without our own option, which no application need know, and its key; None: it is not kept.

        Raises ``InvalidRequest`` naming the option."""
        request, wish = _without_option(request)
        if not self._enabled or isinstance(request, EmbedRequest | RerankRequest) or not _cacheable(request, wish):
            return request, None
        if context.replay:
            return request, None
        served = await self._registry.find(request.model, context.principal)
        drawn = served.sampled and request.sampling.temperature != 0
        if drawn and not wish:
            return request, None
        fingerprint = served.responder.fingerprint(request, context)
        if fingerprint is None:
            return request, None
        tenant = context.principal.tenant
        tags = {f"tenant:{tenant}", answers_of(tenant), f"model:{request.model}"}
        if served.kind in ("application", "collection"):
            tags.add(f"documents:{tenant}")
        if context.settlement.answer_id:
            tags.add(made_for(context.settlement.answer_id))
        key = cache_key(request, context, fingerprint, self.policy)
        return request, CacheKey(key, frozenset(tags), fingerprint, drawn)


class ResponseCache(Layer):
    """Answers from the store, joins an identical request in flight, or starts one; others pass through.

    The cache holds greedy single answers that ended in ``stop``, belong to no session, and come from responders that
    have a fingerprint and whose head does not say ``cache-control: no-store``. ``options={"cache": true}`` asks for it
    with sampling too, ``false`` forbids it. ``hands_on`` leaves that option in the request for the layer below, which
    reads it too.
    """

    def __init__(
        self,
        inner: Responder,
        keys: Keys,
        answers: FinishedAnswers,
        events: EventLog,
        background: Background,
        metrics: Metrics,
        *,
        ttl_s: float,
        hands_on: bool = False,
    ) -> None:
        super().__init__(inner)
        self._keys = keys
        self._answers = answers
        self._events = events
        self._background = background
        self._metrics = metrics
        self._ttl_s = ttl_s
        self._hands_on = hands_on
        self._flights: dict[tuple[str, Priority], SingleFlight] = {}
        self._lost = False

    async def respond(self, request: Request, context: Context) -> Response:
        plain, keyed = await self._keys.of(request, context)
        beneath = request if self._hands_on else plain
        if keyed is None:
            return await self.inner.respond(beneath, context)
        key = keyed.key
        flight = self._flying(key, context)
        if flight is None and (answer := await self._stored(key)):
            self._metrics.cache("hit")
            return given_again(answer, context, cache="hit")
        # Reading the store took time: another request may have started meanwhile.
        flight = self._flying(key, context)
        self._metrics.cache("miss" if flight is None else "hit")
        return await (flight or self._start(key, keyed.tags, beneath, context)).join(context)

    async def _stored(self, key: str) -> stored.Answer | None:
        try:
            value = await self._answers.get(key)
        except StoreError as error:
            # Losing the cache loses nothing: the request is answered without it.
            self._outage("read", error)
            return None
        self._lost = False
        return None if value is None else stored.decode(value)

    def _start(self, key: str, tags: frozenset[str], request: Request, context: Context) -> SingleFlight:
        # The shared answer outlives its first listener, so it has an account of its own and no deadline.
        own = context.forked(deadline=None)
        place = key, _urgency(context)
        flight = SingleFlight(own, self._background, self._events, forget=lambda: self._forget(place, flight))
        self._flights[place] = flight
        flight.start(lambda: self.inner.respond(request, own), lambda: self._keep(key, tags, flight))
        return flight

    def _flying(self, key: str, context: Context) -> SingleFlight | None:
        """The shared answer to join: never one that waits behind requests with lower priority than the caller's."""
        classes = (each for each in sorted(Priority, reverse=True) if each >= _urgency(context))
        return next((found for each in classes if (found := self._flights.get((key, each)))), None)

    def _forget(self, place: tuple[str, Priority], flight: SingleFlight) -> None:
        if self._flights.get(place) is flight:
            del self._flights[place]

    async def _keep(self, key: str, tags: frozenset[str], flight: SingleFlight) -> None:
        events = [*flight.events, *flight.closing]
        reasons = {event.reason for event in events if isinstance(event, Finish)}
        if reasons != {"stop"} or flight.head is None or flight.head.instead:
            return
        if flight.head.headers.get("cache-control") == "no-store":
            return
        if flight.head.cache:
            # An answer found by meaning: under this question's own key it would look like the question's own answer.
            return
        try:
            await self._answers.put(key, stored.encode(flight.head, events, flight.retrieved), self._ttl_s, tags)
        except StoreError as error:
            self._outage("written", error)

    def _outage(self, done: str, error: StoreError) -> None:
        # A line for each request of an outage would hide every other.
        _log.log(logging.DEBUG if self._lost else logging.WARNING, "the answer cache cannot be %s: %s", done, error)
        self._lost = True


def _urgency(context: Context) -> Priority:
    return Priority.BATCH if context.batch else Priority.of(context.priority)


def given_again(answer: stored.Answer, context: Context, **changes: Any) -> Response:
    """A stored answer for a caller who did not cause it, its head with ``changes``."""
    stored.note(context, answer.retrieved)
    events = [free(event) if isinstance(event, Usage) else event for event in answer.events]
    return Response(dataclasses.replace(answer.head, **changes), replay(events))


def cache_key(request: Request, context: Context, fingerprint: str, policy: str) -> str:
    """The sha256, in hexadecimal, of everything that an answer may depend on."""
    principal = context.principal
    parts: dict[str, Any] = {
        "tenant": principal.tenant,
        "groups": sorted(principal.groups),
        "fingerprint": fingerprint,
        "policy": [policy, context.policy, sorted(context.regions), sorted(principal.reach.regions)],
        "arms": context.arms,
        "operation": type(request).__name__,
        "request": _canonical(request),
    }
    bounds = [context.allowance.tokens, context.allowance.money]
    if bounds != [None, None]:
        # The bounds may cut an answer short, also for callers that share it while it is generated.
        parts["bounds"] = bounds
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()


def _canonical(request: Request) -> dict[str, Any]:
    # The caller, the payer and the storing of an answer do not change it.
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    if isinstance(use := fields.get("prompt"), PromptUse):
        # Its other contents are in the messages, or were before rendering.
        fields["prompt"] = [use.name, use.version, use.sha256, use.rendered]
    return {name: value for name, value in fields.items() if name not in ("user", "store", "session_id", "previous")}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _without_option(request: Request) -> tuple[Request, bool | None]:
    """The request without our own option, which applications need not know, and the option's value."""
    if not isinstance(request, ChatRequest) or OPTION not in request.options:
        return request, None
    wish = request.options[OPTION]
    if not isinstance(wish, bool):
        raise InvalidRequest("cache must be true or false", param=f"options.{OPTION}")
    options = {name: value for name, value in request.options.items() if name != OPTION}
    return dataclasses.replace(request, options=options), wish


def _cacheable(request: ChatRequest | CompletionRequest, wish: bool | None) -> bool:
    if wish is False or request.sampling.n != 1:
        return False
    return request.store and not (isinstance(request, ChatRequest) and request.session_id is not None)
