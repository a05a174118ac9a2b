"""Where requests may come from, and what a client learns about tokens. Nothing here loads the protocol's library."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from mainspring.core.errors import Forbidden
from mainspring.features.mcp.settings import McpSettings

LOCAL = ("localhost", "127.0.0.1", "[::1]")


def check_origin(settings: McpSettings, host: str, origin: str | None, *, bound: str) -> None:
    """Raises ``Forbidden`` for a page of a browser that is not to call this server, also one that gave its own name to
    this address (DNS rebinding). ``host`` is the header; ``bound`` is the address that the server listens on."""
    names = {*LOCAL, *settings.hosts, *([bound] if bound not in ("0.0.0.0", "::") else [])}  # noqa: S104
    everywhere = bound not in (*LOCAL, "::1") and not settings.hosts
    if not everywhere and not _named(host, names):
        raise Forbidden(f"{host[:100]} is not a name of this server", remedy="Add it to mcp.hosts")
    if origin is None:
        return
    parts = urlsplit(origin)
    if origin in settings.origins or (parts.scheme in ("http", "https") and _named(parts.netloc, names)):
        return
    raise Forbidden(f"pages of {origin[:100]} may not call this server", remedy="Add it to mcp.origins")


def _named(host: str, names: set[str]) -> bool:
    host = host.lower()
    without = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
    return host in names or without in names


def metadata(resource: str, issuer: str, scopes: list[str]) -> dict[str, Any]:
    """OAuth's metadata of a protected resource (RFC 9728)."""
    return {
        "resource": resource,
        "authorization_servers": [issuer],
        "scopes_supported": scopes,
        "bearer_methods_supported": ["header"],
        "resource_name": "mainspring",
    }
