"""The FastAPI application: routers, trace headers, error envelopes and bounds."""

from __future__ import annotations

import logging
import math
import re
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi import Request as HttpRequest
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response as HttpResponse

from mainspring.core.errors import InvalidRequest, MainspringError, MethodNotAllowed, NotFound, RateLimited
from mainspring.core.nearest import shown
from mainspring.core.settings import GatewaySettings
from mainspring.core.version import __version__
from mainspring.gateway.edge import methods, reference
from mainspring.gateway.edge.addresses import Addresses, AddressLimit
from mainspring.gateway.edge.body_limits import BodyLimit
from mainspring.gateway.edge.trace_headers import Counted, Edge, TraceOf
from mainspring.gateway.routes import anthropic
from mainspring.http.anthropic import encode as anthropic_encode
from mainspring.http.anthropic.models import VERSION
from mainspring.http.field_errors import invalid
from mainspring.http.heartbeat import HEAD
from mainspring.http.late_route import LateRoute
from mainspring.http.loop_fairness import Pace
from mainspring.http.openai import encode
from mainspring.http.respond import json_response

log = logging.getLogger("mainspring.gateway")
_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": encode.ErrorBody, "description": "The request cannot be answered"},
    "5XX": {"model": encode.ErrorBody, "description": "The server failed"},
}


def create_app(
    routers: list[APIRouter],
    settings: GatewaySettings,
    trace_of: TraceOf,
    counted: Counted = lambda *_: None,
    pace: Pace | None = None,
) -> FastAPI:
    """The application over ``routers``. ``pace`` belongs to the access checks."""
    app = FastAPI(
        title="mainspring",
        version=__version__,
        description="OpenAI-compatible gateway",
        docs_url=None,
        redoc_url=None,
        # A redirect would repeat the host that the request names, and reveal routes before the key is checked.
        redirect_slashes=False,
    )
    _add(app, routers)
    reference.serve(app)
    app.add_exception_handler(MainspringError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_bug)
    app.add_middleware(AddressLimit, addresses=Addresses(settings.addresses))
    app.add_middleware(BodyLimit, max_body=settings.max_body_bytes, max_upload=settings.max_upload_bytes)
    app.add_middleware(Edge, trace_of=trace_of, settings=settings, counted=counted, pace=pace)
    return app


def _add(app: FastAPI, routers: list[APIRouter]) -> None:
    """Add the routes, each with the common errors.

    ``include_router`` would analyse each route anew at the first request, and look twice for a request's route.
    """
    common = APIRoute("/", lambda: None, responses=_ERRORS)
    for router in routers:
        for route in router.routes:
            if isinstance(route, LateRoute):
                route.answers_too(common)
            elif isinstance(route, APIRoute):
                route.responses = {**common.responses, **route.responses}
                route.response_fields = {**common.response_fields, **route.response_fields}
        app.router.routes.extend(router.routes)


async def _on_error(http: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, MainspringError)
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    if error.status in (401, 403):
        where = getattr(http.state, "resource_metadata", "")
        challenged = challenge(error, sent="authorization" in http.headers)
        headers["www-authenticate"] = _with_metadata(challenged, where) if where else challenged
    if isinstance(error, RateLimited):
        headers |= getattr(error, "headers", {})
    if error.status >= 500:
        log.warning("%s %s: %s", error.status, error.code, error.message, extra=_trace_extra(http))
    return json_response(_envelope(http, error), headers, error.status)


def challenge(error: MainspringError, *, sent: bool) -> str:
    """``WWW-Authenticate`` (RFC 6750): the reason why a credential was refused, or the request for one."""
    if error.status == 401 and not sent:
        return "Bearer"
    said = re.sub(r"[^ !#-\[\]-~]", "", error.message)
    return (
        f'Bearer error="{"insufficient_scope" if error.status == 403 else "invalid_token"}", error_description="{said}"'
    )


def _with_metadata(challenged: str, where: str) -> str:
    """A challenge with the address of the metadata that says how to get a token (RFC 9728)."""
    kind, _, rest = challenged.partition(" ")
    return f'{kind} resource_metadata="{where}"' + (f", {rest}" if rest else "")


def _envelope(http: HttpRequest, error: MainspringError) -> dict[str, object]:
    """The error in the format of the route's clients."""
    path = http.url.path
    if path.startswith(anthropic.PREFIX) or (path.startswith("/v1/models") and VERSION in http.headers):
        return anthropic_encode.error_body(error, http.state.trace.trace_id)
    return encode.error_body(error)


async def _on_invalid(http: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return await _on_error(http, invalid(first, first["loc"][1:]))


async def _on_http_error(http: HttpRequest, error: Exception) -> HttpResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        near = methods.near_paths(http)
        remedy = f"Did you mean {' or '.join(near)}? /docs lists the routes" if near else "See /docs for the routes"
        return await _on_error(http, NotFound(f"there is no {shown(http.url.path)}", remedy=remedy))
    if error.status_code == 405:
        return await _on_other_method(http)
    return await _on_error(http, InvalidRequest(str(error.detail)))


async def _on_other_method(http: HttpRequest) -> HttpResponse:
    allow = methods.allowed(http)
    headers = {"allow": ", ".join(allow)}
    if http.method == "OPTIONS":
        return HttpResponse(status_code=204, headers=headers)
    takes = ", ".join(each for each in allow if each not in ("HEAD", "OPTIONS"))
    error = MethodNotAllowed(f"{shown(http.url.path)} takes no {shown(http.method)}", remedy=f"It takes {takes}")
    response = await _on_error(http, error)
    response.headers.update(headers)
    return response


async def _on_disconnect(_: HttpRequest, __: Exception) -> HttpResponse:
    # No client reads this; 499 is its conventional code in access logs.
    return HttpResponse(status_code=499)


async def _on_bug(http: HttpRequest, error: Exception) -> HttpResponse:
    log.error("unexpected failure", exc_info=error, extra=_trace_extra(http))
    # The framework sends this answer outside of every middleware here, including the one that names the trace.
    headers = {name.decode(): value.decode("latin-1") for name, value in getattr(http.state, HEAD)}
    # The server closes the connection after it; the client should know before it sends another request.
    return json_response(_envelope(http, encode.bug()), {**headers, "connection": "close"}, 500)


def _trace_extra(http: HttpRequest) -> dict[str, str]:
    return {"trace_id": http.state.trace.trace_id}
