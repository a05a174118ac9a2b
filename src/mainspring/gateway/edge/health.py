"""Liveness, readiness and metrics: the routes that need no key."""

from __future__ import annotations

import hmac
import ipaddress

from fastapi import APIRouter
from fastapi import Request as HttpRequest
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import Unauthenticated
from mainspring.http.access import Access, bearer
from mainspring.http.late_route import LateRoute
from mainspring.http.respond import json_response
from mainspring.system import System
from mainspring.telemetry.metrics import Metrics


def router(health: System, metrics: Metrics, metrics_key: str, access: Access) -> APIRouter:
    """The health routes. With ``metrics_key``, the metrics require it or an admin key."""
    routes = APIRouter(route_class=LateRoute, tags=["health"])
    admins = access("admin")

    @routes.get("/health", responses={503: {"description": "As of /healthz"}})
    @routes.get("/healthz", responses={503: {"description": "No engine here has come back for minutes"}})
    async def healthz() -> HttpResponse:
        if down := health.liveness():
            status = "dead" if health.dead else "alive"
            return json_response({"status": status, "down_s": down}, None, 503 if health.dead else 200)
        return json_response({"status": "alive"})

    @routes.get("/readyz", responses={503: {"description": "Not ready: `parts` says what"}})
    async def readyz() -> HttpResponse:
        missing = await health.readiness()
        if missing:
            return json_response({"status": "not ready", "parts": missing}, {"retry-after": "1"}, 503)
        if weak := await health.weaknesses():
            return json_response({"status": "degraded", "parts": weak})
        return json_response({"status": "ready"})

    @routes.get("/metrics", response_class=HttpResponse, responses={200: {"content": {"text/plain": {}}}})
    async def metrics_page(http: HttpRequest) -> HttpResponse:
        """For Prometheus. Metrics that name tenants are included for requests with `gateway.metrics_key`; without that
        setting, for requests from this machine."""
        scraper = _brings(http, metrics_key) if metrics_key else _here(http)
        if metrics_key and not scraper:
            # The console's live page shows it to administrators of a tenant.
            await admins.admit(http)
        page, media_type = metrics.render(tenants=scraper)
        return HttpResponse(page, media_type=media_type)

    return routes


def _brings(http: HttpRequest, key: str) -> bool:
    try:
        return hmac.compare_digest(bearer(http).encode("utf-8", "replace"), key.encode())
    except Unauthenticated:
        return False


def _here(http: HttpRequest) -> bool:
    """Whether the request comes from this machine itself: a local proxy forwards requests of others."""
    if http.client is None or "x-forwarded-for" in http.headers or "forwarded" in http.headers:
        return False
    try:
        return ipaddress.ip_address(http.client.host).is_loopback
    except ValueError:
        return False
