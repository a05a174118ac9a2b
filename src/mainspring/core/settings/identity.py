"""Settings of who may do what: roles, and tokens of an identity provider beside our own API keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from mainspring.core.scopes import SCOPES
from mainspring.core.settings.section import Section

# Signatures with a key that only the provider has. With a shared key (HS256), anybody who verifies tokens could also
# issue them.
Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
if TYPE_CHECKING:
    Scope = str
else:
    # Errors in files and requests list the existing scopes.
    Scope = Literal[tuple(SCOPES)]
Roles = dict[str, Annotated[tuple[Scope, ...], Field(min_length=1)]]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def roles() -> Roles:
    """The built-in roles."""
    return {"reader": ("chat",), "user": ("chat", "embed"), "editor": ("chat", "embed", "ingest"), "admin": ("admin",)}


class OidcSettings(Section):
    """Bearer tokens (JWT) of an OpenID Connect provider. ``issuer`` enables tokens; it must equal the tokens' issuer
    exactly.

    Its keys come from ``jwks_file``, from ``jwks_url``, or from what the issuer says of itself
    (``/.well-known/openid-configuration``). Claims are named as in the token; a dot selects a field of an object
    (``realm_access.roles``).
    """

    issuer: str = ""
    audience: tuple[str, ...] = Field((), description="accepted audiences; a token must have one of them")
    jwks_url: str = ""
    jwks_file: Path | None = None
    algorithms: tuple[Algorithm, ...] = Field(("RS256", "ES256"), min_length=1)
    leeway_s: float = Field(30.0, ge=0, le=600, description="tolerated difference between clocks in seconds")
    max_token_bytes: int = Field(8192, ge=256)
    tenant: str = Field("default", min_length=1, description="tenant of all tokens if tenant_claim is empty")
    tenant_claim: str = ""
    groups_claim: str = "groups"
    roles_claim: str = "roles"
    regions_claim: str = ""
    default_roles: tuple[str, ...] = Field((), description="roles of tokens that name none of gateway.roles")
    tier: str = Field("", description="tier with the rate limits of a token's subject, a name of serving.tiers")
    key_days: float = Field(90.0, gt=0, le=36_500, description="maximum lifetime in days of keys created with a token")
    refresh_s: float = Field(300.0, gt=0, description="age in seconds from which the provider's keys are fetched again")
    outage_s: float = Field(
        86_400.0, ge=0, description="seconds for which they stay trusted while the provider is down"
    )

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _safe(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise ValueError(f"{url} must be https://: who can change the keys can make any token")
        return url

    @model_validator(mode="after")
    def _for_us(self) -> OidcSettings:
        if self.issuer and not self.audience:
            raise ValueError("gateway.oidc needs an audience: without one, tokens for other services would count here")
        if self.jwks_url and self.jwks_file:
            raise ValueError("gateway.oidc has both jwks_url and jwks_file: set only one")
        return self
