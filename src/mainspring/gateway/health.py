"""Liveness, readiness and metrics: the routes that need no key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from starlette.responses import Response as HttpResponse

from mainspring.gateway.respond import json_response

Readiness = Callable[[], Awaitable[dict[str, str]]]
"""What is not ready, by part; empty when everything is."""


def router(readiness: Readiness, metrics: Callable[[], tuple[bytes, str]]) -> APIRouter:
    """The health routes."""
    routes = APIRouter(tags=["health"])

    @routes.get("/healthz")
    async def healthz() -> HttpResponse:
        return json_response({"status": "alive"})

    @routes.get("/readyz", responses={503: {"description": "Not ready: `parts` says what"}})
    async def readyz() -> HttpResponse:
        missing = await readiness()
        if missing:
            return json_response({"status": "not ready", "parts": missing}, {"retry-after": "1"}, 503)
        return json_response({"status": "ready"})

    @routes.get("/metrics", response_class=HttpResponse, responses={200: {"content": {"text/plain": {}}}})
    async def metrics_page() -> HttpResponse:
        page, media_type = metrics()
        return HttpResponse(page, media_type=media_type)

    return routes
