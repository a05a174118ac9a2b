"""Access control: API keys to principals, and the Context that every request carries below the gateway."""

from __future__ import annotations

import dataclasses
import inspect
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from fastapi import Request as HttpRequest
from fastapi import Security
from fastapi.security import HTTPBearer

from mainspring.core.errors import (
    Forbidden,
    InvalidRequest,
    MainspringError,
    SettingsError,
    Unauthenticated,
    Unsupported,
)
from mainspring.core.fair.lane import LANE
from mainspring.core.scopes import OPERATE, SCOPES, with_implied
from mainspring.core.types import TOKEN, Allowance, Arrival, Context, Principal, Priority
from mainspring.http.bodies_in_flight import BodiesInFlight, HeldBody
from mainspring.http.loop_fairness import SPENT, Pace
from mainspring.stores.events.audit_log import Actor


class Authenticator(Protocol):
    """Checks a secret. Raises ``Unauthenticated``."""

    async def authenticate(self, secret: str) -> Principal: ...


CONSENT, CONSENT_FIELD = "x-training-consent", "training_consent"
"""The header, and the field of ``metadata``, in which a request says whether it may be used for learning."""
Refused = Callable[[MainspringError, str, str, "Principal | None"], None]
"""Called for each refused request: with the reason, the address, the scope, and the owner of the key (None: no valid
key)."""
# Only declares keys and scopes in the OpenAPI document; ``bearer`` reads them.
DECLARED = HTTPBearer(
    scheme_name="key", description="API key, created with `mainspring keys create NAME`", auto_error=False
)


class Caller:
    """A FastAPI dependency: the Context of a caller who has ``scope`` (empty: of anyone who has a key).

    ``admit`` checks the key and needs only the request's headers; routes call it before they read a body.
    """

    def __init__(
        self,
        keys: Authenticator,
        scope: str,
        timeout_s: float,
        classes: Mapping[str, Priority],
        refused: Refused | None = None,
        pace: Pace | None = None,
        bodies: BodiesInFlight | None = None,
    ) -> None:
        if scope and scope not in SCOPES:
            raise SettingsError(
                f"routes ask for the scope {scope!r}, which nobody declares",
                remedy="SCOPES in the module `scopes` of their feature names it",
            )
        self._refused = refused
        self._pace = pace
        self._bodies = bodies
        self._keys = keys
        self._classes = classes
        self._scope = scope
        self._timeout_s = timeout_s
        # The framework inspects this instead of ``__call__``: the scope is a default in it, different for each
        # caller.
        either = inspect.Parameter.POSITIONAL_OR_KEYWORD
        http = inspect.Parameter("http", either, annotation=HttpRequest)
        key = inspect.Parameter("key", either, default=Security(DECLARED, scopes=[scope] if scope else []))
        self.__signature__ = inspect.Signature([http, key])

    async def admit(self, http: HttpRequest) -> Context:
        """Raises ``Unauthenticated``, ``Forbidden``, ``InvalidRequest`` naming a header, or ``Overloaded`` if its
        tenant asks for more of the server's time than its share."""
        principal = None
        try:
            principal = await self._keys.authenticate(bearer(http))
            self._check_scope(principal)
        except (Unauthenticated, Forbidden) as error:
            self._tell(error, http, principal)
            raise
        await self.turn(http, principal.tenant)
        context = Context(
            principal=principal,
            trace=http.state.trace,
            deadline=time.monotonic() + _timeout(http, self._timeout_s),
            priority=_priority(http, principal, self._classes.get(principal.tier, Priority.INTERACTIVE)),
            allowance=Allowance(_most_tokens(http)),
            consent=_consent(http.headers.get(CONSENT), principal.consent, CONSENT),
            idempotency_key=http.headers.get("idempotency-key"),
            arrival=Arrival(http.state.came_ns, time.time_ns()) if hasattr(http.state, "came_ns") else None,
            regions=_regions(http),
        )
        http.state.context = context
        return context

    async def turn(self, http: HttpRequest, tenant: str) -> None:
        """Return when the request may continue for its tenant, in whose turns its work in threads is done from here on.
        Raises ``Overloaded``. For routes that take another secret in the place of a key, too."""
        LANE.set(tenant)
        spent = getattr(http.state, SPENT, None)
        if self._pace is not None and spent is not None and spent.tenant is None:
            await self._pace.turn(tenant, spent)

    @contextmanager
    def telling(self, http: HttpRequest) -> Iterator[None]:
        """Another secret is checked within the block: a refusal counts like one of a key."""
        try:
            yield
        except Unauthenticated as error:
            self._tell(error, http, None)
            raise

    def _tell(self, error: MainspringError, http: HttpRequest, principal: Principal | None) -> None:
        if self._refused is not None:
            self._refused(error, http.client.host if http.client else "", self._scope, principal)

    def body_of(self, principal: Principal) -> HeldBody | None:
        """What counts the bytes of this caller's request; None where they are not bounded."""
        return None if self._bodies is None else self._bodies.of(principal.tenant)

    def _check_scope(self, principal: Principal) -> None:
        if self._scope and self._scope not in with_implied(principal.scopes):
            # Actions of this scope also require admin.
            options = f"{'--scope admin ' if self._scope == OPERATE else ''}--scope {self._scope}"
            raise Forbidden(
                f"this {'token' if principal.key_id.startswith(TOKEN) else 'API key'} lacks the scope {self._scope!r}",
                remedy=f"Create one with `mainspring keys create NAME {options}`"
                if not principal.key_id.startswith(TOKEN)
                else "Its roles give none: see gateway.roles",
            )

    async def __call__(self, http: HttpRequest, key: object = None) -> Context:  # noqa: ARG002
        admitted: Context | None = getattr(http.state, "context", None)
        return admitted or await self.admit(http)


Access = Callable[[str], Caller]
"""``access(scope)`` is a FastAPI dependency that gives the Context of a caller who has that scope; ``access("")`` of
anyone who has a key."""


def access_to(
    keys: Authenticator,
    timeout_s: float,
    tiers: Mapping[str, str] | None = None,
    refused: Refused | None = None,
    pace: Pace | None = None,
    bodies: BodiesInFlight | None = None,
) -> Access:
    """The dependency factory over ``keys``; ``timeout_s`` bounds each request's deadline, ``tiers`` are the priority
    classes of the keys' tiers (interactive where not named), ``pace`` shares the event loop between tenants, ``bodies``
    bounds the bytes of their requests."""
    classes = {tier: Priority[name.upper()] for tier, name in (tiers or {}).items()}
    return lambda scope: Caller(keys, scope, timeout_s, classes, refused, pace, bodies)


def consenting(context: Context, metadata: Mapping[str, str] | None) -> Context:
    """The context of a request whose ``metadata`` may say whether it may be learnt from."""
    told = (metadata or {}).get(CONSENT_FIELD)
    if told is None:
        return context
    return dataclasses.replace(context, consent=_consent(told, context.consent, f"metadata.{CONSENT_FIELD}"))


def check_lasting(context: Context, what: str) -> None:
    """Raises ``Forbidden`` or ``Unsupported`` for a request that ``what`` (a batch) could not be held to later, when
    it is worked on: then there is a key, and neither a token nor the headers of the request."""
    if context.principal.key_id.startswith(TOKEN):
        raise Forbidden(f"{what} would outlive the token of the request", remedy="Use an API key")
    if context.regions:
        problem = f"{what} is worked on where its key and its tenant accept it"
        raise Unsupported(problem, remedy="Use a key that is limited to regions", param="x-region")


def acting(context: Context) -> Actor:
    """The actor, for the audit log."""
    return Actor(context.principal.key_id, context.trace.trace_id)


def bearer(http: HttpRequest) -> str:
    """The secret of the Authorization header, or of ``x-api-key`` or Azure's ``api-key``. Raises
    ``Unauthenticated``."""
    kind, _, secret = http.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and secret.strip():
        return secret.strip()
    for name in ("x-api-key", "api-key"):
        if secret := http.headers.get(name, "").strip():
            return secret
    raise Unauthenticated("no API key was sent", remedy="Send the header `Authorization: Bearer <key>`")


def _consent(text: str | None, default: bool, param: str) -> bool:
    if text is None:
        return default
    if text not in ("true", "false"):
        raise InvalidRequest(f"{param} must be true or false", param=param)
    return text == "true"


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


def _priority(http: HttpRequest, principal: Principal, own: Priority) -> Priority:
    """The class of a request: its key tier's, or a lower one that it asks for; operators may ask for any."""
    text = http.headers.get("x-priority")
    if text is None:
        return own
    try:
        asked = Priority[text.strip().upper()]
    except KeyError:
        names = ", ".join(priority.name.lower() for priority in sorted(Priority, reverse=True))
        raise InvalidRequest(f"x-priority must be one of {names}", param="x-priority") from None
    if asked > own and OPERATE not in principal.scopes:
        raise Forbidden(
            f"this API key is served as {own.name.lower()}, not as {asked.name.lower()}",
            remedy="Leave x-priority out, or use a key of another tier",
        )
    return asked


def _regions(http: HttpRequest) -> frozenset[str]:
    """The regions that the request may be worked on in; none: any."""
    text = http.headers.get("x-region")
    if text is None:
        return frozenset()
    regions = [part.strip().lower() for part in text.split(",")]
    if not 0 < len(regions) <= 16 or not all(re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", each) for each in regions):
        raise InvalidRequest("x-region must be a list of regions separated by commas, such as eu,ch", param="x-region")
    return frozenset(regions)


def _most_tokens(http: HttpRequest) -> int | None:
    """The maximum of tokens for all prompts and answers of the request's calls; None: unlimited."""
    text = http.headers.get("x-max-total-tokens")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:12]) < 10**9:
        raise InvalidRequest("x-max-total-tokens must be a positive whole number", param="x-max-total-tokens")
    return int(text[:12])
