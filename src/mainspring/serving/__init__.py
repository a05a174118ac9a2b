"""Serving: the layers of both rings, and the registry of served names."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from mainspring.core.errors import InvalidRequest
from mainspring.core.settings import Settings
from mainspring.core.types import Context, Request, Responder
from mainspring.engines import ChatModel, Engines
from mainspring.guards.policy import scanners
from mainspring.guards.policy.by_application import Policies
from mainspring.serving import plugin_layers
from mainspring.serving.admit.rate_limits import Charge, Limits, RateLimits
from mainspring.serving.admit.running_requests import SharedRunning
from mainspring.serving.admit.shared_rate_limits import SharedLimits, opened
from mainspring.serving.admit.tenant_rate_limits import KeysAndTenants, TenantRates
from mainspring.serving.admit.token_counts import ByModel, read_twice
from mainspring.serving.cache import semantic
from mainspring.serving.guard.finished_text import FinishedTextRedactor
from mainspring.serving.guard.input import Guard, inspect
from mainspring.serving.guard.layers import Policies as Guards
from mainspring.serving.judge import detection
from mainspring.serving.judge.topics import Topics
from mainspring.serving.memory.build_keeper import keeper as open_keeper
from mainspring.serving.money.charged_models import ChargedModels
from mainspring.serving.money.cost_watch import CostWatch
from mainspring.serving.money.pricing import NANO
from mainspring.serving.money.reservation import BudgetReservations
from mainspring.serving.money.side_reservation import CopyReservation, SideReservation
from mainspring.serving.money.tariffs import Tariffs
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.ring.assembled_prompt import Assembled
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.compose import Services, request_ring
from mainspring.serving.ring.journal import Journal, opened_key
from mainspring.serving.ring.registry import Registry
from mainspring.serving.ring.repair import further
from mainspring.serving.ring.served_names import ServedNames
from mainspring.serving.route.replicas import Replicas
from mainspring.serving.route.residency import Residency
from mainspring.stores import Stores
from mainspring.stores.cache.token_buckets import SharedBuckets
from mainspring.telemetry import Telemetry
from mainspring.telemetry.plugin_host import PluginHost
from mainspring.telemetry.routing_metrics import ArmMetrics


class Inspect(Protocol):
    """``serving.guard.inspect`` under the configured policy."""

    async def __call__(self, texts: Sequence[str], context: Context, *, param: str = "query") -> None: ...


Sift = Callable[[Sequence[str], Context], Awaitable[list[bool]]]
"""Whether each of these passages may be read by a model, under the policy of the application that reads."""


class UnderPolicy:
    """Request rings with one policy for every request, created on demand."""

    def __init__(self, policies: Policies, ring: Callable[[Guards], Responder]) -> None:
        self._policies = {"default": policies.default, **policies.named}
        self._ring = ring
        self._made: dict[str, Responder] = {}

    def __call__(self, name: str) -> Responder:
        """Raises ``InvalidRequest`` with the existing policies."""
        if name not in self._policies:
            raise InvalidRequest(
                f"there is no policy {name!r}", remedy=f"There are: {', '.join(self._policies)}", param="policy"
            )
        if name not in self._made:
            self._made[name] = self._ring(self._policies[name])
        return self._made[name]


@dataclass(frozen=True, slots=True)
class Path:
    """The path of a request: ``responder`` is the request ring over everything in ``registry``.

    ``chat`` and ``embedding`` are the models within their call rings, for rooms that call models themselves; what
    ``shown`` ones write passes the output guard. ``charge`` limits work outside of the ring. ``charged`` makes
    embedders and rerankers that leave call events; ``inspect`` guards their query texts. ``sift`` says which passages a
    model may read, ``redact`` how chat models may read queries, and ``hiding`` redacts texts shown outside of the ring.
    ``replicas`` holds the balanced and routed replicas, ``meaning`` the semantic cache (None: off), ``detecting`` the
    detectors for moderation (None: they were fitted on another embedding model). ``under_policy`` is the request ring
    with one policy of guards for everything that is asked. ``adopt`` serves a chat model that came later: ``chat`` and
    ``shown`` have it then. ``beside`` puts one into its call ring for a source of the registry.
    """

    registry: Registry
    responder: Responder
    services: Services
    chat: dict[str, Responder]
    shown: dict[str, Responder]
    embedding: Responder
    charge: Charge
    charged: ChargedModels
    inspect: Inspect
    sift: Sift
    redact: Callable[[str], str]
    hiding: Callable[[Context], FinishedTextRedactor]
    replicas: Replicas
    meaning: semantic.Meaning | None
    detecting: detection.Detection | None
    policies: Policies
    under_policy: UnderPolicy
    adopt: Callable[[ChatModel], None]
    beside: Callable[[ChatModel], Responder]


@asynccontextmanager
async def open(  # noqa: A001
    settings: Settings, stores: Stores, telemetry: Telemetry, engines: Engines
) -> AsyncIterator[Path]:
    """Both rings over the models of ``engines``. Closing waits for unfinished settlements."""
    tariffs, policies = Tariffs(settings), Policies(settings.guards)
    residency = _residency(settings, engines)
    purse = _purse(settings, stores, telemetry, tariffs, engines, policies)
    services = _services(settings, stores, telemetry, engines, policies, purse, residency)
    replicas = _replicas(settings, stores, telemetry, residency, purse)
    names = ServedNames(services, engines, tariffs, replicas, telemetry)
    chat = names.chat()
    names.router(chat)
    names.scaled()
    embedding = names.embedder()
    names.reranker()
    charged, redact = names.charged, partial(_redacted, policies)
    detecting = detection.make(engines.embedder, charged, telemetry.tracing, wanted=policies.detect)
    about = Topics(engines.embedder, charged, telemetry.tracing)
    guard = Guard(stores.events, telemetry.metrics, detecting, about, services.scanners)
    keeper = open_keeper(settings.sessions, stores, engines, chat, charged, redact, services.purse)
    judge = None if detecting is None else detecting.judge(services.background)
    journal = Journal(settings.telemetry, opened_key(settings.telemetry, settings.home / "logs"), redact)
    services = dataclasses.replace(services, detect=detecting, judge=judge, about=about, keeper=keeper, journal=journal)
    async with AsyncExitStack() as stack:  # left from the last to the first
        limits = await stack.enter_async_context(_limits(settings, stores, telemetry))
        reading = semantic.open(settings, stores, engines, charged, services.background, telemetry.metrics)
        meaning = await stack.enter_async_context(reading)
        stack.callback(names.close)
        stack.push_async_callback(services.background.close)
        stack.push_async_callback(replicas.close)
        stack.push_async_callback(keeper.close)
        stack.push_async_callback(_cost_watch(settings, stores, telemetry).close)

        def ring(guards: Guards = policies) -> Responder:
            beneath = names.registry, limits, names.doors(), names.window
            return request_ring(dataclasses.replace(services, meaning=meaning, policy=guards), *beneath)

        yield Path(
            names.registry,
            ring(),
            services,
            chat,
            names.shown,
            embedding,
            Charge(limits, telemetry.metrics, _beside(stores, tariffs, telemetry, engines)),
            charged,
            partial(inspect, guard, policies, role="query"),
            partial(_sift, guard, policies),
            redact,
            partial(FinishedTextRedactor, policies, services.metrics, services.scanners),
            replicas,
            meaning,
            detecting,
            policies,
            UnderPolicy(policies, ring),
            partial(names.adopt, chat=chat),
            names.beside,
        )


def _cost_watch(settings: Settings, stores: Stores, telemetry: Telemetry) -> CostWatch:
    """It has started watching."""
    least = round(settings.prices.anomaly_usd * NANO)
    watch = CostWatch(stores.ledger, stores.events, telemetry.metrics, least=least)
    watch.start()
    return watch


def _replicas(
    settings: Settings, stores: Stores, telemetry: Telemetry, residency: Residency, purse: BudgetReservations
) -> Replicas:
    arms = ArmMetrics(telemetry.metrics.registry)
    return Replicas(settings.serving, arms, stores.events, residency, CopyReservation(purse))


def _beside(stores: Stores, tariffs: Tariffs, telemetry: Telemetry, engines: Engines) -> SideReservation:
    models = [each.name for each in (engines.embedder, engines.reranker) if each is not None]
    return SideReservation(stores.budgets, tariffs, telemetry.metrics, models)


def _residency(settings: Settings, engines: Engines) -> Residency:
    regions = {name: [each.region for each in model.all_replicas()] for name, model in engines.chat.items()}
    return Residency(settings.serving.residency, regions)


def _services(
    settings: Settings,
    stores: Stores,
    telemetry: Telemetry,
    engines: Engines,
    policies: Policies,
    purse: BudgetReservations,
    residency: Residency,
) -> Services:
    host = PluginHost(settings, stores.events, telemetry.metrics.registry)
    return Services(
        settings=settings,
        tracing=telemetry.tracing,
        metrics=telemetry.metrics,
        policy=policies,
        events=stores.events,
        histories=stores.sessions,
        answers=stores.cache,
        approvals=stores.approvals,
        room=stores.room,
        background=Background(),
        purse=purse,
        residency=residency,
        assembled=Assembled(partial(_redacted, policies)) if settings.telemetry.store_prompts else None,
        quotas=stores.quotas,
        prompts=PromptRegistry(stores.prompts, settings.serving.prompts_tenant),
        scanners=scanners.make_guards(engines.plugins, settings.guards, host),
        plugin_layers=plugin_layers.make_layers(engines.plugins, host),
    )


def _purse(
    settings: Settings, stores: Stores, telemetry: Telemetry, tariffs: Tariffs, engines: Engines, policies: Policies
) -> BudgetReservations:
    return BudgetReservations(
        stores.budgets,
        tariffs,
        settings.prices,
        telemetry.metrics,
        settings.serving.unbounded_output,
        partial(_further, engines, policies, settings.serving.repair_rounds),
        hedged=settings.serving.balance.hedge_share > 0,
        counts=ByModel(engines),
        beside=read_twice if settings.serving.semantic_cache else lambda _: 0,
    )


def _further(engines: Engines, policies: Policies, rounds: int, request: Request) -> int:
    """The calls that an answer may take beyond its first: repairs of structured output, and retries by guards."""
    model = engines.chat.get(request.model)
    able = None if model is None else model.engine.capabilities
    repairs = 0 if able is None else further(request, able.grammars, rounds, compiled=able.compiled)
    return (1 + repairs) * (1 + policies.retries(request.model)) - 1


def _redacted(policies: Policies, text: str) -> str:
    return policies.default.readable(text)


async def _sift(guard: Guard, policies: Policies, texts: Sequence[str], context: Context) -> list[bool]:
    return await guard.sift(policies.under(context.settlement.application, context.policy), texts, context)


@asynccontextmanager
async def _limits(settings: Settings, stores: Stores, telemetry: Telemetry) -> AsyncIterator[RateLimits]:
    """The limits of keys and tenants: of all servers that share a Redis, or of this process."""
    alone, rates = Limits.of(settings.serving), TenantRates()
    if stores.redis is None or not settings.serving.share_limits:
        yield KeysAndTenants(alone, rates, rates, stores.quotas)
        return
    buckets = SharedBuckets(stores.redis)
    async with opened(buckets, alone) as shared:
        text = "Requests that this server granted by itself because Redis was away."
        telemetry.metrics.watch_count("limits_granted_alone", text, lambda: shared.granted_alone)
        tenants = SharedLimits(buckets, rates)
        running = SharedRunning(buckets, shared.worker, lambda: shared.workers)
        shared.beside.append(running.beat)
        yield KeysAndTenants(shared, tenants, rates, stores.quotas, running)
