"""The feature: a route whose error says what is missing."""

from __future__ import annotations

from fastapi import APIRouter

from mainspring.feature import Feature, Http
from mainspring.features.images.routes import router


def _routes(http: Http) -> list[APIRouter]:
    return [router(http.access)]


FEATURE = Feature("images", routes=_routes)
