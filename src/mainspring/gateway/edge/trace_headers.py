"""The outermost layer of the application: each request gets its trace, and each response the common headers.

The common headers are the trace id, headers that restrict what browsers do with a response, and headers that allow
pages of other origins to read it (``gateway.cors``).
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterable

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.core.settings import GatewaySettings
from mainspring.core.types import TraceParent
from mainspring.gateway.edge import azure
from mainspring.http.heartbeat import HEAD, SEND
from mainspring.http.loop_fairness import SPENT, Pace, metered
from mainspring.telemetry.tracing import parse_tracestate

TraceOf = Callable[[str | None], TraceParent]
"""The trace of a request from its ``traceparent`` header (None: it has none)."""

Counted = Callable[[str, str, int], None]
"""Called for each response: method, route and status."""

Header = tuple[bytes, bytes]

# A response is data: if a browser shows it as a page, it runs nothing, loads nothing and fits into no frame. The
# response is for its caller: a cache on the way, which does not know `x-api-key`, must not store it.
SECURITY: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
)
METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH")
# The methods and headers that pages may send, and the response headers that they may read.
SENT = (
    *("authorization", "content-type", "x-api-key", "api-key", "idempotency-key", "traceparent", "tracestate"),
    *("x-request-timeout", "x-priority", "x-max-total-tokens", "x-region", "x-training-consent", "if-match"),
    *("anthropic-version", "anthropic-beta", "anthropic-dangerous-direct-browser-access"),
    *("openai-organization", "openai-project", "openai-beta"),
    *(f"x-stainless-{name}" for name in "arch async helper-method lang os package-version poll-helper".split()),
    *(f"x-stainless-{name}" for name in "retry-count runtime runtime-version timeout".split()),
)
SHOWN = (
    *(
        "x-trace-id",
        "x-request-id",
        "request-id",
        "x-answer-id",
        "x-model",
        "x-cache",
        "retry-after",
        "idempotent-replayed",
        "www-authenticate",
        "etag",
        "server-timing",
        "x-mainspring-code",
        "x-mainspring-run",
    ),
    *("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    *(f"x-ratelimit-{what}-requests-day" for what in ("limit", "remaining", "reset")),
    *("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    *("x-mainspring-variant", "x-mainspring-translate", "x-mainspring-compose"),
    *("x-mainspring-arm", "x-mainspring-replica", "x-mainspring-instead-of", "x-mainspring-scaling"),
    *("x-mainspring-cache", "x-mainspring-cache-similarity", "x-mainspring-cache-id", "x-mainspring-truncated"),
    *("x-mainspring-budget", "x-mainspring-preset", "x-mainspring-prompt", "x-mainspring-route"),
    *("x-mainspring-structured", "x-mainspring-ignored", "x-mainspring-max-tokens", "x-mainspring-assistant"),
)


class Edge:
    """Gives requests their trace and responses their headers; answers browsers' preflight requests."""

    def __init__(
        self,
        app: ASGIApp,
        trace_of: TraceOf,
        settings: GatewaySettings,
        counted: Counted = lambda *_: None,
        pace: Pace | None = None,
    ) -> None:
        self.app = app
        self._pace = pace or Pace(0.0)
        self.trace_of = trace_of
        self._counted = counted
        self._hsts = f"max-age={settings.tls.hsts_s}".encode() if settings.tls.hsts_s else b""
        self._cors = None
        if settings.cors.origins:
            self._cors = CORSMiddleware(
                app,
                allow_origins=settings.cors.origins,
                allow_methods=METHODS,
                allow_headers=SENT,
                max_age=settings.cors.max_age_s,
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        came_ns = time.time_ns()
        scope = azure.as_openai(scope)
        if scope["method"] == "HEAD":
            # The answer is that of GET, without the body.
            scope, send = {**scope, "method": "GET"}, _headless(send)
        asked = Headers(scope=scope)
        trace = self.trace_of(asked.get("traceparent"))
        if trace.trace_id in asked.get("traceparent", "") and (states := asked.getlist("tracestate")):
            trace = dataclasses.replace(trace, state=parse_tracestate(states))
        head = [*trace_names(trace.trace_id), *self._headers(scope, asked)]
        # Responses that bypass the middlewares (frames of streams, heartbeats) find their additional headers here.
        state = scope.setdefault("state", {})
        spent = self._pace.spent()
        state.update({"trace": trace, "came_ns": came_ns, SEND: send, HEAD: head, SPENT: spent})

        def complete(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                message = {**message, "headers": completed(message.get("headers", ()), head)}
                self._count(scope, message["status"])
                spent.refused = message["status"] in (429, 503)
            return send(message)

        try:
            if preflight := self._preflight(scope, asked):
                await preflight(scope, receive, complete)
            else:
                await metered(_begun(self.app(scope, receive, complete)), spent.took)
        finally:
            spent.settle()
            # The server's way to the client knows the request: in its state it would keep all of it in a circle, which
            # waits for the collector of garbage.
            state.pop(SEND, None)

    def _count(self, scope: Scope, status: int) -> None:
        # Callers choose the path: only known routes get a label of their own.
        route = getattr(scope.get("route"), "path", "none")
        self._counted(scope["method"] if scope["method"] in METHODS else "other", route, status)

    def _headers(self, scope: Scope, asked: Headers) -> list[Header]:
        found = list(SECURITY)
        if self._hsts and scope.get("scheme") == "https":
            found.append((b"strict-transport-security", self._hsts))
        if self._cors is not None:
            origin = asked.get("origin")
            found.append((b"vary", b"Origin"))
            if origin is not None and self._cors.is_allowed_origin(origin):
                # A page that may read answers must be able to: no other site's pages get this header.
                allowed = b"*" if self._cors.allow_all_origins else origin.encode("latin-1")
                found.append((b"access-control-allow-origin", allowed))
                found.append((b"access-control-expose-headers", ", ".join(SHOWN).encode()))
        return found

    def _preflight(self, scope: Scope, asked: Headers) -> HttpResponse | None:
        if self._cors is None or scope["method"] != "OPTIONS" or "access-control-request-method" not in asked:
            return None
        if "origin" not in asked:
            return None
        return self._cors.preflight_response(request_headers=asked)


def trace_names(trace_id: str) -> list[Header]:
    """The headers that name a request's trace: ours, and those from which OpenAI's and Anthropic's clients read the
    request's id."""
    value = trace_id.encode()
    return [(b"x-trace-id", value), (b"x-request-id", value), (b"request-id", value)]


def _headless(send: Send) -> Send:
    """``send`` for an answer to HEAD: without its body."""

    async def bare(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return bare


async def _begun(answering: Awaitable[None]) -> None:
    await answering


def completed(headers: Iterable[Header], more: Iterable[Header]) -> list[Header]:
    """``headers``, and those of ``more`` that they lack: a responder may be stricter or laxer than the rule. ``vary``
    is a list, which is joined."""
    found = list(headers)
    names = {name.lower() for name, _ in found}
    found += [each for each in more if each[0] not in names or each[0] == b"vary"]
    return found
