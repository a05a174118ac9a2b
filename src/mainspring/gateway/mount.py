"""Connects each router with its service: the gateway's table of contents."""

from __future__ import annotations

from fastapi import FastAPI

from mainspring.engines.token_texts import TokenTexts
from mainspring.feature import Http, refusals, routers, storing
from mainspring.gateway.edge import console, health
from mainspring.gateway.edge.app import create_app
from mainspring.gateway.identity import key_routes, policy_routes, preset_routes, quota_routes
from mainspring.gateway.identity.oidc import Tokens, TokensOrKeys
from mainspring.gateway.knowledge import batches, documents, files, stores
from mainspring.gateway.responses import routes as responses
from mainspring.gateway.responses.file_search import FileSearch
from mainspring.gateway.responses.ports import BackgroundResponses, ConversationStore
from mainspring.gateway.routes import (
    anthropic,
    cache,
    costs,
    feedback,
    generate,
    moderations,
    originals,
    raw_text,
    replicas,
    search,
    sources,
    traces,
)
from mainspring.http.access import Authenticator, access_to
from mainspring.http.bodies_in_flight import BodiesInFlight
from mainspring.http.idempotency import Idempotency
from mainspring.http.loop_fairness import Pace
from mainspring.rag.query.chunk_locations import Places
from mainspring.serving.prompts.layer import PromptChoice
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.serving.ring.preset import Presets
from mainspring.stores.sql import ids
from mainspring.system import System


def mount(system: System) -> FastAPI:
    """The HTTP application over an open system."""
    settings = system.settings.gateway
    keys_or_tokens: Authenticator = system.stores.keys
    if settings.oidc.issuer:
        keys_or_tokens = TokensOrKeys(system.stores.keys, Tokens(settings.oidc, settings.roles))
    refused = refusals(system.features, system.services)
    pace = _pace(system)
    bodies = BodiesInFlight(settings.bodies_in_flight_bytes, settings.bodies_share)
    tiers = system.settings.serving.admission.tiers
    access = access_to(keys_or_tokens, settings.request_timeout_s, tiers, refused, pace, bodies)
    idempotency = Idempotency(system.stores.cache, system.stores.repeats)
    registry = PromptRegistry(system.stores.prompts, system.settings.serving.prompts_tenant)
    prompting = PromptChoice(registry, system.registry, system.settings)
    counter = anthropic.PromptCounter(system.registry, system.engines.chat, prompting.applied)
    stored = storing(system.features, system.services)
    tokens = TokenTexts(system.engines.chat, system.engines.embedder)
    generating = system.responder, system.registry, settings, access, idempotency
    own = [
        generate.router(*generating, stored),
        raw_text.router(*generating, tokens),
        responses.router(
            system.responder,
            system.stores.events,
            settings,
            access,
            idempotency,
            _behind(system, counter),
        ),
        anthropic.router(system.responder, counter, settings, access, idempotency),
        preset_routes.router(Presets(system.settings.serving).named, access),
        files.router(system.stores.files, system.library, access, idempotency),
        stores.router(system.library, access, idempotency),
        documents.router(system.library, access),
        batches.router(system.library, access, idempotency),
        sources.router(system.library, access),
        originals.router(system.library, access),
        search.router(system.library.search, access, system.charge),
        moderations.router(system.moderator, access, system.charge, settings.max_embedding_inputs),
        policy_routes.router(system.policies, access),
        costs.router(system.stores.budgets, system.stores.ledger, access, idempotency, system.stores.audit),
        feedback.router(system.stores.events, ids.new, access, idempotency, system.stores.quotas),
        traces.router(
            system.stores.spans,
            system.stores.events,
            system.stores.questions,
            Places(system.stores.collections, system.stores.vectors),
            access,
        ),
        key_routes.router(system.stores.keys, system.settings.serving, access, settings.roles, settings.oidc.key_days),
        quota_routes.router(system.stores.quotas, access),
        replicas.router(system.replicas, access, system.stores.audit),
        cache.router(system.caches, access, system.stores.audit),
        health.router(system, system.telemetry.metrics, settings.metrics_key, access),
        console.router(console.built()),
    ]
    collected = routers(system.features, Http(system.rooms, system.services, access, idempotency))
    return create_app([*own, *collected], settings, system.telemetry.tracing.root, system.telemetry.metrics.http, pace)


def _behind(system: System, counter: anthropic.PromptCounter) -> responses.ResponsesServices:
    return responses.ResponsesServices(
        system.services.fitting(BackgroundResponses),  # type: ignore[type-abstract]
        system.services.fitting(ConversationStore),  # type: ignore[type-abstract]
        system.registry.basis,
        counter.count,
        counter.window,
        FileSearch(system.library.search),
        system.library.web.check,
    )


def _pace(system: System) -> Pace:
    pace = Pace(system.settings.gateway.quiet_share)
    text = "Requests that waited for those of other tenants."
    system.telemetry.metrics.watch_count("paced", text, lambda: pace.waited)
    return pace
