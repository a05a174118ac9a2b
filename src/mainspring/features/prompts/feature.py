"""The feature: routes over the registry of prompts."""

from __future__ import annotations

from fastapi import APIRouter

from mainspring.feature import Feature, Http
from mainspring.features.prompts.routes import router
from mainspring.serving.prompts.registry import PromptRegistry


def _routes(http: Http) -> list[APIRouter]:
    store = http.rooms.stores.prompts
    registry = PromptRegistry(store, http.rooms.settings.serving.prompts_tenant)
    return [router(store, registry, http.access, http.idempotency)]


FEATURE = Feature("prompts", routes=_routes)
