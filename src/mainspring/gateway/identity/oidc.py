"""Bearer tokens of an identity provider (JWT, RFC 7519; checked following RFC 8725), mapped to principals."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from mainspring.core.errors import InvalidToken, MissingExtra
from mainspring.core.scopes import with_implied
from mainspring.core.settings.identity import OidcSettings, Roles
from mainspring.core.types import TOKEN, Principal, Reach
from mainspring.gateway.identity.jwks import Jwks
from mainspring.http.access import Authenticator

SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*")
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
REGION = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
MOST = 256
TYPES = ("jwt", "at+jwt")
REMEDY = "Sign in again"


class TokensOrKeys:
    """Tokens if the credential looks like one, else API keys."""

    def __init__(self, keys: Authenticator, tokens: Authenticator) -> None:
        self._keys = keys
        self._tokens = tokens

    async def authenticate(self, secret: str) -> Principal:
        return await (self._tokens if SHAPE.fullmatch(secret) else self._keys).authenticate(secret)


class Tokens:
    """Checks tokens of one issuer. Raises ``MissingExtra`` without the package that knows signatures."""

    def __init__(self, settings: OidcSettings, roles: Roles, jwks: Jwks | None = None) -> None:
        try:
            import jwt
        except ImportError:
            raise MissingExtra("gateway.oidc needs the package PyJWT", remedy="Install mainspring[oidc]") from None
        self._jwt: Any = jwt
        self._settings = settings
        self._roles = roles
        self.jwks = jwks or Jwks(settings)

    async def authenticate(self, token: str) -> Principal:
        """Whose token it is. Raises ``InvalidToken`` with the reason, and ``Unavailable`` if the provider's keys cannot
        be fetched."""
        settings = self._settings
        # Its size is checked before any part of it is decoded.
        if len(token) > settings.max_token_bytes:
            raise InvalidToken(f"the token is longer than {settings.max_token_bytes} bytes", remedy=REMEDY)
        algorithm, kid = self._header(token)
        key = await self.jwks.key(kid, algorithm)
        return self._principal(self._claims(token, key, algorithm))

    def _header(self, token: str) -> tuple[str, str]:
        """(algorithm, id of the key): the token's own claims, which decide nothing by themselves."""
        try:
            header: Mapping[str, Any] = self._jwt.get_unverified_header(token)
        except self._jwt.InvalidTokenError:
            raise InvalidToken("this is not a token", remedy=REMEDY) from None
        algorithm, kid, kind = header.get("alg"), header.get("kid", ""), header.get("typ", "JWT")
        if algorithm not in self._settings.algorithms:
            known = ", ".join(self._settings.algorithms)
            raise InvalidToken(f"the token is not signed by one of {known}", remedy=REMEDY)
        if not isinstance(kid, str) or not isinstance(kind, str) or kind.lower() not in TYPES or "crit" in header:
            raise InvalidToken("the token has an unsupported type", remedy=REMEDY)
        return algorithm, kid

    def _claims(self, token: str, key: Any, algorithm: str) -> Mapping[str, Any]:
        jwt, settings = self._jwt, self._settings
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=settings.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise InvalidToken("the token has expired", remedy=REMEDY) from None
        except jwt.ImmatureSignatureError:
            raise InvalidToken("the token is not valid yet", remedy="Check the clocks of both machines") from None
        except jwt.InvalidAudienceError:
            raise InvalidToken(
                "the token is for another audience", remedy="Request a token for an audience of gateway.oidc.audience"
            ) from None
        except jwt.InvalidIssuerError:
            raise InvalidToken("the token is of another issuer", remedy=REMEDY) from None
        except jwt.MissingRequiredClaimError as error:
            raise InvalidToken(f"the token lacks the claim {error.claim}", remedy=REMEDY) from None
        except (jwt.InvalidTokenError, TypeError, ValueError):
            raise InvalidToken("the token's signature or form is wrong", remedy=REMEDY) from None
        return claims

    def _principal(self, claims: Mapping[str, Any]) -> Principal:
        settings = self._settings
        tenant = settings.tenant
        if settings.tenant_claim:
            named = _names(claims, settings.tenant_claim)
            if len(named) != 1:
                raise InvalidToken(f"the token's claim {settings.tenant_claim} names no tenant", remedy=REMEDY)
            tenant = named[0]
        roles = [role for role in _names(claims, settings.roles_claim) if role in self._roles]
        scopes = frozenset(scope for role in roles or settings.default_roles for scope in self._roles[role])
        regions = _names(claims, settings.regions_claim) if settings.regions_claim else []
        if not all(REGION.fullmatch(region) for region in regions):
            raise InvalidToken(
                f"the token's claim {settings.regions_claim} names something that is not a region", remedy=REMEDY
            )
        subject = claims["sub"]
        if not isinstance(subject, str) or not subject:
            raise InvalidToken("the token names no subject", remedy=REMEDY)
        # A subject is often an e-mail address: only its hash is stored.
        digest = hashlib.sha256(f"{settings.issuer}\0{subject}".encode("utf-8", "replace")).hexdigest()
        return Principal(
            tenant,
            f"{TOKEN}{digest[:24]}",
            with_implied(scopes),
            frozenset(_names(claims, settings.groups_claim)),
            settings.tier,
            reach=Reach(regions=frozenset(regions)),
        )


def _names(claims: Mapping[str, Any], path: str) -> list[str]:
    """The names in a claim, which may be one or a list; none if it is not there. Raises ``InvalidToken``."""
    value: Any = claims.get(path)
    if value is None:
        value = claims
        for part in path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    found = [] if value is None else value if isinstance(value, list) else [value]
    if len(found) > MOST or not all(isinstance(each, str) and NAME.fullmatch(each) for each in found):
        raise InvalidToken(f"the token's claim {path} is not a list of names", remedy=REMEDY)
    return list(found)
