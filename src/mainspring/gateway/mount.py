"""Which service each router receives: the gateway's table of contents."""

from __future__ import annotations

from fastapi import FastAPI

from mainspring.gateway import feedback, generate, health, knowledge
from mainspring.gateway.access import access_to
from mainspring.gateway.app import create_app
from mainspring.stores import ids
from mainspring.system import System


def mount(system: System) -> FastAPI:
    """The HTTP application over an open system."""
    settings = system.settings.gateway
    access = access_to(system.stores.keys, settings.request_timeout_s)
    routers = [
        generate.router(system.responder, system.registry, settings, access),
        knowledge.files_router(system.stores.files, access),
        knowledge.stores_router(system.library, access),
        knowledge.documents_router(system.library, access),
        feedback.router(system.stores.events, ids.new, access),
        health.router(system.readiness, system.telemetry.metrics.render),
    ]
    return create_app(routers, settings, system.telemetry.tracing.root)
