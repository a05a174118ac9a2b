"""Who asks: API keys to principals, and the Context that every request carries below the gateway."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import Request as HttpRequest
from fastapi import Security
from fastapi.security import HTTPBearer

from mainspring.errors import Forbidden, InvalidRequest, Unauthenticated
from mainspring.types import Context, Principal


class Authenticator(Protocol):
    """Checks a secret. Raises ``Unauthenticated``."""

    async def authenticate(self, secret: str) -> Principal: ...


ContextOf = Callable[..., Awaitable[Context]]
Access = Callable[[str], ContextOf]
"""``access(scope)`` is a FastAPI dependency that gives the Context of a caller who has that scope."""
# Only declares keys and scopes in the OpenAPI document; ``bearer`` reads them.
DECLARED = HTTPBearer(scheme_name="key", description="An API key: `mainspring keys create NAME`", auto_error=False)


def access_to(keys: Authenticator, timeout_s: float) -> Access:
    """The dependency factory over ``keys``; ``timeout_s`` bounds each request's deadline."""

    def access(scope: str) -> ContextOf:
        async def context(http: HttpRequest, _: object = Security(DECLARED, scopes=[scope])) -> Context:
            principal = await keys.authenticate(bearer(http))
            if scope not in principal.scopes and "admin" not in principal.scopes:
                raise Forbidden(
                    f"this API key lacks the scope {scope!r}",
                    remedy=f"Create one with `mainspring keys create NAME --scope {scope}`",
                )
            return Context(
                principal=principal,
                trace=http.state.trace,
                deadline=time.monotonic() + _timeout(http, timeout_s),
                idempotency_key=http.headers.get("idempotency-key"),
            )

        return context

    return access


def bearer(http: HttpRequest) -> str:
    """The secret of the Authorization (or ``x-api-key``) header. Raises ``Unauthenticated``."""
    kind, _, secret = http.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    if http.headers.get("x-api-key"):
        return http.headers["x-api-key"]
    raise Unauthenticated("no API key was sent", remedy="Send the header `Authorization: Bearer <key>`")


def _timeout(http: HttpRequest, most: float) -> float:
    text = http.headers.get("x-request-timeout")
    if text is None:
        return most
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise InvalidRequest("x-request-timeout must be a positive number of seconds", param="x-request-timeout")
    return min(seconds, most)
