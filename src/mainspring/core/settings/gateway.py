"""Settings of the HTTP server."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from mainspring.core.scopes import OPERATE
from mainspring.core.settings.identity import OidcSettings, Roles, roles
from mainspring.core.settings.section import Section


class TlsSettings(Section):
    """TLS of the server itself: PEM files of the certificate (with its chain) and of its key."""

    certificate: Path | None = None
    key: Path | None = None
    password: str = Field("", repr=False, description="the key's password, if it has one")
    minimum_version: Literal["1.2", "1.3"] = "1.2"
    hsts_s: int = Field(31_536_000, ge=0, description="seconds for which browsers insist on TLS (HSTS); 0: no header")

    @model_validator(mode="after")
    def _both(self) -> TlsSettings:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("gateway.tls needs both certificate and key")
        return self


class CorsSettings(Section):
    """Pages of other origins that may call the API from a browser. ``origins`` as `https://app.example.com`, or `*`.

    Keys travel in a header, so that cookies are never sent along.
    """

    origins: tuple[str, ...] = ()
    max_age_s: int = Field(600, ge=0, description="seconds for which a browser may cache a preflight result")

    @field_validator("origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, _, host = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not host or "/" in host or "*" in host):
                raise ValueError(f"{origin} is not an origin: use the form https://app.example.com, without a path")
        return origins


class AddressSettings(Section):
    """Limits per client address (IPv6: per /64 network). 0: no limit."""

    requests_per_minute: int = Field(0, ge=0)
    failures_per_minute: int = Field(60, ge=0, description="refused credentials per minute; more get a 429")
    connections: int = Field(2048, ge=0, description="open connections")
    remembered: int = Field(10_000, ge=100, description="most recent addresses whose counts are kept")


class GatewaySettings(Section):
    """The HTTP server. Sizes in bytes, times in seconds.

    ``roles`` are names of sets of scopes, for keys and tokens. ``trusted_proxies`` are addresses or networks whose
    ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    tls: TlsSettings = Field(default_factory=TlsSettings)
    cors: CorsSettings = Field(default_factory=CorsSettings)
    addresses: AddressSettings = Field(default_factory=AddressSettings)
    trusted_proxies: tuple[str, ...] = ()
    metrics_key: str = Field("", repr=False, description="bearer token with which Prometheus reads /metrics")
    roles: Roles = Field(default_factory=roles)
    oidc: OidcSettings = Field(default_factory=OidcSettings)
    max_body_bytes: int = Field(8 * 2**20, gt=0)
    max_upload_bytes: int = Field(64 * 2**20, gt=0)
    bodies_in_flight_bytes: int = Field(
        64 * 2**20,
        gt=0,
        description="maximum bytes of request bodies above 64 KiB that are read, parsed or waiting at once; "
        "above it, a 503",
    )
    bodies_share: float = Field(
        0.5, gt=0, le=1, description="maximum share of these bytes per tenant; above it, a 429; one body always passes"
    )
    max_messages: int = Field(512, gt=0)
    max_embedding_inputs: int = Field(2048, gt=0)
    request_timeout_s: float = Field(300.0, gt=0)
    read_timeout_s: float = Field(
        30.0,
        gt=0,
        description="seconds to read the headers of a request; its body and its answer get one more second per 4 KiB",
    )
    shutdown_grace_s: float = Field(30.0, ge=0)
    quiet_share: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of the server's time for heavy tenants together while a light one is active; beyond it they"
        " wait; 0: nobody waits",
    )
    heartbeat_s: float = Field(
        15.0, ge=0, description="seconds of silence in a stream before a comment line is sent; 0: never"
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        for proxy in proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError as error:
                raise ValueError(f"{proxy} is neither an address nor a network: {error}") from None
        return proxies

    @model_validator(mode="after")
    def _roles_are_known(self) -> GatewaySettings:
        for role in self.oidc.default_roles:
            if role not in self.roles:
                raise ValueError(f"gateway.oidc.default_roles names {role}, which gateway.roles does not")
            if OPERATE in self.roles[role]:
                raise ValueError(f"gateway.oidc.default_roles names {role}, which operates the server for all tenants")
        return self

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS itself."""
        return self.tls.certificate is not None

    @property
    def url(self) -> str:
        """Its address, for those on this machine."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}"
