"""Exact answers: the same request of the same people to the same responder is answered once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import mainspring.serving.stored as stored
from mainspring.errors import StoreError
from mainspring.path import Layer, replay
from mainspring.serving.background import Background
from mainspring.serving.flight import Flight, free
from mainspring.serving.ports import Answers, EventLog
from mainspring.serving.select import Registry
from mainspring.types import (
    ChatRequest,
    CompletionRequest,
    Context,
    EmbedRequest,
    Finish,
    Request,
    RerankRequest,
    Responder,
    Response,
    Usage,
)

_log = logging.getLogger(__name__)
OPTION = "cache"


class CacheMetrics(Protocol):
    def cache(self, outcome: str) -> None:
        """Count one ``hit`` or ``miss``."""
        ...


class ResponseCache(Layer):
    """Answers from the store, joins an identical request in flight, or starts one; others pass through.

    Cached are greedy single answers that ended in ``stop`` and belong to no session, of responders that have a
    fingerprint and whose head does not say ``cache-control: no-store``. ``options={"cache": true}`` asks for it with
    sampling too, ``false`` forbids it. ``policy`` names the guards' settings: what was stored under laxer ones is never
    replayed.
    """

    def __init__(
        self,
        inner: Responder,
        registry: Registry,
        answers: Answers,
        events: EventLog,
        background: Background,
        metrics: CacheMetrics,
        *,
        ttl_s: float,
        policy: str,
        enabled: bool = True,
    ) -> None:
        super().__init__(inner)
        self._registry = registry
        self._answers = answers
        self._events = events
        self._background = background
        self._metrics = metrics
        self._ttl_s = ttl_s
        self._policy = policy
        self._enabled = enabled
        self._flights: dict[str, Flight] = {}

    async def respond(self, request: Request, context: Context) -> Response:
        request, wish = _without_option(request)
        key, tags = await self._key(request, context, wish)
        if key is None:
            return await self.inner.respond(request, context)
        flight = self._flights.get(key)
        if flight is None and (answer := await self._stored(key)):
            self._metrics.cache("hit")
            stored.note(context, answer.retrieved)
            events = [free(event) if isinstance(event, Usage) else event for event in answer.events]
            return Response(dataclasses.replace(answer.head, cache="hit"), replay(events))
        # Reading the store took time: somebody else may have started meanwhile.
        flight = self._flights.get(key)
        self._metrics.cache("miss" if flight is None else "hit")
        return await (flight or self._start(key, tags, request, context)).join(context)

    async def _key(self, request: Request, context: Context, wish: bool | None) -> tuple[str | None, frozenset[str]]:
        """What the answer is kept under (None: it is not kept), and its tags."""
        if not self._enabled or isinstance(request, EmbedRequest | RerankRequest) or not _cacheable(request, wish):
            return None, frozenset()
        served = await self._registry.find(request.model, context.principal)
        if served.sampled and not wish and request.sampling.temperature != 0:
            return None, frozenset()
        fingerprint = served.responder.fingerprint(request, context)
        tenant = context.principal.tenant
        tags = {f"tenant:{tenant}", f"model:{request.model}"}
        if served.kind in ("application", "collection"):
            tags.add(f"documents:{tenant}")
        key = None if fingerprint is None else cache_key(request, context, fingerprint, self._policy)
        return key, frozenset(tags)

    async def _stored(self, key: str) -> stored.Answer | None:
        try:
            value = await self._answers.get(key)
        except StoreError as error:
            # Losing the cache loses nothing: the request is answered without it.
            _log.warning("the answer cache cannot be read: %s", error)
            return None
        return None if value is None else stored.decode(value)

    def _start(self, key: str, tags: frozenset[str], request: Request, context: Context) -> Flight:
        # The flight outlives its first listener, so it has an account of its own and nobody's deadline.
        allowance = context.allowance.fork()
        own = dataclasses.replace(context, allowance=allowance, deadline=None)
        flight = Flight(allowance, self._background, self._events, forget=lambda: self._forget(key, flight))
        self._flights[key] = flight
        flight.start(lambda: self.inner.respond(request, own), lambda: self._keep(key, tags, flight))
        return flight

    def _forget(self, key: str, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _keep(self, key: str, tags: frozenset[str], flight: Flight) -> None:
        events = [*flight.events, *flight.closing]
        reasons = {event.reason for event in events if isinstance(event, Finish)}
        if reasons != {"stop"} or flight.head is None or flight.head.instead:
            return
        if flight.head.headers.get("cache-control") == "no-store":
            return
        try:
            await self._answers.put(key, stored.encode(flight.head, events, flight.retrieved), self._ttl_s, tags)
        except StoreError as error:
            _log.warning("the answer cache cannot be written: %s", error)


def cache_key(request: Request, context: Context, fingerprint: str, policy: str) -> str:
    """The sha256, in hexadecimal, of everything that an answer may depend on."""
    principal = context.principal
    parts: dict[str, Any] = {
        "tenant": principal.tenant,
        "groups": sorted(principal.groups),
        "fingerprint": fingerprint,
        "policy": [policy, context.policy, context.region],
        "arms": context.arms,
        "operation": type(request).__name__,
        "request": _canonical(request),
    }
    bounds = [context.allowance.tokens, context.allowance.money]
    if bounds != [None, None]:
        # They may cut an answer short, also for those who hear it while it runs.
        parts["bounds"] = bounds
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()


def _canonical(request: Request) -> dict[str, Any]:
    # Who asks for whom, and whether it is kept, changes no answer.
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
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
    """The request without our own option, which no application need know, and what it said."""
    if not isinstance(request, ChatRequest) or OPTION not in request.options:
        return request, None
    options = {name: value for name, value in request.options.items() if name != OPTION}
    return dataclasses.replace(request, options=options), bool(request.options[OPTION])


def _cacheable(request: ChatRequest | CompletionRequest, wish: bool | None) -> bool:
    if wish is False or request.sampling.n != 1:
        return False
    return not isinstance(request, ChatRequest) or (request.store and request.session_id is None)
