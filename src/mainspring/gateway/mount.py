"""Which service each router receives: the gateway's table of contents."""

from __future__ import annotations

from fastapi import FastAPI

from mainspring.gateway import (
    anthropic,
    approvals,
    audit,
    batches,
    cache,
    console,
    costs,
    feedback,
    generate,
    health,
    keys,
    knowledge,
    moderations,
    monitor,
    policies,
    presets,
    prompts,
    quotas,
    replays,
    replicas,
    responses,
    search,
    sessions,
    sources,
    subjects,
    traces,
)
from mainspring.gateway.access import Authenticator, access_to
from mainspring.gateway.app import create_app
from mainspring.gateway.idempotency import Idempotency
from mainspring.gateway.oidc import Either, Tokens
from mainspring.rag.places import Places
from mainspring.serving.preset import Presets
from mainspring.serving.prompts.layer import Prompting
from mainspring.serving.prompts.registry import PromptRegistry
from mainspring.stores import ids
from mainspring.stores.session_answers import SessionAnswers
from mainspring.system import System


def mount(system: System) -> FastAPI:
    """The HTTP application over an open system."""
    settings = system.settings.gateway
    keys_or_tokens: Authenticator = system.stores.keys
    if settings.oidc.issuer:
        keys_or_tokens = Either(system.stores.keys, Tokens(settings.oidc, settings.roles))
    refused = system.compliance.refusals.note
    access = access_to(keys_or_tokens, settings.request_timeout_s, system.settings.serving.admission.tiers, refused)
    idempotency = Idempotency(system.stores.cache, system.stores.repeats)
    registry = PromptRegistry(system.stores.prompts, system.settings.serving.prompts_tenant)
    prompting = Prompting(registry, system.registry, system.settings)
    counter = anthropic.PromptCounter(system.registry, system.engines.chat, prompting.applied)
    routers = [
        generate.router(system.responder, system.registry, settings, access, idempotency),
        responses.router(
            system.responder,
            system.stores.events,
            settings,
            access,
            idempotency,
            system.registry.basis,
            counter.count,
        ),
        anthropic.router(system.responder, counter, settings, access, idempotency),
        presets.router(Presets(system.settings.serving).named, access),
        prompts.router(system.stores.prompts, registry, access, idempotency),
        knowledge.files_router(system.stores.files, system.library, access, idempotency),
        knowledge.stores_router(system.library, access, idempotency),
        knowledge.documents_router(system.library, access),
        sources.router(system.library, access),
        search.router(system.library.search, access, system.charge),
        moderations.router(system.moderator, access, system.charge, settings.max_embedding_inputs),
        policies.router(system.policies, access),
        batches.router(system.stores.batches, system.stores.files, system.settings.batches, access, idempotency),
        sessions.router(system.stores.sessions, access, idempotency, SessionAnswers(system.stores.database)),
        costs.router(system.stores.budgets, system.stores.ledger, access, idempotency, system.stores.audit),
        feedback.router(system.stores.events, ids.new, access, idempotency, system.stores.quotas),
        traces.router(
            system.stores.spans,
            system.stores.events,
            system.stores.questions,
            Places(system.stores.collections, system.stores.vectors),
            access,
        ),
        monitor.router(system.monitor, access),
        keys.router(system.stores.keys, system.settings.serving, access, settings.roles, settings.oidc.key_days),
        quotas.router(system.stores.quotas, access),
        approvals.router(system.stores.approvals, access),
        replays.router(system.replays, system.stores.jobs, access, idempotency),
        replicas.router(system.replicas, access, system.stores.audit),
        cache.router(system.caches, access, system.stores.audit),
        audit.router(system.stores.audit, access),
        subjects.router(system.compliance, system.stores.erasures, access),
        health.router(system, system.telemetry.metrics, settings.metrics_key, access),
        console.router(console.built()),
    ]
    return create_app(routers, settings, system.telemetry.tracing.root, system.telemetry.metrics.http)
