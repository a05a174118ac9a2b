"""Serving: the layers of both rings, and who answers under which name."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from mainspring.engines import ChatModel, Engines, Replica
from mainspring.engines.model import EmbedResponder
from mainspring.engines.reranker import RerankResponder
from mainspring.guards.policy import Policies
from mainspring.serving import auto, detect, semantic
from mainspring.serving.background import Background
from mainspring.serving.charged import Charged
from mainspring.serving.gate import Gate
from mainspring.serving.guard import Guard, inspect
from mainspring.serving.hide import Hiding
from mainspring.serving.limit import Charge, Limits, RateLimits
from mainspring.serving.limit_shared import opened
from mainspring.serving.memory.open import keeper as open_keeper
from mainspring.serving.pricing import NANO, Price
from mainspring.serving.repair import Repair, further
from mainspring.serving.replicas import Replicas
from mainspring.serving.reserve import Purse
from mainspring.serving.rings import Services, admit, call_ring, gate_before, meter, request_ring, shown_ring
from mainspring.serving.scaling.scale import Scaled
from mainspring.serving.select import Registry, Select, Served
from mainspring.serving.tariffs import Tariffs
from mainspring.serving.watch import Watch
from mainspring.settings import Settings
from mainspring.stores import Stores
from mainspring.stores.buckets import SharedBuckets
from mainspring.telemetry import Telemetry
from mainspring.telemetry.arms import ArmMetrics
from mainspring.types import Context, Request, Responder


class Inspect(Protocol):
    """``serving.guard.inspect`` under the configured policy."""

    async def __call__(self, texts: Sequence[str], context: Context, *, param: str = "query") -> None: ...


Sift = Callable[[Sequence[str], Context], Awaitable[list[bool]]]
"""Whether each of these passages may be read by a model, under the policy of the application that reads."""


@dataclass(frozen=True, slots=True)
class Path:
    """The way of a request: ``responder`` is the request ring over everything in ``registry``.

    ``chat`` and ``embedding`` are the models within their call rings, for rooms that call models themselves; what
    ``shown`` ones write passes the output guard. ``charge`` limits what is no request of the ring; ``charged``
    makes its embedders and rerankers leave call events, and ``inspect`` guards the texts that it searches by;
    ``sift`` says which passages a model may read, ``redact`` is how chat models may read queries, and ``hiding`` how
    what is said of documents outside of the ring may be shown; ``replicas`` is what is balanced and routed, ``meaning``
    what the semantic cache works with (None: it is off), ``detecting`` what moderation works with (None: the embedding
    model is another than the detectors').
    """

    registry: Registry
    responder: Responder
    services: Services
    chat: dict[str, Responder]
    shown: dict[str, Responder]
    embedding: Responder
    charge: Charge
    charged: Charged
    inspect: Inspect
    sift: Sift
    redact: Callable[[str], str]
    hiding: Callable[[Context], Hiding]
    replicas: Replicas
    meaning: semantic.Meaning | None
    detecting: detect.Detecting | None


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines
) -> AsyncIterator[Path]:
    """Both rings over the models of ``engines``. What still settles when it closes is waited for."""
    tariffs, policies = Tariffs(settings), Policies(settings.guards)
    services = Services(
        settings=settings,
        tracing=telemetry.tracing,
        metrics=telemetry.metrics,
        policy=policies,
        events=stores.events,
        histories=stores.sessions,
        answers=stores.cache,
        background=Background(),
        purse=Purse(
            stores.budgets,
            tariffs,
            settings.prices,
            telemetry.metrics,
            settings.serving.default_output_tokens,
            partial(_further, engines, settings.serving.repair_rounds),
            hedged=settings.serving.balance.hedge_share > 0,
        ),
    )
    registry = Registry()
    replicas = Replicas(settings.serving, ArmMetrics(telemetry.metrics.registry), stores.events)
    gates = {
        (name, each.name): gate_before(services, name, each.engine.capacity)
        for name, model in engines.chat.items()
        for each in model.all_replicas()
    }
    models = {name: _chat_ring(services, model, tariffs, replicas, gates) for name, model in engines.chat.items()}
    routes = replicas.routes(models, {name: shown_ring(services, responder) for name, responder in models.items()})
    # A route may bear the name of one of its models: whoever names it then gets the route.
    chat: dict[str, Responder] = {**models, **routes}
    for name, responder in chat.items():
        created = max(engines.chat[each].created for each in (routes[name].models if name in routes else (name,)))
        registry.add(Served(name, "chat", responder, created=created))
    for name, model in engines.chat.items():
        for each in model.all_replicas():
            shown = name if len(model.all_replicas()) == 1 else f"{name}/{each.name}"
            telemetry.metrics.watch_engine(shown, partial(_statistics, each, gates[name, each.name]))
    charged = Charged(partial(_priced_ring, services, tariffs))
    detecting = detect.make(engines.embedder, charged, telemetry.tracing, wanted=policies.detect)
    services = dataclasses.replace(services, detect=detecting)
    guard = Guard(stores.events, telemetry.metrics, detecting)
    candidates = {name: auto.Candidate(name, chat[name], engines.chat[name].engine.capabilities) for name in models}
    router = auto.make(
        settings.serving.auto,
        candidates,
        default_output=settings.serving.default_output_tokens,
        tracing=telemetry.tracing,
        metrics=telemetry.metrics,
        embedder=engines.embedder,
        charging=charged,
    )
    if router is not None:
        since = max(engines.chat[name].created for name in router.models)
        registry.add(Served(auto.NAME, "chat", router, created=since))
    embedder = engines.embedder
    embedding = call_ring(
        services,
        EmbedResponder(embedder, model_name=embedder.name),
        model=embedder.name,
        provider="mainspring.openvino",
        price=tariffs.of(embedder.name),
    )
    for name, plan in settings.serving.scaled.items():
        registry.add(Served(name, "chat", Scaled(Select(registry), plan)))
    telemetry.metrics.serve(*settings.serving.scaled)
    registry.add(Served(embedder.name, "embedding", embedding, created=getattr(embedder, "pulled_at", 0)))
    telemetry.metrics.serve(*chat, embedder.name)
    keeper = open_keeper(
        settings.sessions,
        stores,
        engines,
        chat,
        charged,
        lambda text: policies.default.inspect(text).text,
        services.purse,
    )
    services = dataclasses.replace(services, keeper=keeper)
    if engines.reranker is not None:
        reranker = RerankResponder(engines.reranker)
        name = engines.reranker.name
        ring = call_ring(services, reranker, model=name, provider="mainspring.reranker", price=tariffs.of(name))
        since = getattr(engines.reranker, "pulled_at", 0)
        registry.add(Served(engines.reranker.name, "reranker", ring, created=since, sampled=False))
        telemetry.metrics.serve(engines.reranker.name)
    async with AsyncExitStack() as stack:
        # Left from the last to the first.
        limits = await stack.enter_async_context(_limits(settings, stores, telemetry))
        reading = semantic.open(settings, stores, engines, charged, services.background, telemetry.metrics)
        meaning = await stack.enter_async_context(reading)
        for gate in filter(None, gates.values()):
            stack.callback(gate.close)
        stack.push_async_callback(services.background.close)
        stack.push_async_callback(replicas.close)
        stack.push_async_callback(keeper.close)
        watch = Watch(stores.ledger, stores.events, telemetry.metrics, least=round(settings.prices.anomaly_usd * NANO))
        stack.push_async_callback(watch.close)
        watch.start()
        yield Path(
            registry,
            request_ring(dataclasses.replace(services, meaning=meaning), registry, limits),
            services,
            chat,
            {name: shown_ring(services, responder) for name, responder in chat.items()},
            embedding,
            Charge(limits, telemetry.metrics),
            charged,
            partial(inspect, guard, policies, role="query"),
            partial(_sift, guard, policies),
            lambda text: policies.default.inspect(text).text,
            partial(Hiding, policies, services.metrics),
            replicas,
            meaning,
            detecting,
        )


async def _sift(guard: Guard, policies: Policies, texts: Sequence[str], context: Context) -> list[bool]:
    return await guard.sift(policies.under(context.allowance.application), texts, context)


@asynccontextmanager
async def _limits(settings: Settings, stores: Stores, telemetry: Telemetry) -> AsyncIterator[RateLimits]:
    """The limits of keys: of all servers that share a Redis, or of this process."""
    alone = Limits.of(settings.serving)
    if stores.redis is None or not settings.serving.share_limits:
        yield alone
        return
    async with opened(SharedBuckets(stores.redis), alone) as shared:
        text = "Requests that this server granted by itself because Redis was away."
        telemetry.metrics.watch_count("limits_granted_alone", text, lambda: shared.granted_alone)
        yield shared


def _chat_ring(
    services: Services,
    model: ChatModel,
    tariffs: Tariffs,
    replicas: Replicas,
    gates: Mapping[tuple[str, str], Gate | None],
) -> Responder:
    name, provider = model.name, model.provider
    price = tariffs.of(name, Price.per_million(model.price_input, model.price_output))
    budget = replicas.budget()
    balance = replicas.core(
        model,
        budget,
        side=meter(services, model=name, provider=provider, price=price),
        admit=lambda replica, inner: admit(services, gates[name, replica])(inner),
    )
    # What has no gate has no queue of ours: it is asked at once.
    sends = not any(gates[name, each.name] for each in model.all_replicas())
    if balance is None:
        only = gates[name, model.all_replicas()[0].name]
        ring = call_ring(services, model.responder, model=name, provider=provider, price=price, gate=only, sends=sends)
    else:
        ring = call_ring(
            services,
            balance,
            model=name,
            provider=provider,
            price=price,
            balanced=True,
            budget=budget,
            sends=sends,
        )
    return Repair(ring, name, model.engine.capabilities.grammars, rounds=services.settings.serving.repair_rounds)


def _further(engines: Engines, rounds: int, request: Request) -> int:
    """The calls that an answer of a model may take beside its first."""
    model = engines.chat.get(request.model)
    return 0 if model is None else further(request, model.engine.capabilities.grammars, rounds)


def _statistics(replica: Replica, gate: Gate | None) -> dict[str, float]:
    return {**replica.engine.statistics(), **(gate.statistics() if gate else {})}


def _priced_ring(services: Services, tariffs: Tariffs, responder: Responder, name: str, provider: str) -> Responder:
    return call_ring(services, responder, model=name, provider=provider, price=tariffs.of(name))
