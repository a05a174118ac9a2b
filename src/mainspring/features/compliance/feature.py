"""The feature: erasure, retention and the audit log, at work while the system is open, and their routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from mainspring.feature import Feature, Http, Rooms
from mainspring.features.compliance import audit_routes, subject_routes
from mainspring.features.compliance.service import Compliance, opened


@asynccontextmanager
async def _open(rooms: Rooms) -> AsyncIterator[Compliance]:
    async with opened(rooms.settings, rooms.stores, rooms.telemetry, rooms.library, rooms.path.policies) as compliance:
        yield compliance


def _routes(http: Http) -> list[APIRouter]:
    stores = http.rooms.stores
    return [
        audit_routes.router(stores.audit, http.access),
        subject_routes.router(http.services[Compliance], stores.erasures, http.access),
    ]


FEATURE = Feature("compliance", open=_open, routes=_routes, refused=lambda services: services[Compliance].refusals.note)
