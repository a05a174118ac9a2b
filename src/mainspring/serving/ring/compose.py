"""Both rings, each one list that reads from top to bottom in the order of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mainspring.core.path import LayerFactory, ring
from mainspring.core.settings import Settings
from mainspring.core.types import Responder
from mainspring.engines.base import Capacity
from mainspring.guards.policy import scanners
from mainspring.guards.policy.scanners import TextGuard
from mainspring.serving.admit.admission import Admit
from mainspring.serving.admit.context_fit import Fits, Window
from mainspring.serving.admit.gate import Gate
from mainspring.serving.admit.load_shedding import Shed
from mainspring.serving.admit.rate_limits import Limit, RateLimits
from mainspring.serving.cache.exact import Keys, ResponseCache
from mainspring.serving.cache.semantic.layer import Meaning, SemanticCache
from mainspring.serving.guard.conversation import GuardTurns
from mainspring.serving.guard.decline import Decline
from mainspring.serving.guard.input import GuardInput
from mainspring.serving.guard.layers import About, Detect, Policies
from mainspring.serving.guard.output import GuardOutput
from mainspring.serving.guard.placeholder_return import Conversations
from mainspring.serving.guard.tools import GuardCalls
from mainspring.serving.guard.untrusted import Spotlit
from mainspring.serving.judge.windows import WindowJudge
from mainspring.serving.memory.attendance import Attend, Attendance
from mainspring.serving.memory.keeper import Keeper
from mainspring.serving.memory.layer import Session
from mainspring.serving.memory.recollection import Recollection
from mainspring.serving.memory.remember import Remember
from mainspring.serving.money.meter import Meter
from mainspring.serving.money.pricing import Price, Tariff
from mainspring.serving.money.reservation import BudgetReservations, Reserve
from mainspring.serving.money.spending_bound import Bound
from mainspring.serving.plugin_layers import PluginLayer, placed
from mainspring.serving.prompts.layer import PromptChoice, UsePrompt
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.ring.assembled_prompt import Assembled, Render
from mainspring.serving.ring.background import Background
from mainspring.serving.ring.journal import Journal
from mainspring.serving.ring.layer_span import steps
from mainspring.serving.ring.ports import DiskRoom, EventLog, FinishedAnswers, Histories, Tracing
from mainspring.serving.ring.preset import ApplyPreset, Presets
from mainspring.serving.ring.record import Record
from mainspring.serving.ring.registry import Registry, Select
from mainspring.serving.ring.trace import Trace
from mainspring.serving.route.residency import Residency, Resident
from mainspring.serving.route.retry import Retry
from mainspring.serving.route.retry_budget import Budget
from mainspring.serving.scaling.scale import Scale
from mainspring.stores.keys.quotas import Quotas
from mainspring.stores.work.approvals import Approvals
from mainspring.telemetry.metrics import Metrics

AHEAD = 2
"""The number of requests that wait in the engine itself, so that no step runs with an empty slot."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the layers of both rings. The owner closes ``background`` before the stores. Without ``meaning``
    there is no semantic cache; without ``detect`` the guards use rules only; without ``about`` they know no topics;
    without ``judge`` nothing judges answers."""

    settings: Settings
    tracing: Tracing
    metrics: Metrics
    policy: Policies
    events: EventLog
    histories: Histories
    answers: FinishedAnswers
    background: Background
    keeper: Keeper | None = None
    journal: Journal | None = None
    assembled: Assembled | None = None
    purse: BudgetReservations | None = None
    meaning: Meaning | None = None
    detect: Detect | None = None
    residency: Residency = field(default_factory=Residency)
    judge: WindowJudge | None = None
    prompts: PromptRegistry | None = None
    about: About | None = None
    approvals: Approvals | None = None
    scanners: Mapping[str, TextGuard] = field(default_factory=dict)
    plugin_layers: tuple[PluginLayer, ...] = ()
    room: DiskRoom | None = None
    quotas: Quotas | None = None
    recollection: Recollection = field(default_factory=Recollection)
    attendance: Attendance = field(default_factory=Attendance)


def gate_before(services: Services, model: str, capacity: Capacity | None) -> Gate | None:
    """The gate of an engine of that capacity; None if it is not known."""
    if capacity is None:
        return None
    return Gate(
        model,
        capacity.sequences,
        capacity.kv_tokens,
        services.settings.serving.admission,
        max_waiting=services.settings.engines.max_waiting,
        ahead=AHEAD if capacity.sequences > AHEAD else 0,
        spare=capacity.spare,
        waits=services.metrics,
    )


def request_ring(
    services: Services,
    registry: Registry,
    limits: RateLimits,
    gates: Mapping[str, Gate] | None = None,
    window: Window = lambda _: 0,
) -> Responder:
    """The layers that every request passes, once. ``gates`` belong to names that lead to exactly one engine; ``window``
    returns the context window of each name."""
    serving = services.settings.serving
    version = scanners.version(services.policy.version, services.scanners)
    keys = Keys(registry, version, enabled=serving.cache_responses)
    outermost = partial(Trace, tracing=services.tracing, metrics=services.metrics, journal=services.journal)
    fits = partial(Fits, window=window)
    preset = partial(ApplyPreset, presets=Presets(serving))
    # These open their own spans, if there is a prompt or a memory.
    prompting = PromptChoice(services.prompts, registry, services.settings)
    prompt = partial(UsePrompt, prompting=prompting, tracing=services.tracing)
    scale = partial(Scale, most=serving.max_samples)
    remember = partial(Remember, recollection=services.recollection, registry=registry, tracing=services.tracing)
    decline = partial(Decline, names=registry, record=_record(services))
    above = _before_record(services, registry, limits, gates or {}, keys, decline, remember)
    attend = partial(Attend, attendance=services.attendance)
    below = _from_record(services, registry, keys, attend)
    layers = placed([outermost, fits, preset, *above, prompt, *below, scale], services.plugin_layers, "request")
    without = (outermost, fits, preset, decline, remember, prompt, attend, scale)
    return ring(steps(layers, services.tracing, without), Select(registry))


def _before_record(
    services: Services,
    registry: Registry,
    limits: RateLimits,
    gates: Mapping[str, Gate],
    keys: Keys,
    decline: LayerFactory,
    remember: LayerFactory,
) -> list[LayerFactory]:
    """Layers that leave only their decisions behind."""
    serving = services.settings.serving
    return [
        partial(Limit, limits=limits, metrics=services.metrics, default_output_tokens=serving.unbounded_output),
        partial(
            Shed,
            gates=gates,
            keys=keys,
            events=services.events,
            background=services.background,
            default_output_tokens=serving.unbounded_output,
        ),
        decline,
        partial(
            GuardInput,
            policy=services.policy,
            events=services.events,
            metrics=services.metrics,
            conversations=Conversations(services.histories, services.settings.guards.placeholders_kept_s),
            detect=services.detect,
            about=services.about,
            scanners=services.scanners,
            tokens=None if services.keeper is None else services.keeper.tokens,
            tracing=services.tracing,
        ),
        partial(
            Session,
            histories=services.histories,
            settings=services.settings.sessions,
            registry=registry,
            quotas=services.quotas,
            keeper=services.keeper,
            default_output_tokens=serving.unbounded_output,
        ),
        remember,
        *(
            [
                partial(
                    GuardTurns,
                    policy=services.policy,
                    events=services.events,
                    metrics=services.metrics,
                    detect=services.detect,
                    tracing=services.tracing,
                )
            ]
            if services.policy.conversing
            else []
        ),
    ]


def _from_record(services: Services, registry: Registry, keys: Keys, attend: LayerFactory) -> list[LayerFactory]:
    """The layers whose results settle in one commit with the answer."""
    return [
        _record(services),
        attend,
        *([partial(Reserve, purse=services.purse)] if services.purse else []),
        *(
            [partial(GuardCalls, policy=services.policy, metrics=services.metrics, approvals=services.approvals)]
            if services.policy.calling
            else []
        ),
        partial(
            ResponseCache,
            keys=keys,
            answers=services.answers,
            events=services.events,
            background=services.background,
            metrics=services.metrics,
            ttl_s=services.settings.stores.cache_ttl_s,
            hands_on=services.meaning is not None,
        ),
        *([] if services.meaning is None else [partial(SemanticCache, keys=keys, meaning=services.meaning)]),
        partial(
            GuardOutput,
            policy=services.policy,
            metrics=services.metrics,
            judge=services.judge,
            kinds=registry,
            tracing=services.tracing,
            guards=services.scanners,
        ),
        *([partial(Spotlit, policy=services.policy, registry=registry)] if services.policy.spotlighting else []),
    ]


def _record(services: Services) -> LayerFactory:
    return partial(
        Record,
        events=services.events,
        background=services.background,
        tracing=services.tracing,
        room=services.room,
    )


def shown_ring(services: Services, inner: Responder) -> Responder:
    """A model in its call ring whose answers leave without the request ring: the guards are here."""
    policy, guards = services.policy, services.scanners
    return GuardOutput(inner, policy, services.metrics, tracing=services.tracing, guards=guards)


def call_ring(
    services: Services,
    core: Responder,
    *,
    model: str,
    provider: str,
    price: Price | Tariff = Price(),  # noqa: B008 - frozen
    gate: Gate | None = None,
    balanced: bool = False,
    budget: Budget | None = None,
    sends: bool = False,
    regions: Sequence[str] = (),
) -> Responder:
    """The layers that every call of ``model`` passes. ``core`` is the engine's own responder with its ``gate``, or a
    balancer over several engines. Each engine admits its own calls and pays into the ``budget`` that bounds retries.
    ``sends`` is for ``Meter``; ``regions`` are the regions of its endpoints."""
    retries = services.settings.serving.retries
    layers: list[LayerFactory] = [
        partial(Resident, model=model, regions=regions or ("",), residency=services.residency),
        meter(
            services,
            model=model,
            provider=provider,
            price=price,
            sends=sends,
            render=getattr(core, "rendered", None),
        ),
        partial(
            Bound,
            tariff=price,
            count=getattr(core, "prompt_tokens", None),
            default_output_tokens=services.settings.serving.unbounded_output,
        ),
        partial(Retry, model=model, metrics=services.metrics, retries=retries, budget=budget, deposits=not balanced),
    ]
    if not balanced:
        layers.append(admit(services, gate))
    return ring(placed(layers, services.plugin_layers, "call"), core)


def admit(services: Services, gate: Gate | None) -> LayerFactory:
    """Admission to one engine."""
    default = services.settings.serving.unbounded_output
    return partial(Admit, gate=gate, tracing=services.tracing, default_output_tokens=default)


def meter(
    services: Services,
    *,
    model: str,
    provider: str,
    price: Price | Tariff,
    sends: bool = False,
    render: Render | None = None,
) -> LayerFactory:
    """Accounts for every call of ``model``."""
    return partial(
        Meter,
        model=model,
        price=price,
        metrics=services.metrics,
        tracing=services.tracing,
        provider=provider,
        sends=sends,
        assembled=None if services.assembled is None else partial(services.assembled.of, render=render),
    )
