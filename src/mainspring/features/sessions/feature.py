"""The feature: routes over the store of conversations."""

from __future__ import annotations

from fastapi import APIRouter

from mainspring.feature import Feature, Http
from mainspring.features.sessions.routes import router
from mainspring.stores.sessions.answers import SessionAnswers


def _routes(http: Http) -> list[APIRouter]:
    stores = http.rooms.stores
    return [router(stores.sessions, http.access, http.idempotency, SessionAnswers(stores.database))]


FEATURE = Feature("sessions", routes=_routes)
